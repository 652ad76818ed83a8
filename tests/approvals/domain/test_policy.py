"""Reading a policy and judging one call by it."""

import copy
import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.errors import PolicyInvalid
from approvals.domain.obligations import DEFAULT_OBLIGATIONS, Obligations
from approvals.domain.policy import (
    MAX_PATTERN,
    MAX_RULES,
    CallFacts,
    PolicyDocument,
    glob_matches,
    judge,
    parse_policy,
)
from approvals.domain.verdicts import Effect, policy_failed, verdict_from

DOCUMENT = {
    "defaults": {"approval_seconds": 600},
    "rules": [
        {"name": "Reading the log", "upstream": "git", "tool": "git_log", "effect": "allow"},
        {"name": "No resets", "tool": "*reset*", "effect": "deny"},
        {
            "name": "Commits",
            "upstream": "git",
            "tool": "git_commit",
            "agent": "robo",
            "effect": "require_approval",
            "obligations": {"groups": ["release"], "quorum": 2, "four_eyes": True},
        },
    ],
}


def call(tool, upstream="git", agent="robo"):
    return CallFacts(upstream=upstream, tool=tool, agent=agent)


def test_the_first_matching_rule_decides():
    policy = parse_policy(
        {
            "rules": [
                {"name": "narrow", "tool": "a*", "effect": "deny"},
                {"name": "wide", "effect": "allow"},
            ]
        }
    )
    assert judge(policy, call("ab")).effect is Effect.DENY
    assert judge(policy, call("b")).effect is Effect.ALLOW


def test_no_match_asks_people_with_the_defaults():
    verdict = judge(parse_policy(DOCUMENT), call("git_commit", agent="stranger"))
    assert verdict.effect is Effect.REQUIRE_APPROVAL
    assert (verdict.rule, verdict.position, verdict.clauses) == (None, None, ())
    assert verdict.obligations == Obligations(approval_seconds=600)
    assert verdict.passed_over == ("Reading the log", "No resets", "Commits")
    assert "No rule matches" in verdict.explanation


def test_an_empty_policy_asks_people():
    assert judge(PolicyDocument(), call("x")).effect is Effect.REQUIRE_APPROVAL


def test_a_verdict_explains_itself_clause_by_clause():
    verdict = judge(parse_policy(DOCUMENT), call("git_commit"))
    assert (verdict.rule, verdict.position) == ("Commits", 3)
    assert [(c.asked, c.found, c.matched) for c in verdict.clauses] == [
        ("upstream is git", "git", True),
        ("tool is git_commit", "git_commit", True),
        ("agent is robo", "robo", True),
    ]
    assert verdict.passed_over == ("Reading the log", "No resets")
    assert verdict.explanation == "Rule 3, “Commits”, asks people about this call."


def test_a_clause_says_what_it_asks_of_names():
    verdict = judge(parse_policy(DOCUMENT), call("git_reset"))
    assert [c.asked for c in verdict.clauses] == [
        "any upstream",
        "tool matches *reset*",
        "any agent",
    ]


def test_a_rule_s_obligations_take_what_they_leave_out_from_the_defaults():
    obligations = parse_policy(DOCUMENT).rules[2].obligations
    assert obligations == Obligations(
        groups=("release",), quorum=2, four_eyes=True, approval_seconds=600
    )


def test_names_match_exactly_and_with_their_case():
    policy = parse_policy({"rules": [{"name": "r", "tool": "git_log", "effect": "allow"}]})
    for tool in ("Git_Log", "git_log ", " git_log", "git_log\n", "git_logs", "xgit_log"):
        assert judge(policy, call(tool)).effect is Effect.REQUIRE_APPROVAL


def test_a_failed_policy_asks_a_human_and_says_so():
    verdict = policy_failed("version 7 cannot be read")
    assert verdict.effect is Effect.REQUIRE_APPROVAL
    assert "version 7 cannot be read" in verdict.explanation


effects = st.sampled_from(["allow", "deny", "require_approval"])
patterns = st.text(st.sampled_from("ab*?"), min_size=1, max_size=6)
rules = st.builds(
    lambda effect, upstream, tool, agent: {
        "effect": effect,
        "upstream": upstream,
        "tool": tool,
        "agent": agent,
    },
    effects,
    patterns,
    patterns,
    patterns,
)
policies = st.lists(rules, max_size=6).map(
    lambda found: {"rules": [{**rule, "name": f"r{i}"} for i, rule in enumerate(found)]}
)
facts = st.builds(
    CallFacts, **dict.fromkeys(["upstream", "tool", "agent"], st.text("ab", max_size=4))
)


@given(policies, facts)
def test_a_verdict_is_that_of_the_first_rule_whose_globs_all_match(document, call_facts):
    verdict = judge(parse_policy(document), call_facts)
    for rule in document["rules"]:
        if all(
            fnmatch.fnmatchcase(getattr(call_facts, noun), rule[noun])
            for noun in ("upstream", "tool", "agent")
        ):
            assert (verdict.rule, verdict.effect) == (rule["name"], rule["effect"])
            break
    else:
        assert (verdict.rule, verdict.effect) == (None, "require_approval")


