"""The shape of a configuration: what is misspelt, foreign or said twice is refused by its place."""

import datetime as dt
from typing import Any

import pytest

from mcpbridge.configuration import BadDocument, parse_document, read_yaml


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ([], "document: "),
        ({"user": []}, "user: no such key"),
        ({"users": [{"email": "nobody"}]}, r"users\[0\]\.email: "),
        ({"users": [{"email": "a" * 250 + "@b.test"}]}, r"users\[0\]\.email: "),
        ({"users": [{"email": "a@b.test", "password": "x"}]}, r"users\[0\]\.password: no such key"),
        ({"users": [{"email": "a@b.test", "admin": "yes"}]}, r"users\[0\]\.admin: "),
        ({"users": [{"email": "a@b.test", "password_env": "1X"}]}, r"users\[0\]\.password_env"),
        ({"users": [{"email": "a@b.test", "name": "x" * 121}]}, r"users\[0\]\.name"),
        ({"groups": [{"name": "No Slug"}]}, r"groups\[0\]\.name: "),
        ({"teams": [{"name": "ops", "member": []}]}, r"teams\[0\]\.member: "),
        ({"upstreams": [{"name": "a", "transport": "ftp"}]}, r"upstreams\[0\]\.transport: "),
        (
            {"upstreams": [{"name": "a", "transport": "http", "timeouts": {"all": 1}}]},
            r"upstreams\[0\]\.timeouts",
        ),
        (
            {"upstreams": [{"name": "a", "transport": "stdio", "sandbox": {"files": "9"}}]},
            r"upstreams\[0\]\.sandbox\.files: ",
        ),
        (
            {"agents": [{"name": "a", "owner": "b", "team": "c", "token": "d"}]},
            "token: no such key",
        ),
        ({"agents": [{"name": "a"}]}, r"agents\[0\]\.owner: Field required"),
        ({"policy": []}, "policy: "),
    ],
)
def test_a_wrong_shape_is_refused_by_its_place(plain: Any, words: str):
    with pytest.raises(BadDocument, match=words):
        parse_document(plain)


def test_every_wrong_place_is_named_at_once():
    with pytest.raises(BadDocument) as refused:
        parse_document({"users": [{"email": "nobody"}], "groups": [{"name": "No Slug"}]})
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("section", "row"),
    [
        ("users", {"email": "a@b.test"}),
        ("groups", {"name": "a"}),
        ("teams", {"name": "a"}),
        ("upstreams", {"name": "a", "transport": "http"}),
        ("tools", {"upstream": "a", "name": "b", "definition": {}}),
        ("agents", {"name": "a", "owner": "b", "team": "c"}),
    ],
)
def test_nothing_is_named_twice(section: str, row: dict[str, Any]):
    with pytest.raises(BadDocument, match=rf"{section}\[1\]: .* is named twice"):
        parse_document({section: [row, dict(row)]})


def test_an_address_in_other_letters_is_the_same_address():
    with pytest.raises(BadDocument, match="named twice"):
        parse_document({"users": [{"email": "a@b.test"}, {"email": "A@B.test"}]})


@pytest.mark.parametrize("more", [{"name": "Bob"}, {"admin": True}, {"auditor": True}])
def test_roles_belong_to_the_person_and_not_to_a_second_account(more: dict[str, Any]):
    with pytest.raises(BadDocument, match=r"users\[0\]: name and roles belong to bob@b.test"):
        parse_document({"users": [{"email": "a@b.test", "same_person_as": "bob@b.test", **more}]})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (dt.date(2026, 1, 2), r"policy\.rules\[0\]: a date is not possible here"),
        (float("nan"), r"policy\.rules\[0\]: nan"),
        ("a\0b", r"policy\.rules\[0\]: .*NUL"),
        ("\ud800", r"policy\.rules\[0\]: .*surrogate"),
        ({1: 2}, r"policy\.rules\[0\]: the key 1 must be a text"),
        (b"bytes", r"policy\.rules\[0\]: a bytes is not possible"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_place(value: Any, words: str):
    with pytest.raises(BadDocument, match=words):
        parse_document({"policy": {"rules": [value]}})


def test_an_empty_file_asks_for_nothing():
    assert parse_document(read_yaml("")) == parse_document({})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not YAML"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands here twice"),
        ("rules:\n  - {effect: deny, effect: allow}", "line 2: the key 'effect'"),
        ("a: !!python/object/apply:os.system [id]", "not YAML"),
        ("? [1]\n: 2", "cannot be read"),
        ("a: 2026-13-45", "cannot be read"),
        ("[" * 3000, "cannot be read|not YAML"),
    ],
)
def test_yaml_that_misleads_is_refused(text: str, words: str):
    with pytest.raises(BadDocument, match=words):
        read_yaml(text)


def test_yaml_anchors_and_merges_still_work():
    text = "base: &b {effect: allow, tool: x}\nrule:\n  <<: *b\n  tool: y\n"
    assert read_yaml(text) == {
        "base": {"effect": "allow", "tool": "x"},
        "rule": {"effect": "allow", "tool": "y"},
    }
