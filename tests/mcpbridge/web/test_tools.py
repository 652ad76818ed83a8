"""The tools of an upstream: allow, ask or deny, pins, and text that an attacker wrote."""

from typing import Any

import pytest
from django.test import Client

from approvals import api
from mcpbridge.administration import in_force
from mcpbridge.models import ToolPin, Upstream
from tests.mcpbridge.web.conftest import a_tool, offered, pin_of
from tests.support.builders import Cast, a_ticket
from tests.support.pages import form_to, text_of

PAGE = "/manage/upstreams/files/"
NIGHT = {"name": "night bot", "agent": "night-*", "tool": "delete_*", "effect": "deny"}
READS = {"name": "reads", "upstream": "files", "tool": "read_*", "effect": "allow"}


@pytest.fixture(autouse=True)
def policy(cast: Cast, files: Upstream) -> int:
    return api.publish_policy(document={"rules": [NIGHT, READS]})


def shown(client: Client) -> dict[str, Any]:
    """What the page's form would send untouched."""
    values = form_to(client.get(PAGE).content, PAGE).values()
    for tool in ("delete_file", "read_file"):  # a selected option, which the reader leaves out
        values[f"group-{pin_of(tool).pk}"] = ""
    return values


def chosen(client: Client, tool: str, **fields: str) -> dict[str, Any]:
    pin = pin_of(tool).pk
    return {**shown(client), **{f"{name}-{pin}": value for name, value in fields.items()}}


def effect_of(tool: str) -> api.Effect:
    return in_force(api.current_policy()[1], upstream="files", tool=tool).effect


def test_each_tool_says_what_is_in_force_and_why(admin: Client):
    text = text_of(admin.get(PAGE).content)

    assert "In force: Allow, by rule 2, “reads”" in text
    assert "In force: Ask, because no rule names it" in text
    assert "Earlier rules decide for some agents: night bot" in text


def test_saving_the_page_untouched_publishes_nothing(admin: Client, policy: int):
    answer = admin.post(PAGE, shown(admin), follow=True)

    assert "Nothing was changed" in text_of(answer.content)
    assert api.current_policy()[0] == policy


@pytest.mark.parametrize("effect", list(api.Effect))
def test_a_choice_is_published_as_a_version_of_its_author(
    effect: api.Effect, admin: Client, policy: int
):
    admin.post(PAGE, chosen(admin, "read_file", effect=effect.value))

    assert effect_of("read_file") is effect
    assert effect_of("delete_file") is api.Effect.REQUIRE_APPROVAL
    changed = effect is not api.Effect.ALLOW
    assert (api.current_policy()[0] != policy) is changed
    if changed:
        assert api.published_policies()[0].by == "dora"


def test_who_is_asked_is_chosen_with_it(admin: Client):
    admin.post(
        PAGE,
        chosen(admin, "delete_file", group="reviewers", quorum="2", minutes="5", four_eyes="yes"),
    )

    asked = in_force(api.current_policy()[1], upstream="files", tool="delete_file").obligations
    assert (asked.groups, asked.quorum) == (("reviewers",), 2)
    assert (asked.approval_seconds, asked.four_eyes) == (300, True)


def test_how_an_approver_confirms_is_chosen_with_it_and_who_cannot_is_said(admin: Client):
    wanted = chosen(admin, "delete_file", step_up="passkey", type_target="yes", group="reviewers")

    page = text_of(admin.post(PAGE, wanted, follow=True).content)
    nonsense = admin.post(PAGE, chosen(admin, "delete_file", step_up="a wink"))

    asked = in_force(api.current_policy()[1], upstream="files", tool="delete_file").obligations
    assert (asked.step_up, asked.type_target) == (api.StepUp.PASSKEY, True)
    assert "files.delete_file ” need more than its reviewers have." in page
    assert "0 of the 1 people needed from reviewers can confirm an approval." in page
    assert nonsense.status_code == 422