@given(policies, facts)
def test_policies_and_verdicts_survive_being_stored(document, call_facts):
    policy = parse_policy(document)
    assert parse_policy(policy.to_dict()) == policy
    verdict = judge(policy, call_facts)
    assert verdict_from(verdict.to_dict()) == verdict


@pytest.mark.parametrize(
    "broken",
    [
        {"rule": 5},
        {"position": "1"},
        {"position": True},
        {"clauses": {}},
        {"clauses": [1]},
        {"failure": None},
        {"effect": "permit"},
    ],
    ids=str,
)
def test_a_stored_verdict_that_was_tampered_with_is_refused(broken):
    stored = judge(parse_policy(DOCUMENT), call("git_commit")).to_dict()
    with pytest.raises((TypeError, ValueError)):
        verdict_from({**stored, **broken})


# -- globs ----------------------------------------------------------------------------------


@given(st.text("abA*?.", max_size=12), st.text("abA*?.\n", max_size=20))
def test_globs_match_what_fnmatch_matches(pattern, name):
    assert glob_matches(pattern, name) is fnmatch.fnmatchcase(name, pattern)


def test_a_glob_made_to_explode_takes_no_time():
    began = time.process_time()
    assert not glob_matches("a*" * (MAX_PATTERN // 2) + "b", "a" * 5000)
    assert time.process_time() - began < 2


# -- refusals -------------------------------------------------------------------------------


def with_rule(**changes):
    document = copy.deepcopy(DOCUMENT)
    document["rules"][2].update(changes)
    return document


def without(key):
    document = copy.deepcopy(DOCUMENT)
    del document["rules"][2][key]
    return document


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ([], "policy", "must be a mapping, not a list"),
        (None, "policy", "not nothing"),
        ({"rules": {}}, "rules", "must be a list"),
        ({"rulez": []}, "policy", "unknown key 'rulez'; known keys are defaults, rules"),
        ({1: []}, "policy", "keys are strings"),
        ({"rules": ["allow"]}, "rules[0]", "must be a mapping, not 'allow'"),
        (
            {"rules": [{"name": str(i), "effect": "allow"} for i in range(MAX_RULES + 1)]},
            "rules",
            "at most",
        ),
        (with_rule(when="args.force"), "rules[2]", "unknown key 'when'"),
        (with_rule(name=""), "rules[2].name", "1..100 characters"),
        (with_rule(name="Commits" * 30), "rules[2].name", "1..100 characters"),
        (with_rule(name="No resets"), "rules[2].name", "also the name of rules[1]"),
        (without("name"), "rules[2].name", "not nothing"),
        (without("effect"), "rules[2].effect", "one of allow, deny, require_approval"),
        (with_rule(effect="ALLOW"), "rules[2].effect", "not 'ALLOW'"),
        (with_rule(effect=["allow"]), "rules[2].effect", "not a list"),
        (with_rule(effect="allow"), "rules[2].obligations", "require_approval, not allow"),
        (with_rule(tool=""), "rules[2].tool", "glob of 1..200"),
        (with_rule(tool=7), "rules[2].tool", "glob of 1..200"),
        (with_rule(tool="x" * 201), "rules[2].tool", "glob of 1..200"),
        (with_rule(tool="git_[lc]*"), "rules[2].tool", "only * and ? are special"),
        (with_rule(obligations=3), "rules[2].obligations", "must be a mapping"),
        (with_rule(obligations={"quorun": 2}), "rules[2].obligations", "unknown key 'quorun'"),
        (with_rule(obligations={"quorum": 0}), "rules[2].obligations.quorum", "from 1 to 20"),
        (with_rule(obligations={"quorum": True}), "rules[2].obligations.quorum", "not True"),
        (with_rule(obligations={"quorum": 1.0}), "rules[2].obligations.quorum", "whole number"),
        (
            with_rule(obligations={"approval_seconds": 10**9}),
            "rules[2].obligations.approval_seconds",
            "whole number from",
        ),
        (
            with_rule(obligations={"execution_seconds": 0}),
            "rules[2].obligations.execution_seconds",
            "whole number from",
        ),
        (
            with_rule(obligations={"four_eyes": "no"}),
            "rules[2].obligations.four_eyes",
            "true or false, not 'no'",
        ),
        (with_rule(obligations={"groups": "release"}), "rules[2].obligations.groups", "a list"),
        (with_rule(obligations={"groups": [""]}), "rules[2].obligations.groups", "group name"),
        (with_rule(obligations={"groups": [None]}), "rules[2].obligations.groups", "group name"),
        (with_rule(obligations={"groups": ["a", "a"]}), "rules[2].obligations.groups", "twice"),
        (
            with_rule(obligations={"groups": [str(i) for i in range(21)]}),
            "rules[2].obligations.groups",
            "at most 20",
        ),
        ({"defaults": {"quorum": -1}}, "defaults.quorum", "from 1 to 20"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_with_the_place_and_what_would_be_right(
    document, path, words
):
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(document)
    assert refused.value.details["path"] == path
    assert path in str(refused.value)
    assert words in str(refused.value)


def test_the_default_obligations_are_those_the_contract_names():
    assert (
        Obligations(
            groups=(),
            quorum=1,
            four_eyes=False,
            reason_required=False,
            approval_seconds=3600,
            execution_seconds=300,
        )
        == DEFAULT_OBLIGATIONS
    )
