"""Configuration as code: idempotent, whole or not at all, and each refusal by its place."""

from collections.abc import Callable
from typing import Any

import pytest

from approvals import api
from approvals.models import AuditEvent, Person, User
from mcpbridge.administration import quarantine_tool, secrets_of
from mcpbridge.catalog.recording import record_list
from mcpbridge.configuration import BadDocument, export_document, parse_document
from mcpbridge.configuration.applying import apply_document
from mcpbridge.models import Agent, ToolPin, Upstream
from tests.mcpbridge.configuration.conftest import ENVIRONMENT, Apply, whole


def rows() -> tuple[int, ...]:
    """How many of everything there are, and the epoch."""
    kinds = (AuditEvent, Person, User, Agent, ToolPin, Upstream)
    return (*(kind.objects.count() for kind in kinds), api.gate().epoch)


def test_a_whole_configuration_comes_about(apply: Apply):
    report = apply(whole())

    assert report.changes == (
        "users: alice@example.test is new",
        "users: bob@example.test is new",
        "users: bobby@example.test is new",
        "users: dora@example.test is new",
        "groups: reviewers is new",
        "teams: ops is new",
        "upstreams: files is new",
        "upstreams: git is new",
        "tools: files.read_file is new",
        "agents: robo is new",
        "policy: reading is new",
        "policy: the rest is new",
    )
    assert report.warnings == ()
    bob = User.objects.get(email="bob@example.test")
    assert bob.check_password(ENVIRONMENT["BOB_PASSWORD"])
    assert User.objects.get(email="bobby@example.test").person_id == bob.person_id
    files = Upstream.objects.get(name="files")
    assert secrets_of(files).headers == {"Authorization": "Bearer s3cret"}
    robo = Agent.objects.select_related("owner", "team").get()
    assert (robo.owner.name, robo.team.slug, robo.max_open_tickets) == ("Alice", "ops", 5)


def test_applying_again_changes_nothing(apply: Apply):
    apply(whole())
    before = rows()

    assert apply(whole()).changes == ()
    assert rows() == before


def test_what_was_exported_applies_without_a_change(db: None, apply: Apply):
    apply(whole())
    exported, before = export_document(), rows()

    report = apply_document(
        parse_document(exported), environment={"FILES_AUTHORIZATION": "Bearer s3cret"}
    )

    assert (report.changes, report.warnings, rows()) == ((), (), before)
    assert export_document() == exported


def test_the_older_transport_and_an_accepted_sandbox_survive_apply_and_export(apply: Apply):
    document = whole()
    document["upstreams"][0]["transport"] = "sse"
    document["upstreams"][0]["caps"] = {"notifications": 5, "line_bytes": 4096}
    document["upstreams"][1]["sandbox"]["accept_unsandboxed"] = True
    apply(document)

    exported = export_document()
    files, git = exported["upstreams"]
    assert (files["transport"], files["timeouts"]) == ("sse", {"total": 20})
    assert files["caps"] == {"notifications": 5, "line_bytes": 4096}
    assert git["sandbox"]["accept_unsandboxed"] is True
    assert apply(document).changes == ()


def test_an_export_rebuilds_an_empty_installation(apply: Apply, db: None):
    apply(whole())
    exported = export_document()
    text = str(exported)
    assert "s3cret" not in text
    assert ENVIRONMENT["BOB_PASSWORD"] not in text

    ToolPin.objects.all().delete()
    Agent.objects.all().delete()
    Upstream.objects.all().delete()
    apply_document(parse_document(exported), environment={"FILES_AUTHORIZATION": "Bearer s3cret"})

    assert export_document() == exported


