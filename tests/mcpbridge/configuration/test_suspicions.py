"""What looks like a secret in a command or a plain variable, and what does not."""

import pytest

from mcpbridge.configuration import places_of_secrets


def found(**upstream: object) -> list[str]:
    return places_of_secrets({"upstreams": [upstream]})


@pytest.mark.parametrize(
    "environment",
    [
        {"GITHUB_TOKEN": "x"},
        {"api-key": "x"},
        {"DB_PASSWORD": "x"},
        {"WHERE": "postgres://me:secret@db/x"},
        {"ANY": "ghp_" + "a" * 20},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_variable_is_named(environment: dict[str, str]):
    (name,) = environment
    assert found(environment=environment) == [f"upstreams[0].environment.{name}"]


@pytest.mark.parametrize(
    ("command", "places"),
    [
        (["serve", "--token=abc"], [1]),
        (["serve", "--password", "abc"], [2]),
        (["serve", "https://me:secret@git/x"], [1]),
        (["serve", "--keyboard", "de", "--monkey=1", "--tokens", "--all"], []),
        (["serve", "--url=https://host:8080/path", "--key-file", "--on"], []),
    ],
    ids=["joined", "apart", "address", "other words", "no value"],
)
def test_a_word_of_a_command_is_named(command: list[str], places: list[int]):
    assert found(command=command) == [f"upstreams[0].command[{place}]" for place in places]


def test_ordinary_variables_are_not_named():
    assert found(environment={"LANG": "C", "KEYBOARD": "de", "TOKEN": "", "AUTHOR": "me"}) == []
