"""Canonical bytes and the digests made of them, against an independent implementation."""

import dataclasses
import json
import math
import struct
from enum import StrEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.canonical import (
    MAX_DEPTH,
    NotCanonical,
    TicketBinding,
    canonical_bytes,
    digest,
    digest_of_bytes,
    number_text,
    ticket_digest,
)

SAFE = 2**53 - 1
text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_canonical_bytes_are_those_of_an_independent_implementation(value):
    assert canonical_bytes(value) == rfc8785.dumps(value)


@given(values)
def test_reading_canonical_bytes_and_writing_them_again_changes_nothing(value):
    first = canonical_bytes(value)
    again = json.loads(
        first, parse_int=lambda token: int(token) if abs(int(token)) <= SAFE else float(token)
    )
    assert canonical_bytes(again) == first


@given(st.binary(min_size=8, max_size=8))
def test_every_finite_double_is_spelled_as_ecmascript_spells_it(raw):
    (number,) = struct.unpack(">d", raw)
    if math.isfinite(number):
        assert number_text(number).encode() == rfc8785.dumps(number)


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (1e-27, "1e-27"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
    ],
)
def test_the_examples_of_the_specification_are_spelled_as_it_says(number, spelled):
    assert number_text(number) == spelled


def test_keys_are_ordered_by_utf16_code_units_not_by_code_points():
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    assert list(json.loads(canonical_bytes(value)).values()) == [2, 4, 6, 7, 1, 5, 3]


class Colour(StrEnum):
    RED = "red"


def test_string_subclasses_are_written_as_the_strings_they_are():
    assert canonical_bytes({Colour.RED: Colour.RED}) == b'{"red":"red"}'


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"a": [1, math.nan]}, "/a/1"),
        ({"a/b": {"~": math.inf}}, "/a~1b/~0"),
        ([2**53], "/0"),
        ([-(2**53)], "/0"),
        ({"a": "\ud800"}, "/a"),
        ([{"x\udfff": 1}], "/0/x\udfff"),
        ({1: 2}, ""),
        ([b"bytes"], "/0"),
        ([(1, 2)], "/0"),
        ({"a": {1, 2}}, "/a"),
        pytest.param(object(), "", id="object"),
    ],
    ids=str,
)
def test_a_value_without_a_canonical_form_is_refused_where_it_stands(value, pointer):
    with pytest.raises(NotCanonical) as refused:
        canonical_bytes(value)
    assert refused.value.pointer == pointer


def test_nesting_is_allowed_to_the_limit_and_refused_beyond_it():
    value = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert canonical_bytes(value) == b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    with pytest.raises(NotCanonical, match="deeper"):
        canonical_bytes([value])


def test_endless_nesting_is_refused_without_recursing_into_it():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotCanonical, match="deeper"):
        canonical_bytes(value)
    while value:  # taken apart by hand: freeing it at once recurses in C
        value = value.pop()


# -- digests --------------------------------------------------------------------------------


@given(values, values)
def test_digests_are_equal_exactly_when_canonical_bytes_are(one, other):
    same = canonical_bytes(one) == canonical_bytes(other)
    assert (digest("test", one) == digest("test", other)) is same


def test_a_digest_of_another_domain_is_another_digest():
    assert digest("ticket", {}) != digest("audit", {})
    assert len(digest("ticket", {})) == 32
    assert digest_of_bytes("ticke", b"t{}") != digest_of_bytes("ticket", b"{}")


@pytest.mark.parametrize("domain", ["", "Ticket", "a\0b", "a b", "x" * 65, "ticket\n"])
def test_a_domain_that_could_blur_the_border_is_refused(domain):
    with pytest.raises(ValueError, match="digest domain"):
        digest_of_bytes(domain, b"")


json_objects = st.dictionaries(text, scalars, max_size=3)
bindings = st.builds(
    TicketBinding,
    format=st.integers(1, 9),
    ticket_id=text,
    revision=st.integers(1, 1000),
    nonce=st.binary(max_size=32),
    agent=text,
    person=text,
    upstream=text,
    upstream_config_digest=st.binary(max_size=32),
    tool=text,
    tool_digest=st.binary(max_size=32),
    arguments=st.binary(max_size=64),
    salt=st.binary(max_size=32),
    obligations=json_objects,
)


@given(bindings, bindings)
def test_changing_any_single_field_of_a_binding_changes_the_digest(binding, other):
    before = ticket_digest(binding)
    for field in dataclasses.fields(TicketBinding):
        value = getattr(other, field.name)
        changed = dataclasses.replace(binding, **{field.name: value})
        if field.name == "obligations":
            same = canonical_bytes(value) == canonical_bytes(binding.obligations)
        else:
            same = value == getattr(binding, field.name)
        assert (ticket_digest(changed) == before) is same, field.name


@given(bindings)
def test_moving_a_value_to_the_next_field_changes_the_digest(binding):
    if binding.agent != binding.person:
        swapped = dataclasses.replace(binding, agent=binding.person, person=binding.agent)
        assert ticket_digest(swapped) != ticket_digest(binding)


def test_the_digest_is_over_the_exact_bytes_not_over_what_they_mean():
    binding = TicketBinding(
        ticket_id="t",
        revision=1,
        nonce=b"n",
        agent="a",
        person="p",
        upstream="u",
        upstream_config_digest=b"c",
        tool="t",
        tool_digest=b"d",
        arguments=b'{"a":1}',
        salt=b"s",
        obligations={},
    )
    spaced = dataclasses.replace(binding, arguments=b'{"a": 1}')
    assert ticket_digest(spaced) != ticket_digest(binding)
    assert len(ticket_digest(binding)) == 32
