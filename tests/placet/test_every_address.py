"""What holds for every address of the pages, whatever it is for.

An address that is not listed here fails the test: whoever adds one says what strangers meet there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from pytest_django import Settings
from uuid6 import uuid7

from approvals import api
from approvals.domain.pins import Terms
from approvals.domain.telling import Kind
from approvals.models import Delivery, Notice, User, database_now
from approvals.services import channels
from approvals.services.decisions import decide
from approvals.services.delegation import declare_absence
from approvals.services.grants import Wanted
from mcpbridge.administration import (
    AgentSettings,
    UpstreamSettings,
    create_agent,
    create_upstream,
)
from mcpbridge.administration.tokens import issue_token
from mcpbridge.catalog.recording import record_list
from mcpbridge.models import ToolPin
from tests.support.builders import Cast, a_cast, a_ticket

HUSH: Final = "hush-hush"  # in everything that a stranger may not read
LOGIN: Final = "/accounts/login/"

TICKET = "ticket row decide withdraw revoke cancel edit say hand-on snooze wake annotate grant-new"
HIDDEN = f"{TICKET} burst grant grant-revoke by-number"  # as if they were not there
OWN = "inbox history history-export frame measures batch absences grants kill account notifications"
RESERVED = "canaries audit audit-verify notices rotation"
POSTED = (
    "step-up absence-end resume-agent chat-new push-new channel-mail channel room-new"
    " delivery-retry"
)
MANAGED = (
    "upstreams new_upstream upstream upstream_settings agents new_agent agent questions policy"
)
MANAGED_POSTED = "refresh others pin_all_new decide_pin new_token end_token"
STRANGERS_MEET: Final = {
    **{f"approvals:{name}": 404 for name in HIDDEN.split()},
    **{f"approvals:{name}": 200 for name in OWN.split()},
    **{f"approvals:{name}": 403 for name in RESERVED.split()},
    **{f"approvals:{name}": 405 for name in POSTED.split()},
    **{f"manage:{name}": 403 for name in MANAGED.split()},
    **{f"manage:{name}": 405 for name in MANAGED_POSTED.split()},
}
ACCOUNT: Final = {  # of whoever is signed in; more of it after a recent password
    *("account_logout", "account_reauthenticate", "account_change_password"),
    *("account_set_password", "mfa_index", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
    *("mfa_add_webauthn", "mfa_remove_webauthn", "mfa_edit_webauthn"),
    *("mfa_activate_totp", "mfa_totp_picture", "mfa_deactivate_totp"),
    *("mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_download_recovery_codes"),
}
OPEN: Final = {  # to whoever comes
    *("healthz", "readyz", "metrics", "accounts/email/", "account_email"),
    *("approvals:push-worker", "approvals:manifest", "account_login", "account_inactive"),
    *("account_signup", "account_email_verification_sent", "account_confirm_login_code"),
    *("account_reset_password", "account_reset_password_done", "account_confirm_email"),
    *("account_reset_password_from_key", "account_reset_password_from_key_done"),
    *("mfa_authenticate", "mfa_login_webauthn", "mfa_list_webauthn"),
}


class World:
    """A pending ticket, and one of everything else that an address can name."""

    def __init__(self, cast: Cast) -> None:
        by = "system:test"
        owner = AgentSettings(owner_id=cast.alice.person_id, team_id=cast.team_id)
        agent = create_agent(actor=by, name=HUSH, settings=owner)
        place = UpstreamSettings(
            transport="http", url="https://hush-hush.example/mcp", pin_on_first_contact=True
        )
        upstream = create_upstream(actor=by, name=HUSH, settings=place)
        tool = {"name": HUSH, "inputSchema": {"type": "object"}}
        record_list(
            upstream_id=upstream.pk, config_digest=bytes(upstream.config_digest), tools=[tool]
        )
        call: dict[str, Any] = {
            "agent_id": agent.pk,
            "agent_name": HUSH,
            "upstream_name": HUSH,
            "tool_name": HUSH,
            "agent_says": HUSH,
        }
        first = a_ticket(cast, arguments=b'{"path":"/hush-hush/1"}', **call).pending()
        decided = decide(
            uid=first.uid,
            user=cast.bob,
            verdict=api.Answer.APPROVE,
            seen_digest=bytes(first.ticket.digest),
            reason=HUSH,
            nonce="grant",
            grant=Wanted(terms=Terms(session_only=False, free=(), max_uses=2, seconds=600)),
        )
        self.walk = a_ticket(cast, arguments=b'{"path":"/hush-hush/2"}', **call).pending()
        absence = declare_absence(
            user=cast.bob,
            starts_at=None,
            ends_at=database_now() + timedelta(days=1),
            delegate_id=cast.carol.person_id,
            group_ids=[cast.group_id],
        )
        channel = channels.add_chat(user=cast.bob, url="ntfys://hush-hush", label=HUSH)
        delivery = Delivery.objects.create(
            notice=Notice.objects.create(kind=Kind.TEST, key=f"test:{uuid7()}"),
            channel_id=channel,
            due_at=database_now(),
            ended_at=database_now(),
            state=Delivery.State.FAILED,
        )
        token = issue_token(actor=by, agent=agent)
        self.token = token.secret
        self._keys: dict[str, object] = {
            "uid": self.walk.uid,
            "agent_id": agent.pk,
            "grant_id": decided.grant,
            "absence_id": absence.pk,
            "channel_id": channel,
            "delivery_id": delivery.pk,
            "number": self.walk.ticket.pk,
            "slug": "reviewers",
            "name": HUSH,
            "pin_id": ToolPin.objects.get().pk,
            "token_id": token.token_id,
            "pk": 1,
            "key": "a-key",
            "uidb36": "1",
        }

    def addresses(self) -> dict[str, tuple[str, bool]]:
        """Every address by its name: its path, and whether it names something."""
        return dict(self._under(get_resolver(), "", "", frozenset()))

    def _under(
        self, resolver: URLResolver, path: str, space: str, names: frozenset[str]
    ) -> Iterator[tuple[str, tuple[str, bool]]]:
        for each in resolver.url_patterns:
            below = path + str(each.pattern)
            wanted = names | each.pattern.regex.groupindex.keys()
            if isinstance(each, URLResolver):
                within = f"{space}{each.namespace}:" if each.namespace else space
                yield from self._under(each, below, within, wanted)
            elif each.name:
                keys = {name: self._keys[name] for name in wanted}
                name = space + each.name
                yield name, (reverse(name, kwargs=keys), bool(keys))
            else:
                yield below, (f"/{below}", False)

    def tempting(self) -> dict[str, str]:
        """What the forms carry, for verbs of all kinds."""
        digest = bytes(self.walk.ticket.digest).hex()
        return {
            "verdict": "approve",
            "verb": "reject",
            "step": "confirm",
            "kind": "comment",
            "words": "hello",
            "until": "quarter_hour",
            "ran": "yes",
            "evidence": "seen",
            "raw": '{"path":"/other"}',
            "reason": "none",
            "ticket": str(self.walk.uid),
            f"digest-{self.walk.uid}": digest,
            "seen_digest": digest,
            "nonce": "a-nonce",
            "uses": "3",
            "seconds": "600",
        }


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows, but for sessions and when their people last signed in."""
    found = {}
    for model in apps.get_models():
        if model is not Session:
            columns = [f.attname for f in model._meta.concrete_fields if f.name != "last_login"]
            found[model._meta.label] = list(model._default_manager.order_by("pk").values(*columns))
    return found