def test_a_difference_is_told_and_not_made(apply: Apply):
    apply(whole())
    before, exported = rows(), export_document()
    changed = whole()
    changed["agents"][0]["max_open_tickets"] = 7
    changed["upstreams"][0]["headers_env"] = {"Authorization": "BOB_PASSWORD"}
    changed["policy"]["rules"][0]["effect"] = "deny"
    changed["policy"]["rules"].pop()
    changed["groups"].append({"name": "others"})

    report = apply(changed, dry_run=True)

    assert report.changes == (
        "groups: others is new",
        "agents: robo changed in max_open_tickets",
        "policy: reading changed in effect",
        "policy: the rest is no longer in use",
        "upstreams: files has new secrets",
    )
    assert (rows(), export_document()) == (before, exported)
    assert apply(changed).changes == report.changes


def test_rules_in_another_order_are_a_difference(apply: Apply):
    apply(whole())
    changed = whole()
    changed["policy"]["rules"].reverse()

    assert apply(changed).changes == ("policy: the rules are in another order",)


def test_what_a_document_does_not_name_stays(apply: Apply):
    apply(whole())
    before = export_document()

    assert apply({}).changes == ()
    assert export_document() == before


def test_a_password_is_set_once_and_never_reset(apply: Apply):
    apply(whole())
    bob = User.objects.get(email="bob@example.test")
    bob.set_password("what bob chose himself")
    bob.save()

    apply(whole())

    bob.refresh_from_db()
    assert bob.check_password("what bob chose himself")


def changed_tool(document: dict[str, Any]) -> None:
    document["tools"][0]["definition"]["name"] = "write_file"


WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d["users"][2].update(password_env="UNSET"), r"users\[2\]\.password_env: .* UNSET"),
    (
        lambda d: d["users"][3].update(same_person_as="zoe@example.test"),
        r"users\[3\]\.same_person_as: 'zoe@example.test' is not known",
    ),
    (lambda d: d["users"][0].update(admin=False), "nobody would be an admin any more"),
    (lambda d: d["groups"][0]["members"].append("zoe@x.test"), r"groups\[0\]\.members\[1\]: "),
    (lambda d: d["teams"][0]["members"].append("zoe@x.test"), r"teams\[0\]\.members\[2\]: "),
    (lambda d: d["teams"][0].update(reviewers="nobody"), r"teams\[0\]\.reviewers: .*'nobody'"),
    (lambda d: d["upstreams"][0].update(teams=["x"]), r"upstreams\[0\]\.teams\[0\]: 'x'"),
    (lambda d: d["upstreams"][0].update(url="ftp://x"), r"upstreams\[0\]\.url: .*http"),
    (lambda d: d["upstreams"][0].update(name="placet"), r"upstreams\[0\]\.name: "),
    (
        lambda d: d["upstreams"][0].update(headers_env={"Authorization": "UNSET"}),
        r"upstreams\[0\]\.headers_env\.Authorization: .* UNSET is not set",
    ),
    (
        lambda d: d["upstreams"][1].update(environment_env={"KEY": "UNSET"}),
        r"upstreams\[1\]\.environment_env\.KEY: .* UNSET is not set",
    ),
    (lambda d: d["upstreams"][1].update(cwd="srv"), r"upstreams\[1\]\.cwd: "),
    (lambda d: d["tools"][0].update(upstream="nope"), r"tools\[0\]\.upstream: .*'nope'"),
    (changed_tool, r"tools\[0\]\.definition\.name must be 'read_file'"),
    (lambda d: d["tools"][0].update(max_attempts=9), r"tools\[0\]\.max_attempts: "),
    (lambda d: d["agents"][0].update(owner="zoe@x.test"), r"agents\[0\]\.owner: 'zoe@x.test'"),
    (lambda d: d["agents"][0].update(team="nope"), r"agents\[0\]\.team: 'nope'"),
    (lambda d: d["agents"][0].update(grace_seconds=0), r"agents\[0\]\.grace_seconds: "),
    (lambda d: d["agents"][0].update(name="new"), r"agents\[0\]\.name: "),
    (lambda d: d["policy"].update(rule=[]), "policy: .*'rule'"),
    (
        lambda d: d["policy"]["rules"][1]["obligations"].update(groups=["nobody"]),
        "policy: .*'nobody', which is no reviewer group",
    ),
    (
        lambda d: d["policy"]["rules"][1]["obligations"].update(quorum=2),
        "policy: .*lower the quorum",
    ),
]


