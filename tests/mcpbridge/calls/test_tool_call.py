"""What of a request's _meta and of a client's declaration counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.calls.tool_call import (
    IDEMPOTENCY_KEY,
    TASKS_EXTENSION,
    BadMeta,
    ClientDeclaration,
    RequestMeta,
    ToolCall,
    client_declaration,
    request_meta,
)

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(
    st.sampled_from(["progressToken", "traceparent", "tracestate", IDEMPOTENCY_KEY, "other"]),
    json_values | st.just(PARENT) | st.just("a=b"),
)


def test_only_progress_token_and_trace_context_are_forwarded():
    meta = request_meta(
        {
            "progressToken": "p1",
            "traceparent": PARENT,
            "tracestate": "vendor=1",
            IDEMPOTENCY_KEY: "order 7",
            "io.modelcontextprotocol/clientInfo": {"name": "x"},
            "baggage": "user=alice",
            "secret": "s",
        }
    )
    assert meta.forwarded() == {
        "progressToken": "p1",
        "traceparent": PARENT,
        "tracestate": "vendor=1",
    }
    assert meta.idempotency_key == "order 7"
    assert meta.trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


@given(fields)
def test_whatever_comes_only_valid_fields_are_forwarded(meta):
    try:
        found = request_meta(meta)
    except BadMeta:
        return
    assert set(found.forwarded()) <= {"progressToken", "traceparent", "tracestate"}
    assert found.forwarded().get("traceparent") in {None, PARENT}


def test_no_meta_is_no_meta():
    assert request_meta(None) == request_meta({}) == RequestMeta()
    assert RequestMeta().forwarded() == {}


@pytest.mark.parametrize("meta", [[], "x", 5, True])
def test_a_meta_that_is_no_object_is_refused(meta):
    with pytest.raises(BadMeta, match="must be an object"):
        request_meta(meta)


@pytest.mark.parametrize("token", [0, -1, 2**53 - 1, "", "x" * 256])
def test_a_progress_token_is_a_string_or_an_integer(token):
    assert request_meta({"progressToken": token}).forwarded() == {"progressToken": token}


@pytest.mark.parametrize("token", [True, 1.5, 2**53, "x" * 257, [], {}])
def test_a_bad_progress_token_is_refused(token):
    with pytest.raises(BadMeta, match="progressToken"):
        request_meta({"progressToken": token})


@pytest.mark.parametrize("key", ["a", "~", "order 7/b", "x" * 128])
def test_an_idempotency_key_is_printable_ascii(key):
    assert request_meta({IDEMPOTENCY_KEY: key}).idempotency_key == key


@pytest.mark.parametrize("key", ["", "x" * 129, "a\n", "\x7f", "é", 5, True, [], {"a": 1}])
def test_a_bad_idempotency_key_is_refused(key):
    with pytest.raises(BadMeta, match=r"1\.\.128 printable ASCII"):
        request_meta({IDEMPOTENCY_KEY: key})


@pytest.mark.parametrize(
    "parent",
    [
        None,
        5,
        "",
        PARENT.upper(),
        PARENT + "-00",
        PARENT + "\n",
        "01" + PARENT[2:],
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_a_trace_parent_that_is_not_valid_is_ignored(parent):
    assert request_meta({"traceparent": parent, "tracestate": "a=b"}).trace is None


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("a=1", "a=1"),
        ("a=1 , b@c=2,", "a=1,b@c=2"),
        ("", ""),
        (5, ""),
        ("a=1,a=2", ""),
        ("a", ""),
        ("A=1", ""),
        ("a=1\r\nevil: 1", ""),
        ("a=b=c", ""),
        ("a=" + "x" * 600, ""),
        (",".join(f"k{i}=1" for i in range(33)), ""),
    ],
)
def test_a_trace_state_is_kept_whole_or_dropped_alone(state, kept):
    trace = request_meta({"traceparent": PARENT, "tracestate": state}).trace
    assert (trace.traceparent, trace.tracestate) == (PARENT, kept)


# -- the client's declaration ---------------------------------------------------------------


def test_a_client_declares_its_name_and_whether_it_knows_tasks():
    found = client_declaration(
        protocol_version="2026-07-28",
        client_info={"name": "Claude Code", "version": "2.1"},
        capabilities={"extensions": {TASKS_EXTENSION: {}}},
    )
    assert found == ClientDeclaration(
        protocol_version="2026-07-28", name="Claude Code", version="2.1", tasks=True
    )
    assert found.is_modern
    assert not client_declaration(protocol_version="2025-11-25").is_modern


@given(json_values, json_values)
def test_a_hostile_declaration_declares_nothing_it_does_not_say(info, capabilities):
    found = client_declaration(
        protocol_version="2025-06-18", client_info=info, capabilities=capabilities
    )
    assert not found.tasks
    assert found.name == "" or isinstance(info, dict)


@pytest.mark.parametrize(
    "capabilities",
    [{"extensions": []}, {"extensions": {TASKS_EXTENSION: None}}, {"extensions": TASKS_EXTENSION}],
)
def test_tasks_count_as_declared_only_in_their_proper_shape(capabilities):
    assert not client_declaration(protocol_version="2026-07-28", capabilities=capabilities).tasks


def test_a_declared_name_is_short_and_printable():
    found = client_declaration(
        protocol_version="x", client_info={"name": "a\nb\u202e" + "c" * 500, "version": 7}
    )
    assert found.name.startswith("abc")
    assert len(found.name) <= 200
    assert found.version == ""


def test_arguments_stay_out_of_a_call_s_repr():
    call = ToolCall(
        upstream="git",
        tool="log",
        arguments={"token": "hunter2"},
        arguments_bytes=b'{"token":"hunter2"}',
        client=ClientDeclaration(protocol_version="2026-07-28"),
    )
    assert "hunter2" not in repr(call)
