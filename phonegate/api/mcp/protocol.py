"""The Model Context Protocol over JSON-RPC: reading requests and making answers. Pure.

Two eras share the address. Since 2026-07-28 each request stands alone: it names its revision and
its client in `params._meta`, and its headers repeat what intermediaries need. The revisions
before it begin with an `initialize` handshake. Nothing is kept between two requests, so a later
request of that era is known by its MCP-Protocol-Version header, or by having none.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.api.field_names import shown

MODERN: Final = ("2026-07-28",)
HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Newest first. The oldest had another transport, but its messages are the same. A client that
asks for it works with this one, or comes over stdio."""

SUPPORTED: Final = MODERN + HANDSHAKE

UNSAID: Final = "2025-03-26"
"""The revision of a request without a header that names one: the last that knew no such header."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REFUSED: Final = -32010
"""The gateway refused the request before any of its tools ran: for its credential, a limit, or the
state of the storage. It is in the range for servers' own errors."""
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022

MAX_BATCH: Final = 20
"""Messages of one batch, which only the oldest revisions have. Clients send a few at once."""

LIST_TTL_MS: Final = 300_000
"""How long a client may keep the list of tools: a key's scopes never change, and a new release of
the gateway may be noticed five minutes late."""

VERSION_META: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_META: Final = "io.modelcontextprotocol/clientCapabilities"
SERVER_META: Final = "io.modelcontextprotocol/serverInfo"

_VERSION_HEADER: Final = "mcp-protocol-version"
_STRUCTURED_SINCE: Final = "2025-06-18"
_SAYS_WRONG_ARGUMENTS_SINCE: Final = "2025-11-25"
_STATUS: Final = {METHOD_NOT_FOUND: 404, INTERNAL_ERROR: 200}
_ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=")

Id = int | str
Json = dict[str, Any]


