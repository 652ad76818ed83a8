"""What each tool of the everything server does: one small coroutine per name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, MISSING_REQUIRED_CLIENT_CAPABILITY

from tests.outside.everything import offers
from tests.outside.everything.changes import Changes
from tests.outside.everything.questions import Context, ask, elicit, roots, sample, state_of

STEP = 0.05  # seconds between two signs of life
type Result = dict[str, Any]
type Tool = Callable[[Context, dict[str, Any], Changes], Awaitable[Result]]

TOOLS: dict[str, Tool] = {}


def tool(run: Tool) -> Tool:
    """Offer a coroutine under its own name."""
    TOOLS[run.__name__] = run  # type: ignore[attr-defined]  # a function has a name
    return run


def text(value: str, **more: Any) -> Result:
    return {"content": [{"type": "text", "text": value}], **more}


def resource(uri: str, mime: str, value: str) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": value}}


IMAGE = {"type": "image", "data": offers.PNG, "mimeType": "image/png"}


@tool
async def test_simple_text(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return text("This is a simple text response for testing.")


@tool
async def test_image_content(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return {"content": [IMAGE]}


@tool
async def test_audio_content(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return {"content": [{"type": "audio", "data": offers.WAV, "mimeType": "audio/wav"}]}


@tool
async def test_embedded_resource(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    inside = "This is an embedded resource content."
    return {"content": [resource("test://embedded-resource", "text/plain", inside)]}


@tool
async def test_multiple_content_types(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    data = json.dumps({"test": "data", "value": 123})
    inside = resource("test://mixed-content-resource", "application/json", data)
    said = {"type": "text", "text": "Multiple content types test:"}
    return {"content": [said, IMAGE, inside]}


@tool
async def test_structured_content(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    weather = {"celsius": 21.5, "sky": "clear"}
    return text(json.dumps(weather), structuredContent=weather, _meta={"example.org/seen": [1]})


@tool
async def test_tool_with_logging(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await changes.log(ctx, "info", line)
        await asyncio.sleep(STEP)
    return text("Said three things.")


@tool
async def test_logging_tool(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    await changes.log(ctx, "info", "at work")
    return text("Said one thing.")


@tool
async def test_error_handling(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return text("This tool intentionally returns an error for testing", isError=True)


@tool
async def test_tool_with_progress(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100)
        await asyncio.sleep(STEP)
    return text("Reported three times.")


@tool
async def test_sampling(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    answers = await ask(ctx, said=sample(str(given.get("prompt"))))
    return text(f"LLM response: {_spoken(answers['said'])}")


@tool
async def test_elicitation(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    field = {"type": "string", "description": "The user's own."}
    answers = await ask(
        ctx, who=elicit(str(given.get("message")), username=field, email=dict(field))
    )
    return text(f"User response: {_decided(answers['who'])}")


@tool
async def test_streaming_elicitation(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    answers = await ask(ctx, go=elicit("Shall the work go on?", ok={"type": "boolean"}))
    return text(f"User response: {_decided(answers['go'])}")


@tool
async def test_elicitation_sep1034_defaults(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    kinds = ["active", "inactive", "pending"]
    question = elicit(
        "Please look through these.",
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": kinds, "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    question["params"]["requestedSchema"]["required"] = []
    return text(f"Elicitation completed: {_decided((await ask(ctx, form=question))['form'])}")


@tool
async def test_elicitation_sep1330_enums(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    plain = {"type": "string", "enum": ["option1", "option2", "option3"]}
    titled = _titled("value", "Option")
    question = elicit(
        "Please choose.",
        untitledSingle=plain,
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti={"type": "array", "items": dict(plain)},
        titledMulti={"type": "array", "items": {"anyOf": _titled("value", "Choice")}},
    )
    question["params"]["requestedSchema"]["required"] = []
    return text(f"Elicitation completed: {_decided((await ask(ctx, form=question))['form'])}")


@tool
async def test_missing_capability(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    declared = ctx.session.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="this tool needs a client that can sample",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return text("The client can sample.")


@tool
async def json_schema_2020_12_tool(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return text(json.dumps(given, sort_keys=True))


@tool
async def test_custom_headers(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return text(f"The region is {given.get('region')}.")


@tool
async def test_trigger_tool_change(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    await changes.toggle_tool(ctx)
    return text("The tools have changed.")


@tool
async def test_trigger_prompt_change(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    await changes.toggle_prompt(ctx)
    return text("The prompts have changed.")


@tool
async def test_trigger_resource_update(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    await changes.update_watched()
    return text("The resource has changed.")


@tool
async def test_appearing_tool(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return text("Here for now.")


@tool
async def test_input_required_result_elicitation(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    answers = await ask(ctx, user_name=elicit("What is your name?", name=offers.STRING))
    return text(f"Hello, {_content(answers['user_name']).get('name')}!")


@tool
async def test_input_required_result_sampling(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    answers = await ask(ctx, capital_question=sample("What is the capital of France?"))
    return text(_spoken(answers["capital_question"]))


@tool
async def test_input_required_result_list_roots(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    answers = await ask(ctx, client_roots=roots())
    return text(f"The roots are {_places(answers['client_roots'])}.")


@tool
async def test_input_required_result_request_state(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    await ask(ctx, "asked", confirm=elicit("Please confirm", ok={"type": "boolean"}))
    return text("state-ok" if state_of(ctx) == "asked" else "the state is missing")


@tool
async def test_input_required_result_tampered_state(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    await ask(ctx, "sealed", confirm=elicit("Please confirm", ok={"type": "boolean"}))
    return text("state-ok" if state_of(ctx) == "sealed" else "the state is missing")


@tool
async def test_input_required_result_multiple_inputs(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    answers = await ask(
        ctx,
        "three",
        user_name=elicit("What is your name?", name=offers.STRING),
        greeting=sample("Generate a greeting", max_tokens=50),
        client_roots=roots(),
    )
    name = _content(answers["user_name"]).get("name")
    places = _places(answers["client_roots"])
    return text(f"{_spoken(answers['greeting'])}, {name} in {places}")


@tool
async def test_input_required_result_multi_round(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    first = elicit("Step 1: What is your name?", name=offers.STRING)
    second = elicit("Step 2: What is your favorite color?", color=offers.STRING)
    known = json.loads(state_of(ctx) or "{}")
    if "name" not in known:
        answers = await ask(ctx, json.dumps({"round": 1}), step1=first)
        known = {"round": 2, "name": _content(answers["step1"]).get("name")}
    answers = await ask(ctx, json.dumps(known), step2=second)
    return text(f"{known['name']} likes {_content(answers['step2']).get('color')}.")


@tool
async def test_input_required_result_capabilities(
    ctx: Context, given: dict[str, Any], changes: Changes
) -> Result:
    declared = ctx.session.client_capabilities
    questions = {}
    if declared is not None and declared.elicitation is not None:
        questions["user_name"] = elicit("What is your name?", name=offers.STRING)
    if declared is not None and declared.sampling is not None:
        questions["greeting"] = sample("Generate a greeting", max_tokens=50)
    if not questions:
        return text("There is nothing that this client could be asked.")
    answers = await ask(ctx, **questions)
    return text(f"{len(answers)} answers came.")


@tool
async def greet(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    return text(f"Hello, {given.get('name')}!")


@tool
async def slow_compute(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    seconds = min(float(given.get("seconds", 0)), 60.0)
    await asyncio.sleep(seconds)
    return text(f"Computed for {seconds:g} s.")


@tool
async def failing_job(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    await asyncio.sleep(1)
    return text("The job failed.", isError=True)


@tool
async def protocol_error_job(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    raise MCPError(code=INTERNAL_ERROR, message="The job ended in an error of the protocol.")


@tool
async def confirm_delete(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    answers = await ask(ctx, confirm=elicit("Delete it?", confirm={"type": "boolean"}))
    return text(f"Deletion: {_decided(answers['confirm'])}")


@tool
async def multi_input(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    answers = await ask(
        ctx,
        first=elicit("The first?", value=offers.STRING),
        second=elicit("The second?", value=offers.STRING),
    )
    return text(" and ".join(_decided(answer) for answer in answers.values()))


@tool
async def test_tool_with_task(ctx: Context, given: dict[str, Any], changes: Changes) -> Result:
    answers = await ask(ctx, user_name=elicit("What is your name?", name=offers.STRING))
    return text(f"Worked for {_content(answers['user_name']).get('name')}.")


def _content(answer: dict[str, Any]) -> dict[str, Any]:
    content = answer.get("content")
    return content if isinstance(content, dict) else {}


def _decided(answer: dict[str, Any]) -> str:
    return f"action={answer.get('action')}, content={json.dumps(_content(answer))}"


def _spoken(answer: dict[str, Any]) -> str:
    content = answer.get("content")
    parts = content if isinstance(content, list) else [content]
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _places(answer: dict[str, Any]) -> str:
    found = answer.get("roots")
    return ", ".join(str(root.get("uri")) for root in found) if isinstance(found, list) else ""


def _titled(const: str, title: str) -> list[dict[str, str]]:
    numbers = ("First", "Second", "Third")
    return [{"const": f"{const}{n}", "title": f"{w} {title}"} for n, w in enumerate(numbers, 1)]
