"""The name an agent sees: valid, stable, and of exactly one tool."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.calls.naming import (
    AWAIT_TICKET,
    NameRefused,
    agent_tool_name,
    is_reserved,
)

VALID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
parts = (
    st.text(st.sampled_from("ab_-A1"), min_size=1, max_size=10)
    | st.text(st.sampled_from("ab_."), min_size=1, max_size=70)
    | st.sampled_from(["placet", "Placet", "placet_", "_placet", "placet!", "a__b", "b_", "_c"])
    | st.text(min_size=1, max_size=20)
)
pairs = st.tuples(parts.filter(lambda name: name.lower() != "placet"), parts)


def test_an_ordinary_name_is_upstream_and_tool():
    assert agent_tool_name("git", "git_commit") == "git__git_commit"
    assert agent_tool_name("my-git_2", "a__b") == "my-git_2__a__b"


@given(pairs)
def test_every_name_is_valid_and_never_the_gateway_s_own(pair):
    name = agent_tool_name(*pair)
    assert VALID.match(name)
    assert not is_reserved(name)
    assert agent_tool_name(*pair) == name


@given(st.lists(pairs, max_size=20))
def test_different_tools_have_different_names(found):
    assert len({agent_tool_name(*pair) for pair in found}) == len(set(found))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b__c"), ("a__b", "c")),
        (("a_", "b"), ("a", "_b")),
        (("a", "b.c"), ("a", "b_c")),
        (("a", "b c"), ("a", "b.c")),
        (("a", "x" * 70), ("a", "x" * 71)),
        (("x" * 70, "a"), ("x" * 71, "a")),
        (("é", "t"), ("è", "t")),
        (("a", "tool\n"), ("a", "tool")),
        (("ab!", "c!"), ("ab", "!c!")),
    ],
)
def test_pairs_that_could_be_read_alike_are_told_apart(one, other):
    assert agent_tool_name(*one) != agent_tool_name(*other)


def test_a_tool_cannot_take_the_hashed_name_of_another():
    hashed = agent_tool_name("git", "long tool")
    upstream, tool = hashed.split("__", 1)
    assert agent_tool_name(upstream, tool) != hashed


def test_a_long_name_keeps_what_can_be_read_of_it():
    name = agent_tool_name("files", "read_a_very_long_name_" * 5)
    assert name.startswith("files__read_a_very_long_name_")
    assert len(name) == 64


@pytest.mark.parametrize("pair", [("", "a"), ("a", ""), ("placet", "a"), ("PLACET", "a")])
def test_an_empty_part_and_the_gateway_s_own_name_are_refused(pair):
    with pytest.raises(NameRefused):
        agent_tool_name(*pair)


def test_the_gateway_s_own_tool_is_reserved_in_any_case():
    assert is_reserved(AWAIT_TICKET)
    assert is_reserved("Placet__anything")
    assert not is_reserved("placet_await_ticket")
