"""The tools of a gateway over two pipes: JSON-RPC lines go to its `/mcp`, and answers come back.

Many requests may be under way at a time, and each is answered as soon as its answer arrives.
Nothing but JSON-RPC is ever written.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

import httpx
import trio

from phonegate import environment_proxies
from phonegate.api.mcp.protocol import PARSE_ERROR, REFUSED, encoded, named_version
from phonegate.cli import gateway_words
from phonegate.client.connection import FAULTS, unanswered

MAX_LINE: Final = 262_144
"""Most bytes of a line: what the gateway accepts in one POST."""

MAX_ASKED: Final = 64
"""Requests that wait for the gateway at once. While there are so many, lines stay unread, so that a
runaway agent takes little memory. The gateway itself lets one key have 20 waits."""

FAREWELL_S: Final = 1.5
"""Seconds for outstanding answers once the input has ended: agents kill a server that still runs
two seconds after they closed its input."""

UNREACHED: Final = -32011
"""There was no answer from a gateway. It is in the range for servers' own errors."""

_ACCEPTED: Final = 202
_CHUNK: Final = 65_536


def run(url: str, settings: Mapping[str, Any], source: int, target: int) -> None:
    """Serves until the input ends, or the reader of the answers is gone.

    Args:
        url: The gateway's address.
        settings: The arguments for a client of httpx.
        source: The file descriptor to read lines from.
        target: The file descriptor to write lines to.
    """
    trio.run(_serve, url.rstrip("/"), settings, source, target)


async def _serve(url: str, settings: Mapping[str, Any], source: int, target: int) -> None:
    with environment_proxies.explained():
        made = httpx.AsyncClient(**settings)
    async with made as http:
        await McpBridge(url, http, source, target).run()