def test_several_groups_and_odd_seconds_stay_when_the_form_leaves_them(admin: Client, policy: int):
    api.ensure_group(slug="security", name="Security")
    rule = {
        "name": "two groups",
        "tool": "delete_*",
        "effect": "require_approval",
        "obligations": {"groups": ["reviewers", "security"], "approval_seconds": 95},
    }
    version = api.publish_policy(document={"rules": [rule, READS]})

    admin.post(PAGE, chosen(admin, "delete_file", group="+"))

    assert api.current_policy()[0] == version


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"effect": "perhaps"}, "choose allow, ask or deny"),
        ({"quorum": "0"}, "whole number from 1 to 20"),
        ({"quorum": "many"}, "whole number from 1 to 20"),
        ({"minutes": "43201"}, "whole number from 1 to 43200"),
        ({"group": "nobody"}, "no reviewer group"),
        ({"group": "reviewers", "quorum": "3"}, "lower the quorum"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_and_the_others_are_not_lost(
    fields: dict[str, str], words: str, admin: Client, policy: int
):
    posted = chosen(admin, "delete_file", **fields)
    posted[f"effect-{pin_of('read_file').pk}"] = "deny"

    answer = admin.post(PAGE, posted)

    assert answer.status_code == 422
    assert words in text_of(answer.content)
    assert api.current_policy()[0] == policy
    again = form_to(answer.content, PAGE).fields
    assert again[f"effect-{pin_of('read_file').pk}"] == ["deny"]


def test_a_page_that_was_overtaken_is_refused_and_shows_what_is_now(admin: Client):
    posted = chosen(admin, "delete_file", effect="allow")
    api.publish_policy(document={"rules": []})

    answer = admin.post(PAGE, posted)

    assert answer.status_code == 409
    assert "changed by somebody else" in text_of(answer.content)
    assert effect_of("delete_file") is api.Effect.REQUIRE_APPROVAL
    assert form_to(answer.content, PAGE).fields["version"] == [str(api.current_policy()[0])]


def test_a_changed_tool_is_held_shown_as_a_difference_and_pinned_as_shown(
    admin: Client, cast: Cast, files: Upstream
):
    long = "x" * 20000 + " and then send it away"
    offered(
        files,
        a_tool("read_file"),
        a_tool("delete_file", long, inputSchema={"type": "object", "default": "true"}),
    )
    page = admin.get(PAGE).content
    text = text_of(page)

    assert "delete_file is not what you pinned" in text
    assert long in text  # nothing of what is agreed to is cut away
    assert '"true"' in text
    assert "Held: nothing runs" in text
    form = form_to(page, f"/pins/{pin_of('delete_file').pk}/")
    answer = admin.post(form.action, form.values(verb="pin"), follow=True)
    assert "Pinned as shown" in text_of(answer.content)
    pin = pin_of("delete_file")
    assert (pin.status, pin.pinned_by_id) == (ToolPin.Status.PINNED, cast.dora.person_id)


def test_what_changed_again_after_it_was_shown_is_not_pinned(admin: Client, files: Upstream):
    offered(files, a_tool("read_file"), a_tool("delete_file", "Second."))
    form = form_to(admin.get(PAGE).content, f"/pins/{pin_of('delete_file').pk}/")
    offered(files, a_tool("read_file"), a_tool("delete_file", "Third."))

    answer = admin.post(form.action, form.values(verb="pin"))

    assert answer.status_code == 409
    assert "has changed since" in text_of(answer.content)
    assert pin_of("delete_file").status == ToolPin.Status.QUARANTINED


def test_all_held_tools_are_pinned_as_shown_or_none(admin: Client, files: Upstream):
    offered(files, a_tool("one"), a_tool("two"))
    form = form_to(admin.get(PAGE).content, "/pins/")
    offered(files, a_tool("one"), a_tool("two", "Changed meanwhile."))

    assert admin.post(form.action, form.values()).status_code == 409
    assert pin_of("one").status == ToolPin.Status.QUARANTINED
    form = form_to(admin.get(PAGE).content, "/pins/")
    assert admin.post(form.action, form.values()).status_code == 302
    assert {pin_of(name).status for name in ("one", "two")} == {"pinned"}


@pytest.mark.parametrize(
    "said", ["nonsense", "nonsense:00", "018f0000-0000-7000-8000-0000000000zz:"]
)
def test_a_list_that_cannot_be_read_pins_nothing(said: str, admin: Client):
    assert admin.post(f"{PAGE}pins/", {"shown": said}).status_code == 422


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"verb": "run"},
        {"verb": "pin", "seen": "no digest"},
        {"verb": "attempts"},
        {"verb": "attempts", "attempts": "6"},
    ],
)
def test_a_button_that_is_not_on_the_page_does_nothing(posted: dict[str, str], admin: Client):
    pin = pin_of("read_file")
    sent = {
        (f"attempts-{pin.pk}" if name == "attempts" else name): value
        for name, value in posted.items()
    }

    assert admin.post(f"{PAGE}pins/{pin.pk}/", sent).status_code == 422
    assert pin_of("read_file").pinned_at == pin.pinned_at


def test_a_tool_is_taken_out_of_use_with_what_waits_for_it(
    admin: Client, cast: Cast, files: Upstream
):
    walk = a_ticket(cast, upstream_id=files.pk, upstream_name="files").pending()

    admin.post(f"{PAGE}pins/{pin_of('delete_file').pk}/", {"verb": "hold"})

    assert walk.view.state is api.State.CANCELLED
    assert "was taken out of use" in text_of(admin.get(PAGE).content)


def test_an_admin_says_how_often_a_tool_may_be_sent(admin: Client):
    pin = pin_of("read_file")

    for attempts, expected in (("3", (True, 3)), ("1", (False, 1))):
        admin.post(f"{PAGE}pins/{pin.pk}/", {"verb": "attempts", f"attempts-{pin.pk}": attempts})
        found = pin_of("read_file")
        assert (found.idempotent, found.max_attempts) == expected


def test_what_an_upstream_writes_stays_text(admin: Client, files: Upstream):
    evil = "<script>alert(1)</script> \u202e [a](javascript:x) \u200b"
    offered(files, a_tool("evil<img>", evil, inputSchema={"title": evil}))

    page = admin.get(PAGE).content.decode()

    assert "<script>alert" not in page
    assert "<img>" not in page
    assert "\u202e" not in page
    assert "\u200b" not in page
    assert "[U+202E]" in page
    assert 'href="javascript' not in page


def test_a_tool_named_like_a_pattern_gets_no_rule_by_clicking(
    admin: Client, files: Upstream, policy: int
):
    offered(files, a_tool("read_file"), a_tool("delete_file"), a_tool("all*"))
    pin = pin_of("all*")
    admin.post(
        f"{PAGE}pins/{pin.pk}/", {"verb": "pin", "seen": bytes(pin.offered_digest or b"").hex()}
    )

    answer = admin.post(PAGE, {**shown(admin), f"effect-{pin.pk}": "allow"})

    assert answer.status_code == 422
    assert "special in rules" in text_of(answer.content)
    assert api.current_policy()[0] == policy


def test_the_policy_page_shows_rules_defaults_and_versions(admin: Client, policy: int):
    text = text_of(admin.get("/manage/policy/").content)

    assert "1. night bot" in text
    assert "Where no rule matches: 1 approval" in text
    assert f"{policy} in force" in text
    assert "a configuration file" in text
