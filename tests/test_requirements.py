"""The manifest of promises and the tests agree, both ways."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements import REQUIREMENTS, SUBJECTS

TREE = Path(__file__).resolve().parent.parent


def functions_of(path: Path) -> set[str]:
    """The names of the tests in a file, by its text alone."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def marks_in(source: str) -> Iterator[str]:
    """Every promise that a file's tests name with the mark."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "requirement"
        ):
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))


def test_no_promise_is_made_twice():
    assert sum(map(len, SUBJECTS)) == len(REQUIREMENTS)


def test_all_thirteen_invariants_are_promised():
    assert {f"I{number}" for number in range(1, 14)} <= REQUIREMENTS.keys()


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_promise_has_tests_and_each_of_them_exists(name):
    requirement = REQUIREMENTS[name]
    assert requirement.text.endswith("."), f"{name} is not a sentence"
    assert requirement.tests, f"{name} has no test"
    for path, names in requirement.tests.items():
        file = TREE / "tests" / path
        assert file.is_file(), f"{name} names {path}, which does not exist"
        missing = set(names) - functions_of(file)
        assert not missing, f"{name} names {sorted(missing)}, which {path} does not have"
        assert names, f"{name} names no test of {path}"


@pytest.mark.parametrize(
    "path",
    sorted((TREE / "tests").rglob("test_*.py")),
    ids=lambda path: str(path.relative_to(TREE)),
)
def test_a_test_that_names_a_promise_names_one_that_exists(path):
    unknown = [name for name in marks_in(path.read_text("utf-8")) if name not in REQUIREMENTS]
    assert not unknown, f"{path.name} names {unknown}, which tests/requirements/ does not have"


def test_a_mark_that_names_nothing_would_be_found():
    assert list(marks_in('@pytest.mark.requirement("I99")\ndef test_x(): ...')) == ["I99"]