class LineSplitter:
    """Splits data that arrives in pieces into lines. One that is too long becomes None."""

    def __init__(self, longest: int = MAX_LINE) -> None:
        self._longest = longest
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Returns the lines that end in this piece, without their line ends."""
        *ended, self._rest = (self._rest + data).split(b"\n")
        lines: list[bytes | None] = []
        for line in ended:
            if self._skipping:
                self._skipping = False
            else:
                lines.append(line if len(line) <= self._longest else None)
        if self._skipping:
            self._rest = b""
        elif len(self._rest) > self._longest:
            self._skipping, self._rest = True, b""
            lines.append(None)
        return lines

    def end(self) -> bytes:
        """Returns what is left where the input ends without a line end."""
        return self._rest


class McpBridge:
    """Passes lines to a gateway and its answers back."""

    def __init__(self, url: str, http: httpx.AsyncClient, source: int, target: int) -> None:
        self._url = url
        self._http = http
        self._source = source
        self._target = target
        self._scope = trio.CancelScope()
        self._writing = trio.Lock()
        self._room = trio.Semaphore(MAX_ASKED)
        self._asked: dict[int | str, trio.CancelScope] = {}
        self._version: str | None = None
        """The protocol revision that a handshake agreed on."""

    async def run(self) -> None:
        """Serves until the input ends, or the reader of the answers is gone."""
        splitter = LineSplitter()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                while data := await self._read():
                    for line in splitter.feed(data):
                        await self._take(line, nursery)
                await self._take(splitter.end(), nursery)
                self._scope.deadline = trio.current_time() + FAREWELL_S

    async def _read(self) -> bytes:
        # Not through Python's own buffer: the program would abort if a thread still held its
        # lock at the end.
        return await trio.to_thread.run_sync(os.read, self._source, _CHUNK, abandon_on_cancel=True)

    async def _take(self, line: bytes | None, nursery: trio.Nursery) -> None:
        if line is None:
            await self._say(_error(None, PARSE_ERROR, f"A line has more than {MAX_LINE} bytes."))
            return
        if not line.strip():
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            await self._say(_error(None, PARSE_ERROR, "The line is not JSON."))
            return
        if isinstance(message, dict) and "id" not in message and "method" in message:
            # The gateway keeps no state between requests, so it needs no notification.
            if message["method"] == "notifications/cancelled":
                self._cancel(message.get("params"))
            return
        await self._room.acquire()
        nursery.start_soon(self._ask, line, message)

    def _cancel(self, params: Any) -> None:
        """Gives up a request by closing its connection to the gateway. It gets no answer."""
        id_ = params.get("requestId") if isinstance(params, dict) else None
        if _is_id(id_) and id_ in self._asked:
            self._asked[id_].cancel()

    async def _ask(self, line: bytes, message: Any) -> None:
        id_ = message.get("id") if isinstance(message, dict) else None
        scope = trio.CancelScope()
        try:
            with scope:
                if _is_id(id_):
                    self._asked[id_] = scope
                answer = await self._post(line, message)
                if answer is not None:
                    await self._say(answer)
        finally:
            self._room.release()
            if _is_id(id_) and self._asked.get(id_) is scope:
                del self._asked[id_]

    async def _post(self, line: bytes, message: Any) -> Any:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **_headers(message, self._version),
        }
        try:
            response = await self._http.post(f"{self._url}/mcp", content=line, headers=headers)
        except FAULTS as error:
            said = gateway_words.sentence(unanswered(self._url, error))
            return _refusal(message, UNREACHED, said)
        if response.status_code == _ACCEPTED:
            return None
        answer = _understood(response)
        if answer is None:
            return _refusal(message, REFUSED, *_reason(response))
        if isinstance(message, dict) and message.get("method") == "initialize":
            result = answer.get("result") if isinstance(answer, dict) else None
            self._version = result.get("protocolVersion") if isinstance(result, dict) else None
        return answer

    async def _say(self, message: Any) -> None:
        # In ASCII, so that no reader takes a Unicode line separator for the end of the line.
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"

        def write() -> None:
            left = memoryview(data)
            while left:
                left = left[os.write(self._target, left) :]

        async with self._writing:
            try:
                # Not cut short: half a line would corrupt all that follow.
                await trio.to_thread.run_sync(write)
            except BrokenPipeError:
                self._scope.cancel()


def _is_id(value: Any) -> TypeGuard[int | str]:
    return type(value) in {int, str}


def _headers(message: Any, agreed: str | None) -> dict[str, str]:
    """Returns the headers that repeat parts of the body, as its protocol revision requires."""
    method = message.get("method") if isinstance(message, dict) else None
    version = named_version(message)
    if not isinstance(version, str):
        known = agreed if method != "initialize" else None
        return {} if known is None else {"MCP-Protocol-Version": known}
    found = {"MCP-Protocol-Version": encoded(version)}
    if isinstance(method, str):
        found["Mcp-Method"] = encoded(method)
    name = message["params"].get("name")
    if method == "tools/call" and isinstance(name, str):
        found["Mcp-Name"] = encoded(name)
    return found


def _understood(response: httpx.Response) -> Any:
    """Returns the JSON-RPC answer in a response, or None."""
    try:
        body = response.json()
    except ValueError:
        return None
    # A refusal has the form of a JSON-RPC error beside its own, and names no request.
    refused = isinstance(body, dict) and "detail" in body
    known = isinstance(body, list) or (isinstance(body, dict) and "jsonrpc" in body and not refused)
    return body if known else None


def _reason(response: httpx.Response) -> tuple[str, Mapping[str, Any]]:
    """Returns why the gateway refused, as a sentence and as data."""
    status = response.status_code
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "detail" not in body:
        sentence = f"HTTP {status} without JSON: is there a phonegate gateway at PHONEGATE_URL?"
        return sentence, {"status": status}
    data: dict[str, Any] = {"status": status, "code": body.get("code")}
    if (pause := response.headers.get("retry-after", "")).isdecimal():
        data["retry_after_s"] = int(pause)
    return str(body["detail"]), data


def _refusal(message: Any, code: int, text: str, data: Mapping[str, Any] | None = None) -> Any:
    """Returns the error answer to a message, for a batch to each of its requests."""
    if isinstance(message, list):
        ids = [one.get("id") for one in message if isinstance(one, dict) and "id" in one]
        return [_error(id_, code, text, data) for id_ in ids]
    return _error(message.get("id") if isinstance(message, dict) else None, code, text, data)


def _error(id_: Any, code: int, text: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": text}
    if data is not None:
        error["data"] = dict(data)
    return {"jsonrpc": "2.0", "id": id_ if _is_id(id_) else None, "error": error}
