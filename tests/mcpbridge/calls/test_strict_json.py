"""Strict JSON: one reading for every reader, or a named refusal."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.calls.strict_json import (
    BadJson,
    ByteOrderMark,
    DuplicateKey,
    Empty,
    InvalidUtf8,
    LoneSurrogate,
    Malformed,
    NotANumber,
    NumberOutOfRange,
    TooDeep,
    TooLarge,
    TrailingData,
    parse,
    pointer,
)

SAFE = 2**53 - 1
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(-1e15, 1e15) | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_ordinary_json_is_read_as_it_was_meant(value, ascii_only, indent):
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse(raw) == value
    assert parse(memoryview(raw)) == value
    assert parse(bytearray(raw)) == value


@pytest.mark.parametrize(
    ("raw", "refusal", "position"),
    [
        (b"", Empty, None),
        (b" \n\t ", Empty, None),
        (b"\xef\xbb\xbf{}", ByteOrderMark, 0),
        (b"\xff\xfe{\0}\0", ByteOrderMark, 0),
        (b"\xfe\xff\0{\0}", ByteOrderMark, 0),
        (b'"\xff"', InvalidUtf8, 1),
        (b'"ab\xc3"', InvalidUtf8, 3),
        (b'"\xc0\xaf"', InvalidUtf8, 1),
        (b'"\xed\xa0\x80"', InvalidUtf8, 1),
        (b'"\xf4\x90\x80\x80"', InvalidUtf8, 1),
        (b"{", Malformed, 1),
        (b"{'a': 1}", Malformed, 1),
        (b'{"a":1,}', Malformed, None),
        (b"[1,]", Malformed, None),
        (b"[01]", Malformed, None),
        (b"[+1]", Malformed, 1),
        (b"[.5]", Malformed, 1),
        (b"[1.]", Malformed, None),
        (b"[0x10]", Malformed, None),
        (b"[1e]", Malformed, None),
        (b"[-]", Malformed, 1),
        (b'["a\nb"]', Malformed, None),
        (b'["\\x41"]', Malformed, None),
        (b'["\\u12"]', Malformed, None),
        (b"[\xc2\xa01]", Malformed, 1),
        ("[\u0661]".encode(), Malformed, 1),
        (b"// c\n1", Malformed, 0),
        (b"nul", Malformed, 0),
        (b"\0", Malformed, 0),
        (b"{} {}", TrailingData, 3),
        (b"1 2", TrailingData, 2),
        (b"{}\0", TrailingData, 2),
        (b"NaN", NotANumber, None),
        (b"[NaN]", NotANumber, None),
        (b"[Infinity]", NotANumber, None),
        (b"[-Infinity]", NotANumber, None),
        (b"[1e999]", NumberOutOfRange, None),
        (b"[-1e999]", NumberOutOfRange, None),
        (b"[9007199254740992]", NumberOutOfRange, None),
        (b"[-9007199254740992]", NumberOutOfRange, None),
        (b"[9007199254740992.0]", NumberOutOfRange, None),
        (b"[1e20]", NumberOutOfRange, None),
        (b"[100000000000000000000000]", NumberOutOfRange, None),
        (b"[" + b"9" * 5000 + b"]", NumberOutOfRange, None),
        (b'{"a":1,"a":1}', DuplicateKey, None),
        (b'{"a":1,"\\u0061":2}', DuplicateKey, None),
        (b'{"x":{"\\u00e9":1,"\xc3\xa9":2}}', DuplicateKey, None),
        (b'["\\ud800"]', LoneSurrogate, None),
        (b'["\\uDC00\\uD800"]', LoneSurrogate, None),
        (b'["\\ud83dx"]', LoneSurrogate, None),
        (b'{"\\udfff":1}', LoneSurrogate, None),
        (b"[" * 65 + b"]" * 65, TooDeep, 64),
        (b'{"a":' * 65 + b"1" + b"}" * 65, TooDeep, None),
        (b"[" * 10_000 + b"]" * 10_000, TooDeep, 64),
        (b"[" * 1_000_000, TooDeep, 64),
        (b'[{"a":' * 100_000, TooDeep, None),
    ],
    ids=lambda raw: repr(raw[:24]) if isinstance(raw, bytes) else str(raw),
)
def test_what_readers_disagree_about_is_refused_by_name(raw, refusal, position):
    with pytest.raises(BadJson) as refused:
        parse(raw)
    assert type(refused.value) is refusal
    assert refused.value.code
    if position is not None:
        assert refused.value.position == position


def test_every_refusal_has_a_code_of_its_own():
    codes = [refusal.code for refusal in BadJson.__subclasses__()]
    assert len(set(codes)) == len(codes) == 11
    assert BadJson.code not in codes


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"9007199254740991", SAFE),
        (b"-9007199254740991", -SAFE),
        (b"-0", 0),
        (b"1e21", 1e21),
        (b"-1.5e300", -1.5e300),
        (b"1e-999", 0.0),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
        (b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
        (b'"\\u0000"', "\0"),
        (b" \r\n[ ]\t", []),
        (b"[" * 64 + b"]" * 64, None),
        (b'"' + b"[{" * 100 + b'"', "[{" * 100),
        (b'["' + b'\\"[' * 100 + b'"]', ['"[' * 100]),
        (b'["\\\\",' + b'"[\\\\\\"[",' * 99 + b"1]", None),
        (b"[" + b"[],{}," * 100 + b"1]", None),
    ],
    ids=lambda raw: repr(raw[:24]) if isinstance(raw, bytes) else "",
)
def test_unusual_but_unambiguous_json_is_read(raw, value):
    found = parse(raw)
    if value is not None:
        assert found == value


@given(st.integers(0, 10), st.integers(0, 10), values)
def test_the_depth_limit_counts_levels_and_nothing_else(depth, limit, inner):
    raw = b"[" * depth + b'"[{[{\\"[{"' + b"]" * depth
    padded = b'{"k":' + raw + b',"pad":' + json.dumps(["[" * 80]).encode() + b"}"
    needed = max(depth, 1) + 1
    if needed <= limit:
        parse(padded, max_depth=limit)
    else:
        with pytest.raises(TooDeep):
            parse(padded, max_depth=limit)


def test_more_bytes_than_allowed_are_refused_before_they_are_looked_at():
    assert parse(b'"aa"', max_bytes=4) == "aa"
    with pytest.raises(TooLarge, match="5 bytes; at most 4"):
        parse(b"\xff" * 5, max_bytes=4)


def test_a_refusal_names_the_key_and_never_repeats_a_broken_string():
    with pytest.raises(DuplicateKey, match="stands twice") as duplicate:
        parse(b'{"force":false,"force":true}')
    assert duplicate.value.where == "force"
    with pytest.raises(LoneSurrogate) as lone:
        parse(b'{"a/b":[0,{"\\ud800":1}]}')
    assert lone.value.where == "/a~1b/1/\\ud800"
    str(lone.value).encode("utf-8")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_python_reads_them_or_refused(raw):
    try:
        value = parse(raw)
    except BadJson as refused:
        str(refused).encode("utf-8")
        return
    assert value == json.loads(raw)


@given(st.text(st.sampled_from('[]{}",:\\ ud80019eE+-.naN'), max_size=40))
def test_any_text_of_json_s_own_characters_is_read_or_refused(found):
    try:
        value = parse(found.encode())
    except BadJson:
        return
    assert value == json.loads(found)


@pytest.mark.parametrize(
    "raw",
    [
        b'"' + b'\\"' * 1_500_000,
        b"[" + b'"\\"' * 1_000_000,
        b"[" * 65 + b'"' * 3_000_000,
        b"[" + b"[]," * 1_000_000 + b"[]]",
        b"[" + b'"[",' * 700_000 + b"1]",
        b"{" * 60 + b"\\" * 3_000_000,
        b"[" * 65 + b'"' + b"]" * 65 + b'\\"' * 1_500_000 + b'"',
        b'["' + b"[" * 65 + b'\\"' * 1_500_000,
    ],
    ids=[
        "escapes",
        "strings",
        "quotes",
        "siblings",
        "brackets in strings",
        "backslashes",
        "a string at the end",
        "a string without end",
    ],
)
def test_megabytes_made_to_be_slow_are_answered_in_a_moment(raw):
    began = time.process_time()
    with contextlib.suppress(BadJson):
        parse(raw)
    assert time.process_time() - began < 5


def test_a_pointer_escapes_its_tokens():
    assert pointer("a/b", "~", 0) == "/a~1b/~0/0"
    assert pointer() == ""
