"""Upstreams that others wrote, and of every kind, in one list: what is called, and what may differ.

`python -m tests.outside.mixed` calls every tool directly and through the bridge in both eras, and
compares the results field by field; the suite does so with one upstream over stdio and with one of
the oldest transport. The work itself is in `mixed_run`.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterable
from typing import Any, Final

from tests.support.standalone import ENGINES, ChildFailed, run

CHILD: Final = "tests.outside.mixed_run"
ROADS: Final = ("modern", "legacy")
IN_SUITE: Final = ("git", "http-sse")
FOLDER: Final = "$FOLDER"  # stands for the folder that the run works in
FILES, REPOSITORY = f"{FOLDER}/files", f"{FOLDER}/repository"
type Call = tuple[str, dict[str, Any]]
type Found = dict[str, Any]  # by upstream: {"tools": {name: definition}, "calls": [...]}


def _in_files(name: str) -> dict[str, str]:
    return {"path": f"{FILES}/{name}"}


_REPO: Final = {"repo_path": REPOSITORY}
_DATA: Final = "data:text/plain;base64," + base64.b64encode(b"squeeze me " * 20).decode()

CALLS_OF_OURS: Final[tuple[Call, ...]] = (
    ("test_simple_text", {}),
    ("test_image_content", {}),
    ("test_audio_content", {}),
    ("test_embedded_resource", {}),
    ("test_multiple_content_types", {}),
    ("test_structured_content", {}),
    ("test_tool_with_logging", {}),
    ("test_logging_tool", {}),
    ("test_error_handling", {}),
    ("test_tool_with_progress", {}),
    ("test_sampling", {"prompt": "Say something."}),
    ("test_elicitation", {"message": "Who are you?"}),
    ("test_streaming_elicitation", {}),
    ("test_elicitation_sep1034_defaults", {}),
    ("test_elicitation_sep1330_enums", {}),
    ("test_missing_capability", {}),
    ("json_schema_2020_12_tool", {"name": "x", "contactMethod": "phone", "phone": "1"}),
    ("test_custom_headers", {"region": "eu-1"}),
    ("test_trigger_tool_change", {}),
    ("test_trigger_tool_change", {}),  # and back
    ("test_trigger_prompt_change", {}),
    ("test_trigger_prompt_change", {}),
    ("test_trigger_resource_update", {}),
    ("test_input_required_result_elicitation", {}),
    ("test_input_required_result_sampling", {}),
    ("test_input_required_result_list_roots", {}),
    ("test_input_required_result_request_state", {}),
    ("test_input_required_result_multiple_inputs", {}),
    ("test_input_required_result_multi_round", {}),
    ("test_input_required_result_tampered_state", {}),
    ("test_input_required_result_capabilities", {}),
    ("greet", {"name": "Ada"}),
    ("slow_compute", {"seconds": 0.1}),
    ("failing_job", {}),
    ("protocol_error_job", {}),
    ("confirm_delete", {}),
    ("multi_input", {}),
    ("test_tool_with_task", {}),
)
CALLS: Final[dict[str, tuple[Call, ...]]] = {
    "files": (
        ("list_allowed_directories", {}),
        ("read_file", _in_files("poem.txt")),
        ("read_text_file", {**_in_files("poem.txt"), "head": 1}),
        ("read_text_file", _in_files("missing.txt")),
        ("read_media_file", _in_files("dot.png")),
        ("read_multiple_files", {"paths": [f"{FILES}/poem.txt", f"{FILES}/missing.txt"]}),
        ("list_directory", _in_files("")),
        ("list_directory_with_sizes", _in_files("")),
        ("directory_tree", _in_files("")),
        ("search_files", {**_in_files(""), "pattern": "**/*.txt"}),
        ("get_file_info", _in_files("poem.txt")),
        ("write_file", {**_in_files("new.txt"), "content": "äöü 🙂\n"}),
        ("read_file", _in_files("new.txt")),
        (
            "edit_file",
            {**_in_files("poem.txt"), "edits": [{"oldText": "sea", "newText": "wide sea"}]},
        ),
        ("create_directory", _in_files("deep/er")),
        ("move_file", {"source": f"{FILES}/new.txt", "destination": f"{FILES}/deep/moved.txt"}),
        ("read_file", {"path": "/etc/passwd"}),
    ),
    "everything": (
        ("echo", {"message": "hello"}),
        ("get-annotated-message", {"messageType": "error", "includeImage": True}),
        ("get-env", {}),
        ("get-resource-links", {"count": 2}),
        ("get-resource-reference", {"resourceType": "Text", "resourceId": 2}),
        ("get-structured-content", {"location": "Chicago"}),
        ("get-sum", {"a": 2, "b": 0.5}),
        ("get-tiny-image", {}),
        (
            "gzip-file-as-resource",
            {"name": "x.gz", "data": _DATA, "outputType": "resource"},
        ),
        ("toggle-simulated-logging", {}),
        ("toggle-simulated-logging", {}),
        ("toggle-subscriber-updates", {}),
        ("toggle-subscriber-updates", {}),
        ("trigger-long-running-operation", {"duration": 0.2, "steps": 2}),
        ("get-roots-list", {}),
        ("trigger-elicitation-request", {}),
        ("trigger-sampling-request", {"prompt": "Say something."}),
        ("get-sum", {"a": "two", "b": 1}),
    ),
    "git": (
        ("git_status", _REPO),
        ("git_log", {**_REPO, "max_count": 2}),
        ("git_show", {**_REPO, "revision": "HEAD"}),
        ("git_branch", {**_REPO, "branch_type": "local"}),
        ("git_diff_unstaged", _REPO),
        ("git_add", {**_REPO, "files": ["light.txt"]}),
        ("git_diff_staged", _REPO),
        ("git_diff", {**_REPO, "target": "HEAD"}),
        ("git_commit", {**_REPO, "message": "Tend the light"}),
        ("git_create_branch", {**_REPO, "branch_name": "calm"}),
        ("git_checkout", {**_REPO, "branch_name": "calm"}),
        ("git_reset", _REPO),
        ("git_show", {**_REPO, "revision": "no-such-thing"}),
    ),
    "http-modern": CALLS_OF_OURS,
    "http-legacy": CALLS_OF_OURS,
    "http-sse": CALLS_OF_OURS,
}

NOT_CALLED: Final = {
    ("everything", "simulate-research-query"): "can only be called as a task of 2025-11-25",
    ("everything", "trigger-url-elicitation"): "offered only to who opens addresses for a user",
}
VOLATILE: Final = {
    ("everything", "get-env"): (r"(?s).+", "a sandboxed server has an environment of its own"),
    ("everything", "get-resource-reference"): (r"\d+:\d\d:\d\d [AP]M", "the time of the call"),
    ("files", "get_file_info"): (r"(created|accessed|modified): [^\n]*", "times of the file"),
    ("files", "list_directory_with_sizes"): (r"(?m)^\[DIR\].*$", "a folder's size is the disk's"),
}
"""What changes from call to call, by upstream and tool: a pattern, and whose doing it is."""
OURS_IN_META: Final = {"io.modelcontextprotocol/serverInfo": "a gateway answers as itself"}
OURS_IN_RESULT: Final = {"resultType": "belongs to the era of the one who asks"}
OURS_IN_TOOL: Final = {
    "name": "one list of several upstreams needs their names",
    "execution": "tasks of 2025-11-25 are not offered, and 2026-07-28 has no such field",
}
AS_RESULT: Final = "an upstream's JSON-RPC error is told to the model, as a failed result"


def comparable(upstream: str, tool: str, told: dict[str, Any]) -> dict[str, Any]:
    """What a call returned, without what is the gateway's right or changes anyway."""
    if "error" in told:
        return told
    result = {k: v for k, v in told["result"].items() if k not in OURS_IN_RESULT}
    meta = {k: v for k, v in (result.pop("_meta", None) or {}).items() if k not in OURS_IN_META}
    if meta:
        result["_meta"] = meta
    if (upstream, tool) in VOLATILE:
        pattern, _why = VOLATILE[upstream, tool]
        result = _masked(result, pattern)
    return {"result": result}


