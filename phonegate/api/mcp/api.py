"""`POST /mcp`: the tools for agents over streamable HTTP, without sessions.

Each POST is answered by itself in JSON. There is no stream to open and no session to end, so
GET and DELETE are answered with 405, as the protocol allows.
"""

import json
import secrets
from collections.abc import Mapping
from functools import cache, partial
from time import perf_counter
from typing import Annotated, Any, Final, Literal

import attrs
import trio

from phonegate import log
from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
)
from phonegate.api.errors import answer_for
from phonegate.api.field_names import shown
from phonegate.api.mcp.protocol import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    PARSE_ERROR,
    REFUSED,
    About,
    Ask,
    Json,
    JsonRpcError,
    Post,
    ToolCall,
    decide,
    error_message,
    has_structure,
    result_message,
    status_of,
    understand,
    wrong_arguments_are_results,
)
from phonegate.api.mcp.tools import TOOLS, Tool
from phonegate.api.mcp.untrusted import NOTICE, framed, framed_sims
from phonegate.api.payload import check_media, read_value
from phonegate.config.settings import RequestLog
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, FieldProblem, Forbidden
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

MAX_POST_BYTES: Final = 262_144
"""A batch of twenty of the longest texts, each character escaped, and room to spare."""

NONCE_BYTES: Final = 8
"""Of the random part of a marker: the writer of an SMS has one guess."""

MAX_BATCH_BYTES: Final = 1_048_576
"""Of all answers to a batch, as of a page. Past it, what a tool has only read is left out."""

BATCH_TOO_LONG: Final = "The answers to this batch are too long together. Ask for this by itself."

INSTRUCTIONS: Final = (
    "This gateway sends and receives SMS through its owner's phones. Numbers are written in full, "
    "such as +15553334444. Send only what your user asked for, to whom your user named. " + NOTICE
)

OK: Final = "ok"
"""The outcome in the log of a call that went well."""

_log = log.get("mcp")


@attrs.frozen(kw_only=True)
class OrgOfAgent:
    """Whose messages are meant."""

    org_id: Annotated[str, Text(1, 50)] | None = field(
        "The org, where its SecretKey is the credential; an API key names its org itself.",
        default=None,
        example="myorg",
    )


@attrs.frozen(kw_only=True)
class RpcAnswer:
    """A JSON-RPC answer."""

    jsonrpc: Literal["2.0"] = field("Always 2.0.", example="2.0")
    id: str | int | None = field("Of the request.", example=1)
    result: Mapping[str, Any] | None = field("What was asked for, or else there is an error.")


async def exchange(call: Call) -> Answer:
    """Answers one POST: a request, a notification, or a batch of the oldest revisions."""
    request = call.request
    headers = request.headers
    check_media(headers.get("content-type"), headers.get("content-encoding"), request.body)
    try:
        read, size = partial(read_value, request.body), len(request.body)
        value = await call.services.large_bodies.read(read, size, call.caller.org)
        post = understand(headers, value)
    except BadInput as error:
        return Answer(
            status=400, content=error_message(JsonRpcError(PARSE_ERROR, error.detail), None)
        )
    except JsonRpcError as fault:
        return Answer(status=400, content=error_message(fault, fault.id))
    if not post.parts:
        return Answer(status=202)
    if post.batch:
        return Answer(content=await _batch(call, post))
    status, message = await _one(call, post.version, post.parts[0])
    return Answer(status=status, content=message)


async def _batch(call: Call, post: Post) -> bytes:
    answers = [b""] * len(post.parts)
    left = MAX_BATCH_BYTES

    async def fill(at: int) -> None:
        nonlocal left
        part = post.parts[at]
        _, message = await _one(call, post.version, part)
        answers[at] = CONVERTER.encode(message)
        left -= len(answers[at])
        if left < 0 and isinstance(part, Ask) and _only_reads(part):
            # What a tool did is reported in any case. What it read can be read again.
            left += len(answers[at])
            fault = JsonRpcError(INTERNAL_ERROR, BATCH_TOO_LONG)
            answers[at] = CONVERTER.encode(error_message(fault, part.id))

    async with trio.open_nursery() as nursery:
        for at in range(len(post.parts)):
            nursery.start_soon(fill, at)
    return b"[" + b",".join(answers) + b"]"


def _only_reads(part: Ask) -> bool:
    name = part.params.get("name") if part.method == "tools/call" else None
    return any(tool.reads_only for tool in TOOLS if tool.name == name)


async def _one(call: Call, version: str, part: Ask | JsonRpcError) -> tuple[int, Json]:
    """Makes the status and the answer of one request. Raises nothing but cancellation."""
    if isinstance(part, JsonRpcError):
        return status_of(part, version), error_message(part, part.id)
    about = _about(call.services.version)
    try:
        decided = decide(part, version, about, _allowed(call.caller))
        if isinstance(decided, ToolCall):
            decided = await _run(call, version, decided)
        return 200, result_message(part.id, decided, version, about)
    except JsonRpcError as fault:
        return status_of(fault, version), error_message(fault, part.id)
    except Exception as error:  # noqa: BLE001 - one request of a batch never costs another
        failed = JsonRpcError(INTERNAL_ERROR, answer_for(error).content["detail"])
        return status_of(failed, version), error_message(failed, part.id)


def _allowed(caller: Principal) -> list[Json]:
    return [_declaration(tool) for tool in TOOLS if tool.scope in caller.scopes]


