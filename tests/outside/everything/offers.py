"""What the everything server lists: tools, prompts, resources, and the small files among them."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any


def _png() -> str:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def _wav() -> str:
    """Eight silent samples."""
    samples = b"\x80" * 8
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(samples)) + samples
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(body)) + body).decode()


PNG, WAV = _png(), _wav()
WATCHED = "test://watched-resource"
TEMPLATE = "test://template/{id}/data"
DYNAMIC_TOOL = "test_appearing_tool"
DYNAMIC_PROMPT = "test_appearing_prompt"


def _takes(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _tool(name: str, description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": schema or _takes()}


STRING = {"type": "string"}
KEYWORDS_OF_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": STRING, "city": STRING},
        }
    },
    "properties": {
        "name": STRING,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": STRING,
        "email": STRING,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

TOOLS: list[dict[str, Any]] = [
    _tool("test_simple_text", "Answers with one text."),
    _tool("test_image_content", "Answers with one image."),
    _tool("test_audio_content", "Answers with one sound."),
    _tool("test_embedded_resource", "Answers with a resource inside."),
    _tool("test_multiple_content_types", "Answers with a text, an image and a resource."),
    {
        **_tool("test_structured_content", "Answers with an object that has a schema."),
        "outputSchema": _takes(celsius={"type": "number"}, sky=STRING),
    },
    _tool("test_tool_with_logging", "Says three things in its log while it works."),
    _tool("test_logging_tool", "Says something in its log."),
    _tool("test_error_handling", "Always fails."),
    _tool("test_tool_with_progress", "Reports its progress three times."),
    _tool("test_sampling", "Asks the client's model.", _takes(prompt=STRING)),
    _tool("test_elicitation", "Asks the client's user.", _takes(message=STRING)),
    _tool("test_streaming_elicitation", "Asks the client's user while it works."),
    _tool("test_elicitation_sep1034_defaults", "Asks with a default for each kind of value."),
    _tool("test_elicitation_sep1330_enums", "Asks with each kind of choice."),
    _tool("test_missing_capability", "Needs a client that can sample."),
    _tool("json_schema_2020_12_tool", "Takes a rich schema.", KEYWORDS_OF_2020_12),
    _tool(
        "test_custom_headers",
        "Wants its region in a header, too.",
        _takes(region={"type": "string", "x-mcp-header": "Region"}),
    ),
    _tool("test_trigger_tool_change", "Lets a tool appear, or vanish."),
    _tool("test_trigger_prompt_change", "Lets a prompt appear, or vanish."),
    _tool("test_trigger_resource_update", "Changes the watched resource."),
    _tool("test_input_required_result_elicitation", "Asks the name of its user."),
    _tool("test_input_required_result_sampling", "Asks for a capital."),
    _tool("test_input_required_result_list_roots", "Asks for the client's roots."),
    _tool("test_input_required_result_request_state", "Asks, and wants its state back."),
    _tool("test_input_required_result_multiple_inputs", "Asks three things at once."),
    _tool("test_input_required_result_multi_round", "Asks twice in turn."),
    _tool("test_input_required_result_tampered_state", "Notices a changed state."),
    _tool("test_input_required_result_capabilities", "Asks only what the client can answer."),
    _tool("greet", "Greets.", _takes(name=STRING)),
    _tool("slow_compute", "Takes its time.", _takes(seconds={"type": "number"})),
    _tool("failing_job", "Fails after a second."),
    _tool("protocol_error_job", "Ends in an error of the protocol."),
    _tool("confirm_delete", "Deletes nothing, after asking.", {"type": "object"}),
    _tool("multi_input", "Asks two things at once."),
    _tool("test_tool_with_task", "Asks a name, then works on it."),
]

_ARGUMENT = {"name": "resourceUri", "description": "What to embed.", "required": True}
PROMPTS: list[dict[str, Any]] = [
    {"name": "test_simple_prompt", "description": "One message."},
    {
        "name": "test_prompt_with_arguments",
        "description": "Repeats its arguments.",
        "arguments": [
            {"name": "arg1", "description": "The first.", "required": True},
            {"name": "arg2", "description": "The second.", "required": True},
        ],
    },
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "Embeds a resource.",
        "arguments": [_ARGUMENT],
    },
    {"name": "test_prompt_with_image", "description": "Shows an image."},
    {"name": "test_input_required_result_prompt", "description": "Asks for its context first."},
]

RESOURCES: list[dict[str, Any]] = [
    {
        "uri": "test://static-text",
        "name": "static-text",
        "description": "A text.",
        "mimeType": "text/plain",
    },
    {
        "uri": "test://static-binary",
        "name": "static-binary",
        "description": "An image.",
        "mimeType": "image/png",
    },
    {
        "uri": WATCHED,
        "name": "watched-resource",
        "description": "A text that changes.",
        "mimeType": "text/plain",
    },
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "uriTemplate": TEMPLATE,
        "name": "template",
        "description": "Data of an id.",
        "mimeType": "application/json",
    }
]
COMPLETIONS = ("test", "testament", "testimony", "paris", "park", "party")