def _masked(value: Any, pattern: str) -> Any:
    if isinstance(value, dict):
        return {key: _masked(inner, pattern) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, pattern) for inner in value]
    return re.sub(pattern, "…", value) if isinstance(value, str) else value


def same(upstream: str, tool: str, direct: dict[str, Any], bridged: dict[str, Any]) -> bool:
    """Whether the bridge told the same as the upstream itself."""
    if "error" in direct and "result" in bridged:  # AS_RESULT
        text = json.dumps(bridged["result"].get("content"), ensure_ascii=False)
        return bool(bridged["result"].get("isError")) and direct["error"]["message"] in text
    return comparable(upstream, tool, direct) == comparable(upstream, tool, bridged)


def faults(direct: Found, bridged: Found, *, upstreams: Iterable[str] = ()) -> list[str]:
    """Every tool that is missing, was not called, or answers otherwise through the bridge."""
    found: list[str] = []
    for upstream in upstreams or CALLS:
        calls = CALLS[upstream]
        one, other = direct[upstream], bridged[upstream]
        called = {tool for tool, _ in calls} | {t for u, t in NOT_CALLED if u == upstream}
        found += [f"{upstream}: nobody calls {tool}" for tool in sorted({*one["tools"]} - called)]
        for tool, definition in one["tools"].items():
            if (upstream, tool) in NOT_CALLED:
                continue
            listed = other["tools"].get(tool)
            if listed is None:
                found.append(f"{upstream}: {tool} is not listed")
            elif _shown(listed) != _shown(definition):
                found.append(f"{upstream}: {tool} is described otherwise: {listed}")
        for (tool, arguments), there, here in zip(calls, one["calls"], other["calls"], strict=True):
            if not same(upstream, tool, there, here):
                told = f"answers {_brief(here)}, directly {_brief(there)}"
                found.append(f"{upstream}: {tool} {arguments} {told}")
    return found


def _shown(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key not in OURS_IN_TOOL}


def _brief(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False)[:600]


def command() -> int:
    """Run everything in a child process and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.outside.mixed", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, default="sqlite3")
    options = parser.parse_args()
    try:
        found = run(CHILD, engine=options.engine)
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    wrong = []
    for road in ROADS:
        wrong += [f"{road}: {fault}" for fault in faults(found["direct"], found[road])]
        for upstream, one in found[road].items():
            print(f"{road:8} {upstream:12} {len(one['tools']):3} tools {len(one['calls']):3} calls")
    print("\n".join(wrong) or "every tool answers through the bridge as it does directly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(command())
