"""A call in one line, its arguments in order, and what changed since the last one."""

from datetime import UTC, datetime, timedelta

import pytest

from approvals.domain.canonical import canonical_bytes
from approvals.domain.target import target_of
from approvals.presenters.arguments import argument_table, present_arguments
from approvals.presenters.calls import call_of, gist_of
from approvals.presenters.difference import changes_between
from approvals.presenters.words import is_soon, span, until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=3, minutes=17), "3 h 17 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=30, hours=4), "30 d 4 h"),
    ],
)
def test_a_span_is_rounded_down_to_two_units(length: timedelta, words: str):
    assert span(length) == words


def test_a_deadline_that_is_over_says_so():
    assert until(NOW, NOW) == "time is up"
    assert until(NOW + timedelta(minutes=2), NOW) == "in 2 min"
    assert is_soon(NOW + timedelta(minutes=20), NOW)
    assert not is_soon(NOW + timedelta(minutes=21), NOW)


def table(**arguments: object):
    return argument_table(canonical_bytes(arguments), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ({"repo_path": "/srv/shop", "branch_name": "main"}, "main"),
        ({"path": "/tmp/a", "content": "hello there, this is prose"}, "/tmp/a"),
        ({"to": "ann@example.test", "subject": "hello you"}, "ann@example.test"),
        ({"amount": 3, "currency": "EUR"}, ""),
        ({"path": "x" * 200}, ""),
        ({}, ""),
    ],
)
def test_the_target_is_the_value_whose_name_says_so(arguments: dict[str, object], target: str):
    assert target_of(table(**arguments)) == target


def test_a_target_shows_what_could_mislead():
    arguments = table(path="a\u202egnp.exe")
    assert target_of(arguments) == "a[U+202E]gnp.exe"

    heading = call_of(agent="robo", upstream="files", tool="open", table=arguments).target
    assert heading is not None
    assert [part.text for part in heading.segments if part.is_chip] == ["[U+202E]"]


def test_a_label_that_was_typed_is_no_chip_in_the_heading():
    arguments = table(path="a[U+202E]gnp.exe")
    heading = call_of(agent="robo", upstream="files", tool="open", table=arguments).target
    assert heading is not None
    assert not any(part.is_chip for part in heading.segments)


def test_a_gist_names_short_values_first_and_counts_the_rest():
    arguments = table(body="x" * 500, path="/a", force=True, note="", depth=3)

    assert gist_of(arguments) == "depth: 3, force: true, note: empty, and 2 more"
    assert gist_of(table(path="/a"), without="/a") == ""
    assert gist_of(table()) == "no arguments"
    assert gist_of(None) == "arguments purged"


def test_arguments_stand_in_the_order_of_the_tools_schema():
    canonical = canonical_bytes({"a": "long " * 100, "b": 1, "c": {"e": 1, "d": 2}, "z": 3})
    schema = {
        "properties": {"z": {}, "c": {"properties": {"e": {}, "d": {}}}, "a": {}, "gone": {}},
    }

    pointers = [row.pointer for row in argument_table(canonical, schema).rows]

    assert pointers == ["/z", "/c/e", "/c/d", "/a", "/b"]


@pytest.mark.parametrize(
    "schema", [None, 3, "x", {"required": "all"}, {"required": {"a": 1}}, {"required": [["a"]]}]
)
def test_a_schema_that_is_none_changes_no_order(schema: object):
    canonical = canonical_bytes({"b": 1, "a": 2})

    assert [row.pointer for row in argument_table(canonical, schema).rows] == ["/a", "/b"]


def test_an_argument_that_the_schema_does_not_know_is_marked():
    schema = {"properties": {"path": {}}}

    shown = present_arguments(canonical_bytes({"path": "/a", "extra": 1}), schema, ())

    assert {row.pointer: row.undescribed for row in shown.rows} == {"/path": False, "/extra": True}
    silent = present_arguments(canonical_bytes({"extra": 1}), {"type": "object"}, ())
    assert not silent.rows[0].undescribed


def test_opening_a_row_keeps_every_rows_place():
    canonical = canonical_bytes({"a": "line\n" * 500, "b": "line\n" * 500, "c": 1})
    shut = present_arguments(canonical, None, ())
    opened = present_arguments(canonical, None, [shut.cut_rows[0].pointer])

    assert [row.pointer for row in shut.rows] == [row.pointer for row in opened.rows]
    assert len(shut.cut_rows) == 2
    assert [row.pointer for row in opened.cut_rows] == [shut.cut_rows[1].pointer]
    assert [row.index for row in opened.open_rows] == [shut.cut_rows[0].index]
    assert opened == present_arguments(canonical, None, [shut.cut_rows[0].index])


def test_purged_arguments_have_no_rows():
    assert present_arguments(None, None, ()).purged


def difference(old: object, new: object):
    return changes_between(
        canonical_bytes(old),  # type: ignore[arg-type]
        canonical_bytes(new),  # type: ignore[arg-type]
    )


def test_a_difference_names_what_came_went_and_changed():
    view = difference({"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": 4, "new": 5})

    rows = {
        row.path.shown: (row.old and row.old.shown, row.new and row.new.shown) for row in view.rows
    }
    assert rows == {"/b": ("2", "4"), "/gone": ("3", None), "/new": (None, "5")}
    assert view.words == "1 other value unchanged."


def test_the_same_arguments_differ_in_nothing():
    assert "byte for byte" in difference({"a": 1}, {"a": 1}).words


def test_long_values_show_the_place_where_they_part():
    view = difference({"a": "same " * 400 + "old end"}, {"a": "same " * 400 + "new end"})

    (row,) = view.rows
    assert row.new is not None
    assert "new end" in row.new.shown
    assert "2,007 bytes" in row.new.shown