@pytest.mark.parametrize(("spoil", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_cannot_be_applied_is_refused_by_its_place_and_nothing_is_kept(
    spoil: Callable[[dict[str, Any]], object], words: str, apply: Apply
):
    apply({"users": whole()["users"][:1]})
    before, exported = rows(), export_document()
    document = whole()
    spoil(document)

    with pytest.raises(BadDocument, match=words):
        apply(document)
    assert (rows(), export_document()) == (before, exported)


def test_every_variable_that_is_missing_is_named_at_once(apply: Apply):
    document = whole()
    document["users"][2]["password_env"] = "UNSET_PASSWORD"
    document["upstreams"][0]["headers_env"] = {"Authorization": "UNSET_TOKEN"}
    document["upstreams"][0]["questions"] = {
        "sampling": "endpoint",
        "endpoint": {"url": "https://m.example.test", "models": ["m"], "key_env": "UNSET_KEY"},
    }

    with pytest.raises(BadDocument) as refused:
        apply(document)

    assert str(refused.value).splitlines() == [
        "users[2].password_env: the environment variable UNSET_PASSWORD is not set",
        "upstreams[0].headers_env.Authorization: the environment variable UNSET_TOKEN is not set",
        "upstreams[0].questions.endpoint.key_env: the environment variable UNSET_KEY is not set",
    ]


def test_a_first_password_that_nobody_could_choose_is_refused_without_being_said(
    apply: Apply, monkeypatch: pytest.MonkeyPatch
):
    document = whole()
    document["users"][2]["password_env"] = "WEAK_PASSWORD"

    monkeypatch.setitem(ENVIRONMENT, "WEAK_PASSWORD", "s3cret")
    with pytest.raises(BadDocument, match=r"WEAK_PASSWORD is refused: .*too short") as refused:
        apply(document)

    assert str(refused.value).startswith("users[2].password_env: ")
    assert "s3cret" not in str(refused.value)
    assert not User.objects.filter(email="bob@example.test").exists()


def test_an_account_that_is_there_needs_its_first_password_no_more(apply: Apply):
    apply(whole())
    document = whole()
    document["users"][2].update(password_env="UNSET", name="Robert")

    assert apply(document).changes == ("users: bob@example.test changed in name",)
    assert User.objects.get(email="bob@example.test").check_password(ENVIRONMENT["BOB_PASSWORD"])


def test_a_file_does_not_make_a_group_too_small_for_the_policy_in_force(apply: Apply):
    apply(whole())
    smaller = {"groups": [{"name": "reviewers", "members": []}]}

    with pytest.raises(BadDocument, match="of reviewers only 0 can sign in"):
        apply(smaller)
    assert export_document()["groups"][0]["members"] == ["bob@example.test"]


def test_a_file_may_change_a_group_and_the_policy_that_asks_it_together(apply: Apply):
    document = whole()
    document["groups"][0]["members"].append("alice@example.test")
    document["policy"]["rules"][1]["obligations"]["quorum"] = 2
    apply(document)

    apply(whole())

    assert export_document()["groups"][0]["members"] == ["bob@example.test"]


def test_accounts_are_not_moved_between_people(apply: Apply):
    apply(whole())

    with pytest.raises(BadDocument, match=r"users\[0\].*already belongs to another person"):
        apply({"users": [{"email": "alice@example.test", "same_person_as": "bob@example.test"}]})


def test_secrets_that_no_key_opens_are_named(apply: Apply):
    apply(whole())
    Upstream.objects.filter(name="files").update(sealed_secrets=b"\x00" * 40)

    with pytest.raises(BadDocument, match=r"upstream files: .*sealed"):
        apply(whole())


def test_a_tool_that_the_upstream_changed_stays_held_and_is_told(apply: Apply):
    apply(whole())
    files = Upstream.objects.get(name="files")
    record_list(
        upstream_id=files.pk,
        config_digest=bytes(files.config_digest),
        tools=[{"name": "read_file", "inputSchema": {"type": "object"}, "description": "New."}],
    )

    report = apply(whole())

    assert ToolPin.objects.get().status == ToolPin.Status.QUARANTINED
    assert report.changes == ()
    assert report.warnings == (
        "tools: files.read_file is held: its upstream offers another definition now",
    )


def test_a_rule_that_asks_for_passkeys_nobody_has_is_applied_and_told(apply: Apply):
    wanted = whole()
    wanted["policy"] = {"rules": [], "defaults": {"step_up": "passkey", "groups": ["reviewers"]}}

    report = apply(wanted)

    assert [line for line in report.warnings if line.startswith("policy: the defaults ask")]


def test_a_tool_that_was_taken_out_of_use_comes_back_by_the_file(apply: Apply):
    apply(whole())
    quarantine_tool(actor="system:test", pin_id=ToolPin.objects.get().pk)

    assert apply(whole()).changes == ("tools: files.read_file is new",)
    assert ToolPin.objects.get().status == ToolPin.Status.PINNED


ASKS: dict[str, Any] = {
    "sampling": "endpoint",
    "elicitation": "agent",
    "roots": "fixed",
    "fixed_roots": [{"uri": "file:///srv", "name": "Data"}],
    "endpoint": {
        "url": "https://models.example.test/v1",
        "models": ["small"],
        "seconds": 20,
        "key_env": "FILES_SAMPLING_KEY",
    },
}


def test_who_answers_an_upstreams_questions_survives_apply_and_export(apply: Apply):
    document = whole()
    document["upstreams"][0]["questions"] = ASKS
    environment = {**ENVIRONMENT, "FILES_SAMPLING_KEY": "sk-s3cret"}
    apply_document(parse_document(document), environment=environment)

    files = Upstream.objects.get(name="files")
    assert secrets_of(files).sampling_key == "sk-s3cret"
    assert "sk-s3cret" not in str(files.questions)
    exported = export_document()
    assert exported["upstreams"][0]["questions"] == ASKS
    assert "sk-s3cret" not in str(exported)
    environment["FILES_AUTHORIZATION"] = environment["FILES_TOKEN"]
    assert apply_document(parse_document(exported), environment=environment).changes == ()


@pytest.mark.parametrize(
    ("questions", "why"),
    [
        ({"sampling": "everybody"}, "upstreams[0].questions.sampling"),
        ({"sampling": "endpoint"}, "upstreams[0].questions: questions.endpoint must name"),
        ({"roots": "fixed", "fixed_roots": [{"uri": "http://x"}]}, "fixed_roots takes"),
        ({"endpoint": {"url": "https://x/v1", "models": []}}, "endpoint.models"),
    ],
)
def test_questions_that_cannot_be_configured_are_refused_by_their_place(
    apply: Apply, questions: dict[str, Any], why: str
):
    document = whole()
    document["upstreams"][0]["questions"] = questions
    with pytest.raises(BadDocument) as caught:
        apply(document)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("url", "private", "warned"),
    [
        ("http://127.0.0.1:9000/mcp", False, True),
        ("http://localhost:9000/mcp", False, True),
        ("http://[::1]:9000/mcp", False, True),
        ("http://10.1.2.3/mcp", True, False),
        ("http://169.254.169.254/mcp", True, True),
        ("https://tools.example.org/mcp", False, False),
    ],
)
def test_an_address_to_which_nothing_will_be_sent_is_warned_of(
    apply: Apply, url: str, private: bool, warned: bool
):
    document = whole()
    document["upstreams"][0] |= {"url": url, "allow_private_addresses": private}

    found = [line for line in apply(document).warnings if "files cannot be reached" in line]

    assert bool(found) is warned, found


def test_what_is_no_address_is_refused_by_its_place(apply: Apply):
    document = whole()
    document["upstreams"][0]["url"] = "http://[tools.example.org/mcp"

    with pytest.raises(BadDocument, match=r"^upstreams\[0\]\.url"):
        apply(document)
