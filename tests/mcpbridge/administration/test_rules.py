"""Allow, ask or deny for one tool, without touching any other."""

from typing import Any

import pytest

from approvals import api
from mcpbridge.administration import (
    Choice,
    Moved,
    Refused,
    in_force,
    publish_choices,
    with_choices,
)
from mcpbridge.administration import rules as subject
from tests.support.builders import Cast

ALLOW, ASK, DENY = api.Effect.ALLOW, api.Effect.REQUIRE_APPROVAL, api.Effect.DENY
READS = {"name": "reads", "upstream": "files", "tool": "read_*", "effect": "allow"}
NIGHT = {"name": "night bot", "agent": "night-*", "tool": "delete_*", "effect": "deny"}
ALL = {"name": "all of it", "upstream": "files", "effect": "deny"}


def said(document: dict[str, Any], tool: str, *, upstream: str = "files", agent: str = "robo"):
    facts = api.CallFacts(upstream=upstream, tool=tool, agent=agent)
    return api.explain(document=document, facts=facts).effect


def names(document: dict[str, Any]) -> list[str]:
    return [rule["name"] for rule in document["rules"]]


def test_what_is_in_force_names_the_deciding_rule_and_who_differs():
    document = {"rules": [READS, NIGHT, ALL]}

    found = in_force(document, upstream="files", tool="delete_file")

    assert (found.effect, found.rule, found.position) == (DENY, "all of it", 3)
    assert found.exceptions == ("night bot",)
    assert in_force(document, upstream="files", tool="read_file").exceptions == ()


def test_without_a_rule_people_are_asked_with_the_defaults():
    found = in_force({"defaults": {"quorum": 2}}, upstream="files", tool="x")

    assert (found.effect, found.rule, found.position) == (ASK, None, None)
    assert found.obligations.quorum == 2


@pytest.mark.parametrize("effect", [ALLOW, ASK, DENY])
def test_a_choice_decides_for_its_tool_alone(effect: api.Effect):
    before = {"rules": [READS, NIGHT, ALL]}

    after = with_choices(before, upstream="files", choices={"delete_file": Choice(effect=effect)})

    assert names(after) == ["reads", "night bot", "files.delete_file", "all of it"]
    assert said(after, "delete_file") is effect
    for tool in ("delete_files", "delete_fil", "read_file", "write"):
        assert said(after, tool) is said(before, tool)
    for upstream in ("other", "filesystem"):
        assert said(after, "delete_file", upstream=upstream) is said(
            before, "delete_file", upstream=upstream
        )
    assert said(after, "delete_file", agent="night-1") is DENY
    assert before == {"rules": [READS, NIGHT, ALL]}


def test_a_second_choice_replaces_the_first_in_its_place():
    once = with_choices({"rules": [ALL]}, upstream="files", choices={"x": Choice(effect=ALLOW)})
    asked = api.Obligations(groups=("reviewers",), quorum=2)
    twice = with_choices(
        once, upstream="files", choices={"x": Choice(effect=ASK, obligations=asked)}
    )

    assert names(twice) == names(once) == ["files.x", "all of it"]
    assert in_force(twice, upstream="files", tool="x").obligations == asked


def test_a_tool_without_a_rule_gets_one_at_the_end_under_a_free_name():
    taken = {"name": "files.x", "upstream": "other", "effect": "deny"}

    after = with_choices({"rules": [taken]}, upstream="files", choices={"x": Choice(effect=ALLOW)})

    assert names(after) == ["files.x", "files.x (2)"]


def test_long_tool_names_make_rule_names_that_still_fit_and_differ():
    long = ["t" * 190 + end for end in "ab"]

    after = with_choices(
        {"rules": []}, upstream="files", choices={tool: Choice(effect=ALLOW) for tool in long}
    )

    assert [said(after, tool) for tool in long] == [ALLOW, ALLOW]


@pytest.mark.parametrize("tool", ["read_*", "read?", "a[b]"])
def test_a_tool_named_like_a_pattern_is_refused(tool: str):
    with pytest.raises(Refused, match="special in rules") as refused:
        with_choices({"rules": []}, upstream="files", choices={tool: Choice(effect=ALLOW)})
    assert refused.value.field == tool


@pytest.fixture
def published(db: None, cast: Cast) -> int:
    return api.publish_policy(document={"rules": [ALL]})


def choose(cast: Cast, made_against: int | None, **choice: Any) -> int:
    return publish_choices(
        upstream="files",
        choices={"x": Choice(**{"effect": ALLOW, **choice})},
        made_against=made_against,
        person_id=cast.dora.person_id,
    )


def test_choices_become_the_next_version_with_its_author(cast: Cast, published: int):
    version = choose(cast, published)

    newest = api.published_policies()[0]
    assert (newest.version, newest.by, newest.note) == (version, "dora", "tools of files")
    assert (newest.in_force, api.published_policies()[1].in_force) == (True, False)


def test_choices_made_against_an_older_version_are_refused(cast: Cast, published: int):
    choose(cast, published)

    with pytest.raises(Moved, match="nothing was saved"):
        choose(cast, published, effect=DENY)


def test_a_version_that_comes_between_reading_and_publishing_is_not_overwritten(
    cast: Cast, published: int, monkeypatch: pytest.MonkeyPatch
):
    seen = api.current_policy()
    choose(cast, published)
    monkeypatch.setattr(subject, "current_policy", lambda: seen)

    with pytest.raises(Moved, match="nothing was saved"):
        choose(cast, published, effect=DENY)
    assert in_force(api.current_policy()[1], upstream="files", tool="x").effect is ALLOW


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (api.Obligations(groups=("nobody",)), "no reviewer group"),
        (api.Obligations(groups=("reviewers",), quorum=3), "lower the quorum"),
        (api.Obligations(quorum=3), "lower the quorum"),
        (api.Obligations(quorum=21), "whole number from 1 to 20"),
    ],
)
def test_people_who_cannot_be_asked_are_refused(
    asked: api.Obligations, words: str, cast: Cast, published: int
):
    with pytest.raises(Refused, match=words):
        choose(cast, published, effect=ASK, obligations=asked)
    assert api.current_policy()[0] == published
