"""Judging calls by the policy of today, and publishing the next one.

A published version never changes, hence its parsed form is kept. A policy that cannot be read
asks a human; it never allows.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from types import EllipsisType
from uuid import UUID

from django.db import transaction

from approvals import audit, transitions
from approvals.domain import policy as rules
from approvals.domain.canonical import JSON, digest
from approvals.domain.errors import PolicyInvalid, PolicyMoved, QuorumUnreachable
from approvals.domain.obligations import Obligations
from approvals.domain.policy import CallFacts, PolicyDocument
from approvals.domain.quorum import reachable
from approvals.domain.seats import Mandate, fill
from approvals.domain.verdicts import Effect, Verdict, policy_failed
from approvals.domain.wording import say
from approvals.models import Gate, GroupMembership, PolicyVersion, ReviewerGroup, Team
from approvals.services import actors
from approvals.services.contract import Judgement, PublishedPolicy

logger = logging.getLogger(__name__)

SUBJECT = "policy"
APPLY = "system:apply"
NO_POLICY = PolicyDocument()


def judge(facts: CallFacts) -> Judgement:
    """What the policy of today says about a call, and the gate it was said under."""
    gate = Gate.objects.select_related("policy").defer("policy__document").get(pk=1)
    return Judgement(
        verdict=verdict_under(gate.policy, facts),
        policy_version=gate.policy_id,
        epoch=gate.epoch,
        killed=gate.killed,
    )


def verdict_under(version: PolicyVersion | None, facts: CallFacts) -> Verdict:
    """What one published version says; whatever goes wrong in it asks a human."""
    try:
        document = NO_POLICY if version is None else _document(version.pk, bytes(version.digest))
        return rules.judge(document, facts)
    except Exception as problem:
        logger.exception("Policy %s could not be evaluated.", version)
        return policy_failed(type(problem).__name__)


def explain(*, document: object, facts: CallFacts) -> Verdict:
    """What a document would say about a call, in force or not. Raises PolicyInvalid."""
    return rules.judge(rules.parse_policy(document), facts)


def publish_policy(
    *,
    document: object,
    by_person_id: UUID | None = None,
    note: str = "",
    made_against: int | EllipsisType | None = ...,
) -> int:
    """Make `document` the policy of now on; returns its version. Joins.

    Publishing what is already in force changes nothing. Raises PolicyInvalid for what cannot be
    read or names an unknown group, QuorumUnreachable where a rule asks for more people than may
    answer it, and PolicyMoved when `made_against` is given and is no longer in force.
    """
    parsed = rules.parse_policy(document)
    plain = parsed.to_dict()
    name = digest("policy", plain)
    with transaction.atomic():
        gate = Gate.objects.select_for_update(of=("self",)).select_related("policy").get(pk=1)
        if made_against is not ... and made_against != gate.policy_id:
            raise PolicyMoved
        if gate.policy is not None and bytes(gate.policy.digest) == name:
            return gate.policy.pk
        _require_answerable(parsed)
        version = PolicyVersion.objects.create(
            document=plain, digest=name, note=note[:200], published_by_id=by_person_id
        )
        version.refresh_from_db()
        actor = actors.person(by_person_id) if by_person_id else APPLY
        transitions.set_policy(policy_id=version.pk, actor=actor)  # and with it the epoch
        audit.append(
            subject=SUBJECT,
            actor=actor,
            action="published",
            detail={"version": version.pk, "digest": name.hex(), **audit.attest(version)},
        )
        return version.pk


def current_policy() -> tuple[int | None, dict[str, JSON]]:
    """The version in force and its document; before the first, None and an empty policy."""
    row = Gate.objects.select_related("policy").get(pk=1).policy
    return (None, NO_POLICY.to_dict()) if row is None else (row.pk, row.document)


def published_policies(limit: int = 50) -> list[PublishedPolicy]:
    """The newest published versions, newest first."""
    in_force = Gate.objects.values_list("policy_id", flat=True).get(pk=1)
    rows = PolicyVersion.objects.select_related("published_by").defer("document")
    return [
        PublishedPolicy(
            version=row.pk,
            published_at=row.published_at,
            by=row.published_by.name if row.published_by is not None else "",
            note=row.note,
            in_force=row.pk == in_force,
        )
        for row in rows.order_by("-pk")[:limit]
    ]


def require_answerable() -> None:
    """Refuse a state of people in which nobody could answer what the policy in force asks.

    For the end of a change of groups, teams or accounts, inside its transaction. Raises
    QuorumUnreachable, or PolicyInvalid where the policy names a group that is gone.
    """
    gate = transitions.gate_for_share()  # a policy published meanwhile looks at these people
    if gate.policy_id is None:
        return
    row = PolicyVersion.objects.get(pk=gate.policy_id)
    try:
        document = rules.parse_policy(row.document)
    except PolicyInvalid:
        return  # it asks people about everything, and no quorum can be read from it
    _require_answerable(document)


@lru_cache(maxsize=64)
def _document(version: int, stored: bytes) -> PolicyDocument:
    """Parse a published version once; `stored` is its digest, which it must still have."""
    row = PolicyVersion.objects.get(pk=version)
    if digest("policy", row.document) != stored:
        raise PolicyInvalid(f"policy {version} is not what was published: its digest differs")
    return rules.parse_policy(row.document)


def _require_answerable(document: PolicyDocument) -> None:
    """Refuse groups that do not exist, and quorums that their members cannot make up."""
    asking = [("defaults", document.defaults)]
    asking += [
        (f"rules[{index}].obligations", rule.obligations)
        for index, rule in enumerate(document.rules)
        if rule.effect is Effect.REQUIRE_APPROVAL
    ]
    known = set(ReviewerGroup.objects.values_list("slug", flat=True))
    for path, obligations in asking:
        unknown = sorted({*obligations.groups, *_later(obligations)} - known)
        if unknown:
            raise PolicyInvalid(
                f"{path}.groups names {unknown[0]!r}, which is no reviewer group; known are"
                f" {', '.join(sorted(known)) or 'none'}",
                path=f"{path}.groups",
            )
        for slug in _later(obligations):
            if not members_of((slug,)):
                raise QuorumUnreachable(
                    say(
                        "{path} is {group}, which has nobody who can sign in",
                        path=f"{path}.escalate.to",
                        group=slug,
                    ),
                    path=f"{path}.escalate.to",
                )
        for slugs in asked_groups(obligations):
            _require_enough(path, obligations, slugs)


def asked_groups(obligations: Obligations) -> list[tuple[str, ...]]:
    """The sets of groups an obligation may come to mean: its own, or each team's."""
    if obligations.groups:
        return [obligations.groups]
    defaults = Team.objects.filter(default_group__isnull=False)
    return [(slug,) for slug in defaults.values_list("default_group__slug", flat=True).distinct()]