class JsonRpcError(Exception):
    """A JSON-RPC error. `id` is that of the request, None where it is unknown."""

    def __init__(self, code: int, message: str, *, data: Any = None, id_: Id | None = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        self.id = id_
        super().__init__(message)


@attrs.frozen
class Ask:
    """One request."""

    id: Id
    method: str
    params: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Post:
    """The requests of a POST, without notifications and answers, which need no answer."""

    version: str
    batch: bool
    parts: tuple[Ask | JsonRpcError, ...]

    @property
    def modern(self) -> bool:
        """Tells whether it is of the era without a handshake."""
        return self.version in MODERN


@attrs.frozen(kw_only=True)
class About:
    """How a server introduces itself."""

    name: str
    title: str
    version: str
    instructions: str

    @property
    def info(self) -> Json:
        """As `serverInfo`."""
        return {"name": self.name, "title": self.title, "version": self.version}


@attrs.frozen
class ToolCall:
    """A request to run a tool."""

    name: str
    arguments: Mapping[str, Any] = attrs.field(repr=False)


# --- Requests ---------------------------------------------------------------------------------


def understand(headers: Mapping[str, str], value: Any) -> Post:
    """Reads the requests of a POST.

    Args:
        headers: By lower-case name. One that was sent twice is joined with a comma.
        value: The JSON of the body.

    Raises:
        Fault: The whole POST is refused, with status 400.
    """
    header = headers.get(_VERSION_HEADER)
    if header in HANDSHAKE or (header is None and named_version(value) is None):
        return _of_handshake(header or UNSAID, value)
    return _of_modern(headers, value)


def _of_handshake(version: str, value: Any) -> Post:
    if type(value) is list:
        if version > UNSAID:
            raise JsonRpcError(INVALID_REQUEST, f"Revision {version} has no batches.")
        if not 1 <= len(value) <= MAX_BATCH:
            raise JsonRpcError(INVALID_REQUEST, f"A batch must hold 1 to {MAX_BATCH} messages.")
        asked = (_part(one) for one in value if not _is_answer(one))
        parts = tuple(part for part in asked if part is not None)
        return Post(version=version, batch=True, parts=parts)
    claimed = named_version(value)
    if claimed is not None and claimed != version:
        raise JsonRpcError(
            HEADER_MISMATCH,
            "The MCP-Protocol-Version header is not the protocol version in params._meta.",
            id_=_id_of(value),
        )
    part = None if _is_answer(value) else _part(value)
    if isinstance(part, JsonRpcError):
        raise part
    return Post(version=version, batch=False, parts=() if part is None else (part,))


def _of_modern(headers: Mapping[str, str], value: Any) -> Post:
    part = _part(value)
    if isinstance(part, JsonRpcError):
        raise part
    header = headers.get(_VERSION_HEADER)
    if part is None:
        _require_modern(header, None)
        return Post(version=MODERN[0], batch=False, parts=())
    meta, claimed = _object(part.params.get("_meta")), named_version(value)
    if claimed is None:
        # A revision that is unknown here may have put it elsewhere: refuse that first.
        _require_modern(header, part.id)
    if meta is None or claimed is None or CAPABILITIES_META not in meta:
        raise JsonRpcError(
            INVALID_PARAMS,
            f"params._meta must hold {VERSION_META} and {CAPABILITIES_META}.",
            id_=part.id,
        )
    name = part.params.get("name") if part.method == "tools/call" else None
    for header_name, given, wanted in (
        ("MCP-Protocol-Version", header, claimed),
        ("Mcp-Method", headers.get("mcp-method"), part.method),
        ("Mcp-Name", _decoded(headers.get("mcp-name")), name),
    ):
        if (wanted is not None or header_name != "Mcp-Name") and given != wanted:
            problem = "is missing" if given is None else "is not what the body says"
            raise JsonRpcError(HEADER_MISMATCH, f"The {header_name} header {problem}.", id_=part.id)
    _require_modern(header, part.id)
    return Post(version=claimed, batch=False, parts=(part,))


def _is_answer(value: Any) -> bool:
    """Tells whether a message is an answer. This server asks nothing, so they are ignored."""
    return type(value) is dict and "method" not in value and ("result" in value or "error" in value)


def _part(value: Any) -> Ask | JsonRpcError | None:
    """Reads a message. Returns a request, what is wrong with it, or None if it needs no answer."""
    if type(value) is not dict:
        return JsonRpcError(INVALID_REQUEST, "The body must be one JSON-RPC message, an object.")
    id_ = _id_of(value)
    method, params = value.get("method"), _object(value.get("params"))
    if value.get("jsonrpc") != "2.0" or type(method) is not str or not method:
        return JsonRpcError(
            INVALID_REQUEST, 'A message needs "jsonrpc": "2.0" and a method.', id_=id_
        )
    if "id" not in value:
        return None
    if id_ is None:
        return JsonRpcError(INVALID_REQUEST, "The id of a request must be text or a whole number.")
    if params is None:
        return JsonRpcError(INVALID_PARAMS, "params must be an object.", id_=id_)
    return Ask(id_, method, params)


def _object(value: Any) -> Mapping[str, Any] | None:
    """Reads an object as clients write it. None for anything else.

    Some write null for one that they would leave out. PHP writes an empty one as `[]`.
    """
    if value is None or value == []:
        return {}
    return value if type(value) is dict else None


def _id_of(value: Any) -> Id | None:
    id_ = value.get("id") if type(value) is dict else None
    return id_ if type(id_) in {int, str} else None


def named_version(value: Any) -> Any:
    """Finds the revision that a message names in its body."""
    params = value.get("params") if type(value) is dict else None
    meta = params.get("_meta") if type(params) is dict else None
    return meta.get(VERSION_META) if type(meta) is dict else None


def _require_modern(version: str | None, id_: Id | None) -> None:
    if version is not None and version not in MODERN:
        data = {"supported": list(SUPPORTED), "requested": version}
        raise JsonRpcError(UNSUPPORTED_VERSION, "Unsupported protocol version.", data=data, id_=id_)


def encoded(text: str) -> str:
    """Encodes text for a header, in Base64 where a header can't hold it as it is."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    if plain and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _decoded(header: str | None) -> str | None:
    """Decodes the text of a header, which may be in Base64. None where that is broken."""
    wrapped = _ENCODED.fullmatch(header) if header is not None else None
    if wrapped is None:
        return header
    try:
        return base64.b64decode(wrapped[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


# --- Answers ----------------------------------------------------------------------------------


def decide(ask: Ask, version: str, about: About, tools: Sequence[Json]) -> Json | ToolCall:
    """Makes the result of a request, or names the tool that makes it.

    Args:
        ask: The request.
        version: Its revision.
        about: This server.
        tools: What the caller may use.

    Raises:
        Fault: There is no such method, or its parameters are wrong.
    """
    modern = version in MODERN
    match ask.method:
        case "tools/list":
            if ask.params.get("cursor") not in (None, ""):
                raise JsonRpcError(
                    INVALID_PARAMS, "There is one page of tools; cursor must be left out."
                )
            kept = {"ttlMs": LIST_TTL_MS, "cacheScope": "private"} if modern else {}
            return {"tools": [_declared(tool, version) for tool in tools], **kept}
        case "tools/call":
            return _tool_call(ask.params)
        case "server/discover" if modern:
            return {
                "supportedVersions": list(SUPPORTED),
                "capabilities": {"tools": {}},
                "instructions": about.instructions,
                "ttlMs": LIST_TTL_MS,
                "cacheScope": "public",
            }
        case "initialize" if not modern:
            return _initialize(ask.params, about)
        case "ping" if not modern:
            return {}
    raise JsonRpcError(METHOD_NOT_FOUND, f"This server has no method {shown(ask.method)}.")


def _initialize(params: Mapping[str, Any], about: About) -> Json:
    asked = params.get("protocolVersion")
    if type(asked) is not str:
        raise JsonRpcError(INVALID_PARAMS, "protocolVersion must be text.")
    return {
        "protocolVersion": asked if asked in HANDSHAKE else HANDSHAKE[0],
        "capabilities": {"tools": {}},
        "serverInfo": about.info,
        "instructions": about.instructions,
    }


def _tool_call(params: Mapping[str, Any]) -> ToolCall:
    name, arguments = params.get("name"), _object(params.get("arguments"))
    if type(name) is not str:
        raise JsonRpcError(INVALID_PARAMS, "name must be the name of a tool.")
    if arguments is None:
        raise JsonRpcError(INVALID_PARAMS, "arguments must be an object.")
    # Models fill in null for what they would leave out.
    return ToolCall(name, {k: v for k, v in arguments.items() if v is not None})


def _declared(tool: Json, version: str) -> Json:
    if has_structure(version):
        return tool
    return {k: v for k, v in tool.items() if k not in {"title", "outputSchema"}}


def has_structure(version: str) -> bool:
    """Tells whether results may hold data beside their text."""
    return version >= _STRUCTURED_SINCE


def wrong_arguments_are_results(version: str) -> bool:
    """Tells whether wrong arguments are a result that the model reads, so that it can mend them."""
    return version >= _SAYS_WRONG_ARGUMENTS_SINCE


def result_message(id_: Id, result: Json, version: str, about: About) -> Json:
    """Makes the answer to a request."""
    if version in MODERN:
        result = {"resultType": "complete", **result, "_meta": {SERVER_META: about.info}}
    return {"jsonrpc": "2.0", "id": id_, "result": result}


def error_message(fault: JsonRpcError, id_: Id | None) -> Json:
    """Makes the answer to a request that failed."""
    error: Json = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": id_, "error": error}


def status_of(fault: JsonRpcError, version: str) -> int:
    """Returns the HTTP status of a request's error. In the older era only the body says it."""
    return _STATUS.get(fault.code, 400) if version in MODERN else 200
