"""Hostile and clumsy input as one table: what is sent, and what it gets.

A case is a message that would open a ticket if it were let through (`witness__write_note` is asked
for), with one thing wrong. Expected is the HTTP status with the JSON-RPC code, or with None where
the answer has no body to hold one. Revisions with sessions answer what the protocol itself refuses
inside an HTTP 200; what is refused at the edge is refused alike in both eras.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
TOOL = "witness__write_note"

type Expected = tuple[int, int | None]
type Body = Callable[[str], bytes]
type Change = tuple[str, str | None]

PARSE: Expected = (400, -32700)
INVALID: Expected = (400, -32600)
PARAMS: Expected = (400, -32602)
PARAMS_IN_200: Expected = (200, -32602)
MISMATCH: Expected = (400, -32020)
UNSUPPORTED: Expected = (400, -32022)
ACCEPTED: Expected = (202, None)


@dataclass(frozen=True)
class Case:
    """`headers` change the right ones: None takes one away, a second of a name is added."""

    what: str
    body: Body
    modern: Expected
    legacy: Expected | None  # None: it means nothing there
    headers: tuple[Change, ...] = ()
    again: bool = False  # `headers` are added to the right ones instead of replacing them


def call(
    era: str,
    *,
    arguments: str = '{"note":"x"}',
    ident: str = "7",
    name: str = f'"{TOOL}"',
    meta: str | None = None,
    more: str = "",
) -> str:
    """A call as text, so that any part of it may be no JSON at all; `more` ends its params."""
    envelope = (
        f'{{"io.modelcontextprotocol/protocolVersion":"{MODERN}",'
        '"io.modelcontextprotocol/clientCapabilities":{}}'
        if era == "modern"
        else "{}"
    )
    identified = f'"id":{ident},' if ident else ""
    return (
        f'{{"jsonrpc":"2.0",{identified}"method":"tools/call","params":{{"name":{name},'
        f'"arguments":{arguments},"_meta":{envelope if meta is None else meta}{more}}}}}'
    )


def _call(**parts: str) -> Body:
    return lambda era: call(era, **parts).encode()


def _with(old: str, new: str) -> Body:
    """A right call with a piece of its text exchanged."""

    def body(era: str) -> bytes:
        text = call(era)
        assert old in text
        return text.replace(old, new, 1).encode()

    return body


def _meta(field: str) -> Body:
    """A right call with one more field in its `_meta`."""

    def body(era: str) -> bytes:
        text, found, end = call(era).rpartition("}}}")
        assert found
        return f"{text}{',' if era == 'modern' else ''}{field}}}}}}}{end}".encode()

    return body


def _raw(raw: bytes) -> Body:
    return lambda _era: raw


def _encoded(encoding: str) -> Body:
    return lambda era: call(era).encode(encoding)


def _edge(what: str, body: Body, expected: Expected) -> Case:
    return Case(what, body, expected, expected)


def sentinel(text: str) -> str:
    """A header value in the form that carries any text."""
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


_DEEP = 10_000
_NOTE = '"arguments":{"note":"x"}'

# -- what is no JSON that every reader understands alike ------------------------------------------

TEXT = (
    _edge("NaN", _call(arguments='{"note":NaN}'), PARSE),
    _edge("Infinity", _call(arguments='{"note":Infinity}'), PARSE),
    _edge("-Infinity", _call(arguments='{"note":-Infinity}'), PARSE),
    _edge("1e999", _call(arguments='{"note":1e999}'), PARSE),
    _edge("2^53+1", _call(arguments='{"note":9007199254740993}'), PARSE),
    _edge("-(2^53+1)", _call(arguments='{"note":-9007199254740993}'), PARSE),
    _edge("2^53+1 with a fraction", _call(arguments='{"note":9007199254740993.0}'), PARSE),
    _edge("a whole number as 1e20", _call(arguments='{"note":1e20}'), PARSE),
    _edge("10,000 digits", _call(arguments='{"note":' + "9" * 10_000 + "}"), PARSE),
    _edge("a leading zero", _call(arguments='{"note":007}'), PARSE),
    _edge("a hexadecimal number", _call(arguments='{"note":0x7}'), PARSE),
    _edge("a key twice", _call(arguments='{"note":"a","note":"b"}'), PARSE),
    _edge("a key twice, once escaped", _call(arguments='{"note":1,"\\u006eote":2}'), PARSE),
    _edge("a key twice, deep down", _call(arguments='{"a":[{"b":1,"\\u0062":2}]}'), PARSE),
    _edge("the id twice", _with('"id":7', '"id":7,"id":8'), PARSE),
    _edge("the method twice, once escaped", _with('"id":7', '"m\\u0065thod":"ping","id":7'), PARSE),
    _edge("the arguments twice", _with(_NOTE, f'{_NOTE},"arguments":{{}}'), PARSE),
    _edge("a lone high surrogate", _call(arguments='{"note":"\\ud800"}'), PARSE),
    _edge("a lone low surrogate", _call(arguments='{"note":"\\udc00x"}'), PARSE),
    _edge("surrogates the wrong way round", _call(arguments='{"note":"\\udc00\\ud800"}'), PARSE),
    _edge("a lone surrogate in a key", _call(arguments='{"\\ud800":1}'), PARSE),
    _edge("a lone surrogate as the tool", _call(name='"\\ud800"'), PARSE),
    _edge("10,000 lists", _call(arguments='{"n":' + "[" * _DEEP + "]" * _DEEP + "}"), PARSE),
    _edge("10,000 objects", _call(arguments='{"n":' * _DEEP + "1" + "}" * _DEEP), PARSE),
    _edge("10,000 lists never closed", _raw(b"[" * _DEEP), PARSE),
    _edge("a byte order mark", _encoded("utf-8-sig"), PARSE),
    _edge("UTF-16", _encoded("utf-16"), PARSE),
    _edge("UTF-16 without a mark", _encoded("utf-16-le"), PARSE),
    _edge("UTF-32", _encoded("utf-32"), PARSE),
    _edge("a byte that is not UTF-8", lambda era: call(era).encode()[:-4] + b"\xff}}", PARSE),
    _edge("an overlong slash", lambda era: call(era).encode().replace(b"x", b"\xc0\xaf", 1), PARSE),
    _edge(
        "a surrogate in UTF-8",
        lambda era: call(era).encode().replace(b'"x"', b'"\xed\xa0\x80"', 1),
        PARSE,
    ),
    _edge("a raw NUL in a string", _call(arguments='{"note":"\x00"}'), PARSE),
    _edge("a raw line break in a string", _call(arguments='{"note":"\n"}'), PARSE),
    _edge("a comma too many", _call(arguments='{"note":1,}'), PARSE),
    _edge("a comment", _with('"id":7', '/* x */"id":7'), PARSE),
    _edge("single quotes", _with('"id":7', "'id':7"), PARSE),
    _edge("a second message behind it", lambda era: (call(era) * 2).encode(), PARSE),
    _edge("a message cut short", lambda era: call(era).encode()[:-3], PARSE),
    _edge("nothing", _raw(b""), PARSE),
    _edge("only white space", _raw(b" \r\n\t"), PARSE),
    _edge("no JSON", _raw(b"tools/call"), PARSE),
    _edge("a form", _raw(b"jsonrpc=2.0&id=7&method=tools%2Fcall"), PARSE),
)

# -- what is JSON, and no single JSON-RPC message --------------------------------------------------

MESSAGES = (
    _edge("a batch", lambda era: f"[{call(era)}]".encode(), INVALID),
    _edge("a batch of two", lambda era: f"[{call(era)},{call(era, ident='8')}]".encode(), INVALID),
    _edge("an empty batch", _raw(b"[]"), INVALID),
    _edge("a number", _raw(b"7"), INVALID),
    _edge("a string", _raw(b'"tools/call"'), INVALID),
    _edge("null", _raw(b"null"), INVALID),
    _edge("an empty object", _raw(b"{}"), INVALID),
    _edge("no version of JSON-RPC", _with('"jsonrpc":"2.0",', ""), INVALID),
    _edge("another version of JSON-RPC", _with('"2.0"', '"1.0"'), INVALID),
    _edge("a number as version", _with('"2.0"', "2.0"), INVALID),
    _edge("an id that is null", _call(ident="null"), INVALID),
    _edge("an id that is true", _call(ident="true"), INVALID),
    _edge("an id with a fraction", _call(ident="1.5"), INVALID),
    _edge("an id that is 7.0", _call(ident="7.0"), INVALID),
    _edge("an id that is an object", _call(ident='{"a":1}'), INVALID),
    _edge("an id that is a list", _call(ident="[7]"), INVALID),
    _edge("an id of 257 characters", _call(ident='"' + "x" * 257 + '"'), INVALID),
    _edge("an id of a million characters", _call(ident='"' + "x" * 1_000_000 + '"'), INVALID),
    _edge("an id beyond 2^53", _call(ident="9007199254740993"), PARSE),
    _edge("a method that is a number", _with('"tools/call"', "7"), INVALID),
    _edge("a method that is null", _with('"tools/call"', "null"), INVALID),
    _edge(
        "params that are a list",
        _raw(b'{"jsonrpc":"2.0","id":7,"method":"x","params":[]}'),
        INVALID,
    ),
    _edge("neither method nor result", _raw(b'{"jsonrpc":"2.0","id":7}'), INVALID),
    Case("a call without an id", _call(ident=""), ACCEPTED, ACCEPTED),
    Case(
        "an answer to nothing",
        _raw(b'{"jsonrpc":"2.0","id":7,"result":{}}'),
        INVALID,
        ACCEPTED,
    ),
    Case("an unknown method", _with("tools/call", "tools/run"), MISMATCH, (200, -32601)),
)

# -- what is a message, and not one that can be acted on -------------------------------------------


def _params(what: str, body: Body) -> Case:
    return Case(what, body, PARAMS, PARAMS_IN_200)


CALLS = (
    _params("arguments that are a list", _call(arguments="[1]")),
    _params("arguments that are a string", _call(arguments='"x"')),
    _params("arguments that are a number", _call(arguments="7")),
    Case("a tool that is a number", _call(name="7"), MISMATCH, PARAMS_IN_200),
    Case("a tool that is a list", _call(name='["a"]'), MISMATCH, PARAMS_IN_200),
    _params("no tool", _with(f'"name":"{TOOL}",', "")),
    Case("a tool in other letters", _call(name=f'"{TOOL.upper()}"'), MISMATCH, PARAMS_IN_200),
    Case("a tool with a NUL", _call(name=f'"{TOOL}\\u0000"'), MISMATCH, PARAMS_IN_200),
    Case("a tool with a space", _call(name=f'"{TOOL} "'), MISMATCH, PARAMS_IN_200),
    Case("a tool with a bidi character", _call(name=f'"\u202e{TOOL}"'), MISMATCH, PARAMS_IN_200),
    _params("a progress token that is an object", _meta('"progressToken":{}')),
    _params("a progress token that is true", _meta('"progressToken":true')),
    _params("a progress token of 257 characters", _meta(f'"progressToken":"{"x" * 257}"')),
    _params("an empty idempotency key", _meta('"placet/idempotency-key":""')),
    _params("an idempotency key with a bidi character", _meta('"placet/idempotency-key":"\u202e"')),
    Case("no _meta", _call(meta="null"), PARAMS, None),
    Case("a _meta that is a list", _call(meta="[]"), PARAMS, PARAMS_IN_200),
    Case("a _meta without its envelope", _call(meta="{}"), PARAMS, None),
)

# -- headers -------------------------------------------------------------------------------------


def _headers(
    what: str, modern: Expected, legacy: Expected | None, *changes: Change, again: bool = False
) -> Case:
    return Case(what, _call(), modern, legacy, changes, again)


def _both(what: str, expected: Expected, *changes: Change, again: bool = False) -> Case:
    return _headers(what, expected, expected, *changes, again=again)


_OTHER = "witness__echo"

HEADERS = (
    _both("no content type", (415, -32600), ("content-type", None)),
    _both("a text", (415, -32600), ("content-type", "text/plain")),
    _both("a form's type", (415, -32600), ("content-type", "application/x-www-form-urlencoded")),
    _both("two types in one", (415, -32600), ("content-type", "application/json, text/plain")),
    _both("nearly JSON", (415, -32600), ("content-type", "application/jsonx")),
    _both("another charset", (415, -32600), ("content-type", "application/json; charset=utf-16")),
    _both("two content types", MISMATCH, ("content-type", "application/json"), again=True),
    _both("a compressed body", (415, -32600), ("content-encoding", "gzip")),
    _both("a foreign origin", (403, -32600), ("origin", "http://evil.example")),
    _both("the null origin", (403, -32600), ("origin", "null")),
    _both("an empty origin", (403, -32600), ("origin", "")),
    _both("an origin with an impossible port", (403, -32600), ("origin", "http://127.0.0.1:99999")),
    _both("an origin that is no address", (403, -32600), ("origin", "http://[::1")),
    _both("our origin as a prefix", (403, -32600), ("origin", "http://127.0.0.1:8000.evil.test")),
    _both("our origin over TLS", (403, -32600), ("origin", "https://127.0.0.1:8000")),
    _both("a foreign host", (421, -32600), ("host", "evil.example")),
    _both("a host that ends like ours", (421, -32600), ("host", "evil.127.0.0.1")),
    _both("a user before our host", (421, -32600), ("host", "127.0.0.1@evil.example")),
    _both("two tokens", MISMATCH, ("authorization", "Bearer " + "x" * 40), again=True),
    _both("no token", (401, -32600), ("authorization", None)),
    _both("a token of nobody", (401, -32600), ("authorization", "Bearer " + "x" * 40)),
    _both("a token that never ends", (401, -32600), ("authorization", "Bearer " + "x" * 9000)),
    _both("nothing that is accepted", (406, None), ("accept", "text/html")),
    _both("only JSON accepted", (406, None), ("accept", "application/json")),
    _headers("no revision", MISMATCH, None, ("mcp-protocol-version", None)),
    _both("a revision of the future", (400, None), ("mcp-protocol-version", "2099-01-01")),
    _both("the revision twice", MISMATCH, ("mcp-protocol-version", MODERN), again=True),
    _headers("the method twice", MISMATCH, None, ("mcp-method", "tools/call"), again=True),
    _headers("the name twice", MISMATCH, None, ("mcp-name", TOOL), again=True),
    _both("two sessions", MISMATCH, ("mcp-session-id", "a"), ("mcp-session-id", "b"), again=True),
)

MODERN_HEADERS = (
    _headers("no method", MISMATCH, None, ("mcp-method", None)),
    _headers("another method", MISMATCH, None, ("mcp-method", "tools/list")),
    _headers("the method in other letters", MISMATCH, None, ("mcp-method", "Tools/Call")),
    _headers("no name", MISMATCH, None, ("mcp-name", None)),
    _headers("an empty name", MISMATCH, None, ("mcp-name", "")),
    _headers("another name", MISMATCH, None, ("mcp-name", _OTHER)),
    _headers("the name in other letters", MISMATCH, None, ("mcp-name", TOOL.upper())),
    _headers("another name in Base64", MISMATCH, None, ("mcp-name", sentinel(_OTHER))),
    _headers("the name with a NUL in Base64", MISMATCH, None, ("mcp-name", sentinel(TOOL + "\0"))),
    _headers("broken Base64", MISMATCH, None, ("mcp-name", "=?base64?d2l0b*?=")),
    _headers(
        "Base64 with stray bits",
        MISMATCH,
        None,
        ("mcp-name", sentinel(TOOL + "a").replace("YQ==", "YR==")),
    ),
    _headers("Base64 that is no UTF-8", MISMATCH, None, ("mcp-name", "=?base64?//79?=")),
    _headers(
        "Base64 in capitals",
        MISMATCH,
        None,
        ("mcp-name", sentinel(TOOL).replace("base64", "BASE64")),
    ),
)

# -- what is unusual, and taken: each its own call -------------------------------------------------

DISTINCT = (
    '{"note":"x"}',
    '{"note":""}',
    '{"note":null}',
    '{"note":true}',
    '{"note":1}',
    '{"note":"1"}',
    '{"note":1.5}',
    '{"note":1e21}',
    '{"note":9007199254740991}',
    '{"note":-9007199254740991}',
    '{"note":5e-324}',
    '{"note":"x\\u0000"}',
    '{"note":"x\\u0000y"}',
    '{"note":"\\u202ex"}',
    '{"note":"x\\u2066"}',
    '{"note":"x\\u200b"}',
    '{"note":"x\\ufeff"}',
    '{"note":"x\\udb40\\udc41"}',  # a tag character
    '{"note":"\\u00e9"}',  # é in one character
    '{"note":"e\\u0301"}',  # é in two
    '{"note":"\\u0430"}',  # a letter of another script
    '{"note":"a"}',
    '{"note":"\\uff41"}',  # a full-width a
    '{"note":"\\ud83d\\ude00"}',
    '{"note":"\\uffff"}',
    '{"note":"\\u2028"}',
    '{"NOTE":"x"}',
    '{"note ":"x"}',
    '{"note\\u0000":"x"}',
    '{"":"x"}',
    '{"__proto__":{"note":"x"}}',
    '{"note":["x"]}',
    '{"note":{"0":"x"}}',
    '{"note":"x","more":null}',
    "{}",
    '{"n":' + "[" * 60 + "]" * 60 + "}",
)

# One and the same call in several spellings: the digest is over canonical bytes.
SAME = (
    '{"a":1,"note":"é/"}',
    '{"note":"é/","a":1}',
    '{"note":"\\u00e9\\/","a":1.0}',
    ' { "\\u006eote" : "\\u00E9/" ,\n "a" : 1e0 } ',
)