def signed_in(user: User, *, checks: bool = False) -> Client:
    client = Client(enforce_csrf_checks=checks)
    client.force_login(user)
    return client


def refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """In place of the page that says so."""
    return HttpResponse(status=403)


@pytest.fixture
def quiet(settings: Settings) -> Iterator[None]:
    """Hundreds of refusals need no line and no page each."""
    settings.CSRF_FAILURE_VIEW = f"{__name__}.refused"
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_no_address_acts_when_looked_at_or_lets_anybody_in_who_may_not(
    db: None, quiet: None
) -> None:
    cast = a_cast()
    world = World(cast)
    addresses, tempting = world.addresses(), world.tempting()
    assert addresses.keys() == STRANGERS_MEET.keys() | ACCOUNT | OPEN
    before, problems = everything(), []
    admin, reviewer, stranger = (signed_in(u) for u in (cast.dora, cast.carol, cast.charlie))
    session = reviewer.session  # with a recent password, for the pages that want one
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time(), "reauthenticated": True}
    ]
    session["account_authentication_methods_user"] = str(cast.carol.pk)
    session.save()
    foreign = signed_in(cast.dora, checks=True)
    nobody = Client(headers={"Authorization": f"Bearer {world.token}"})  # an agent's opens no page

    for name, (path, names_something) in addresses.items():
        looks = [reviewer.get(path, tempting)]
        if looks[0].status_code != 200:
            looks.append(admin.head(path, tempting))
        problems += [f"{name} shows itself in frames" for look in looks if not unframed(look)]
        kept = [look for look in looks if "no-store" not in look.get("Cache-Control", "")]
        problems += [f"{name} may be kept by a cache" for _ in kept]
        posted = foreign.post(path, tempting)
        problems += [] if posted.status_code == 403 else [f"{name} takes a post of other pages"]
        if name in OPEN:
            continue
        for answer in (nobody.get(path, tempting), nobody.post(path, tempting)):
            led = answer.status_code == 302 and answer["Location"].startswith(LOGIN)
            problems += [] if led or answer.status_code == 405 else [f"{name} opens to anybody"]
        if name in ACCOUNT:
            continue
        met = [stranger.get(path, tempting)]
        if met[0].status_code != STRANGERS_MEET[name]:
            problems.append(f"{name} meets a stranger with {met[0].status_code}")
        if names_something or name == "approvals:batch":
            met.append(stranger.post(path, tempting))
        if any(HUSH.encode() in answer.getvalue() for answer in met):
            problems.append(f"{name} tells a stranger of what is not theirs")

    assert not problems, "\n".join(problems)
    after = everything()
    assert after == before, {name for name in after if after[name] != before[name]}


def unframed(answer: Any) -> bool:
    """Whether browsers show the answer in no page of others, and in none of ours."""
    policy = answer.get("Content-Security-Policy", "")
    return answer.get("X-Frame-Options") == "DENY" and "frame-ancestors 'none'" in policy