@cache
def _declaration(tool: Tool) -> Json:
    return tool.declaration


@cache
def _about(version: str) -> About:
    return About(name="phonegate", title="SMS gateway", version=version, instructions=INSTRUCTIONS)


# --- Tools ------------------------------------------------------------------------------------


async def _run(call: Call, version: str, asked: ToolCall) -> Json:
    """Runs a tool. A failure of it is a result, which the model can read.

    Raises:
        Fault: There is no such tool, or (in old revisions) its arguments are wrong.
    """
    tool = next((one for one in TOOLS if one.name == asked.name), None)
    if tool is None:
        raise JsonRpcError(INVALID_PARAMS, f"Unknown tool: {shown(asked.name)}")
    started, code = perf_counter(), OK
    try:
        arguments = _understood(call, tool, asked.arguments, version)
        return _shown(await tool.run(call, arguments), version)
    except JsonRpcError:
        code = "bad_input"
        raise
    except Exception as error:  # noqa: BLE001 - the model can read any failure
        answer = answer_for(error)
        code = answer.content["code"]
        return {"content": [_text(_sentence(answer))], "isError": True}
    except BaseException:
        code = "cancelled"
        raise
    finally:
        if _is_logged(call.logged, tool, code):
            _log_call(call.caller, tool, code, perf_counter() - started)


def _is_logged(logged: RequestLog, tool: Tool, code: str) -> bool:
    """Tells whether the log gets a line for a call, as for a request that did the same."""
    return logged == "all" or code != OK or (logged == "changes" and not tool.reads_only)


def _log_call(caller: Principal, tool: Tool, code: str, seconds: float) -> None:
    fields: dict[str, object] = {"tool": tool.name, "outcome": code, "ms": round(seconds * 1000, 1)}
    if caller.key_id is not None:
        fields["key"] = caller.key_id
    _log.info("tool", org=caller.org_name, **fields)


def _understood(call: Call, tool: Tool, arguments: Mapping[str, Any], version: str) -> Any:
    if tool.scope not in call.caller.scopes:
        raise Forbidden(f"This API key lacks the scope {tool.scope}.")
    try:
        return CONVERTER.structure(dict(arguments), tool.takes)
    except BadInput as error:
        if wrong_arguments_are_results(version):
            raise
        problems = [_problem(one) for one in error.problems]
        raise JsonRpcError(INVALID_PARAMS, error.detail, data={"errors": problems}) from None


def _problem(one: FieldProblem) -> Json:
    return {"field": one.field, "problem": one.problem}


def _shown(content: Json, version: str) -> Json:
    """Makes a tool's result: as text for every client, and as data for those that take it."""
    messages = content.get("messages", [content["message"]] if content.get("message") else None)
    if messages is not None:
        rest = {k: v for k, v in content.items() if k not in {"messages", "message", "notice"}}
        text = f"{_json(rest)}\n\n{framed(messages, secrets.token_hex(NONCE_BYTES))}"
    elif "known_sims" in content:
        sims = {k: v for k, v in content.items() if k != "notice"}
        text = framed_sims(sims, secrets.token_hex(NONCE_BYTES))
    else:
        text = _json({k: v for k, v in content.items() if k != "notice"})
    result: Json = {"content": [_text(text)], "isError": False}
    if has_structure(version):
        result["structuredContent"] = content
    return result


def _sentence(answer: Answer) -> str:
    """Writes an error for a model: what is wrong, its code, when to try again, and the fields."""
    content = answer.content
    rest = {k: v for k, v in content.items() if k not in {"ok", "detail", "errors"}}
    lines = [content["detail"], *(f"{k}: {v}" for k, v in rest.items())]
    lines += [f"retry_after_s: {v}" for name, v in answer.headers if name == "Retry-After"]
    lines += [f"{one['field']}: {one['problem']}" for one in content.get("errors", ())]
    return "\n".join(lines)


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _worded(answer: Answer) -> Answer:
    """Writes an error as JSON-RPC too: of another, clients show an agent nothing that it says."""
    content = answer.content
    data: Json = {"status": answer.status, "code": content["code"]}
    if (pause := dict(answer.headers).get("Retry-After")) is not None:
        data["retry_after_s"] = int(pause)
    fault = JsonRpcError(REFUSED, content["detail"], data=data)
    return attrs.evolve(answer, content={**content, **error_message(fault, None)})


# --- The table's part -------------------------------------------------------------------------

ENDPOINTS: Final = (
    Endpoint(
        name="mcp",
        method="POST",
        paths=("/mcp",),
        scope="any",
        group="agents",
        summary="Tools for AI agents",
        description="A server of the Model Context Protocol over streamable HTTP. Each tool needs "
        "its own scope, and only what the key may use is listed.",
        raw_limit=MAX_POST_BYTES,
        query=OrgOfAgent,
        answer=RpcAnswer,
        statuses=(200, 202),
        protocol=True,
        word=_worded,
        size=None,
        examples=(
            Example(
                title="is it there",
                path="/mcp",
                headers=(
                    ("Authorization", "Bearer pgk_…"),
                    ("Content-Type", "application/json"),
                ),
                body='{"jsonrpc":"2.0","id":1,"method":"ping"}',
                answer='{"jsonrpc":"2.0","id":1,"result":{}}',
            ),
        ),
        handler=exchange,
    ),
)