def _later(obligations: Obligations) -> tuple[str, ...]:
    """The group that is asked when the others have not decided in time."""
    return (obligations.escalate.to,) if obligations.escalate is not None else ()


def _require_enough(path: str, obligations: Obligations, slugs: tuple[str, ...]) -> None:
    people = members_of(slugs)
    if reachable(people, obligations, ()):
        return
    if not obligations.quorums:
        raise QuorumUnreachable(
            say(
                "{path} is {need}, but of {groups} only {have} can sign in; lower the quorum or add"
                " members",
                path=f"{path}.quorum",
                need=obligations.quorum,
                groups=slugs,
                have=len(people),
            ),
            path=f"{path}.quorum",
            need=obligations.quorum,
            have=len(people),
        )
    filled = fill(people, obligations.quorums)
    short = next(each for each in filled if each.missing)
    raise QuorumUnreachable(
        say(
            "{path} want {need} of {group}, but only {have} can sign in that no other group takes"
            " up; everybody counts for one group. Lower it or add members",
            path=f"{path}.quorums",
            need=short.need,
            group=short.group,
            have=short.have,
        ),
        path=f"{path}.quorums",
        need=obligations.quorum,
        have=sum(each.have for each in filled),
    )


def members_of(slugs: tuple[str, ...]) -> dict[UUID, list[Mandate]]:
    """Who could vote in these groups."""
    members = GroupMembership.objects.filter(
        group__slug__in=slugs, person__accounts__is_active=True
    ).distinct()
    found: dict[UUID, list[Mandate]] = {}
    for person, group in members.values_list("person_id", "group__slug"):
        found.setdefault(person, []).append(Mandate(holder=person, group=group))
    return found
