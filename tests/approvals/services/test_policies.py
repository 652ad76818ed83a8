"""Judging and publishing."""

import pytest

from approvals import api
from approvals.models import AuditEvent, Gate, PolicyVersion
from approvals.services import people, policies
from tests.support.record import a_hand_at_the_console

FACTS = api.CallFacts(upstream="files", tool="delete_file", agent="robo")
DENY = {"rules": [{"name": "never", "effect": "deny", "tool": "delete_*"}]}


def test_without_a_policy_people_are_asked(cast):
    judgement = api.judge(FACTS)
    assert judgement.verdict.effect is api.Effect.REQUIRE_APPROVAL
    assert judgement.policy_version is None
    assert judgement.epoch == api.gate().epoch


def test_the_published_policy_judges_and_says_which_version_it_is(cast):
    version = api.publish_policy(document=DENY, by_person_id=cast.dora.person_id, note="why")
    judgement = api.judge(FACTS)
    assert judgement.verdict.effect is api.Effect.DENY
    assert (judgement.verdict.rule, judgement.policy_version) == ("never", version)
    assert api.current_policy()[0] == version
    assert api.current_policy()[1]["rules"][0]["tool"] == "delete_*"


def test_before_the_first_policy_there_is_an_empty_one(cast):
    version, document = api.current_policy()
    assert (version, document["rules"]) == (None, [])


def test_publishing_moves_the_epoch_and_stands_in_the_record(cast):
    before = api.gate().epoch
    version = api.publish_policy(document=DENY, by_person_id=cast.dora.person_id)
    assert api.gate().epoch == before + 1
    assert api.gate().policy_version == version
    event = AuditEvent.objects.get(subject="policy")
    assert event.detail["version"] == version


def test_publishing_what_is_in_force_changes_nothing(cast):
    first = api.publish_policy(document=DENY)
    epoch = api.gate().epoch
    assert api.publish_policy(document={**DENY, "defaults": {}}) == first
    assert api.gate().epoch == epoch
    assert PolicyVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "mapping"),
        ({"rules": [{"name": "x", "effect": "perhaps"}]}, "effect"),
        ({"rules": [{"name": "x", "effect": "deny", "colour": "red"}]}, "colour"),
        ({"defaults": {"groups": ["nobody"]}}, "nobody"),
        (
            {
                "rules": [
                    {
                        "name": "x",
                        "effect": "require_approval",
                        "obligations": {"groups": ["ghosts"]},
                    }
                ]
            },
            r"rules\[0\].obligations.groups",
        ),
    ],
)
def test_a_policy_that_cannot_be_read_is_not_published(cast, document, words):
    with pytest.raises(api.PolicyInvalid, match=words):
        api.publish_policy(document=document)
    assert PolicyVersion.objects.count() == 0
    assert api.gate().policy_version is None


def test_a_quorum_that_nobody_can_reach_is_not_published(cast):
    with pytest.raises(api.QuorumUnreachable) as refusal:
        api.publish_policy(document={"defaults": {"quorum": 3}})
    assert refusal.value.details == {"path": "defaults.quorum", "need": 3, "have": 2}


def test_an_account_that_is_off_does_not_make_a_quorum(cast):
    cast.carol.is_active = False
    cast.carol.save()
    with pytest.raises(api.QuorumUnreachable):
        api.publish_policy(document={"defaults": {"quorum": 2}})


def test_a_person_with_two_accounts_is_one_person(cast):
    people.create_user(email="bob2@example.test", password=None, person_id=cast.bob.person_id)
    with pytest.raises(api.QuorumUnreachable):
        api.publish_policy(document={"defaults": {"quorum": 3}})


def test_groups_named_together_make_a_quorum_together(cast):
    people.ensure_group(slug="security")
    people.set_members(group="security", people=[cast.charlie.person_id])
    document = {"defaults": {"quorum": 3, "groups": ["reviewers", "security"]}}
    assert api.publish_policy(document=document)


def test_a_policy_that_breaks_while_judging_asks_a_human(cast, monkeypatch, caplog):
    api.publish_policy(document=DENY)

    def broken(document, facts):
        raise ZeroDivisionError

    monkeypatch.setattr(policies.rules, "judge", broken)
    verdict = api.judge(FACTS).verdict
    assert verdict.effect is api.Effect.REQUIRE_APPROVAL
    assert verdict.failure == "ZeroDivisionError"
    assert "could not be evaluated" in caplog.text


def test_a_policy_that_was_changed_by_hand_asks_a_human(cast, caplog):
    """Somebody at the console turns a denial into permission; the digest does not agree."""
    version = api.publish_policy(document={"rules": [{"name": "never, by hand", "effect": "deny"}]})
    with a_hand_at_the_console() as cursor:
        cursor.execute(
            "UPDATE approvals_policyversion SET document ="
            """ '{"rules":[{"name":"x","effect":"allow"}]}' WHERE id = %s""",
            [version],
        )
    policies._document.cache_clear()
    verdict = api.judge(FACTS).verdict
    assert verdict.effect is api.Effect.REQUIRE_APPROVAL
    assert verdict.failure == "PolicyInvalid"


def test_judging_is_one_query(cast, django_assert_num_queries):
    api.publish_policy(document=DENY)
    api.judge(FACTS)
    with django_assert_num_queries(1):
        api.judge(FACTS)


def test_a_judgement_says_whether_everything_is_stopped(cast):
    Gate.objects.filter(pk=1).update(killed=True, epoch=2)
    assert api.judge(FACTS).killed is True
