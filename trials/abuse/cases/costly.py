"""Content of legal size that is made to be dear: to parse, to check, to index, to answer.

Few requests of it do what a flood does otherwise. Beside each content stands what honest readers
waited meanwhile, and the longest wait of a probe: what the event loop took at once, or less.
"""

import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import attrs
import trio

from trials.abuse.case import case
from trials.abuse.honest_process import Latency
from trials.abuse.org import phone
from trials.abuse.victim import Victim
from trials.attackers import ORG, SECRET, frame

AT_ONCE = 4
"""Clients that send the same, in an attack of `LONG_S` and more."""
PAUSE_S = 0.01
SOURCE = "127.0.0.68"
"""Its own: what is counted of it is not counted of the attackers of other cases."""
PROBE = "127.0.0.77"
PROBE_PAUSE_S = 0.02
BYTES = 1_000_000
"""Of a body: just below the limit."""
HEADER = 15_000
"""Bytes of a header: just below the limit of a head."""
FRAME = 65_000
LONG_S = 2.0
"""An attack of this length and more has texts as long as they may be, and many clients."""
FAILURES = {500, 502, 504}

_OPEN = b'{"org_id":"%s","messages":' % ORG.encode()


@attrs.frozen(kw_only=True)
class Content:
    """What is sent again and again: whole requests, or frames of one phone."""

    name: str
    method: str = "POST"
    target: str = "/webhook"
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b""
    known: bool = False
    """Whether the right secret of an org stands in the head."""

    def request(self) -> bytes:
        """Returns the bytes of it."""
        fields = {"Host": b"x", "Content-Type": b"application/json"}
        if self.known:
            fields["X-Secret-Key"] = SECRET.encode()
        fields |= dict(self.headers)
        head = f"{self.method} {self.target} HTTP/1.1\r\n".encode()
        head += b"".join(b"%s: %s\r\n" % (n.encode(), v) for n, v in fields.items())
        return head + b"Content-Length: %d\r\n\r\n" % len(self.body) + self.body


def headers() -> Iterator[Content]:
    """Values that a parser of headers may go over again and again."""
    values = {
        "Content-Type": b'application/json;a="' + b";" * HEADER,
        "Content-Type ": b"application/json" + b"; a" * (HEADER // 3),
        "X-Forwarded-For": b"127.0.0.1," * (HEADER // 10),
        "Authorization": b"Bearer" + b" " * HEADER + b"x",
        "Accept-Encoding": b"gzip;q=0" + b" " * HEADER + b",",
        "Idempotency-Key": b'"' + b"\\\\" * (HEADER // 2),
        "Mcp-Name": b"=?base64?" + b"?=" * (HEADER // 2),
        "Cookie": b'a="' + b"\\" * HEADER,
        "Forwarded": b'for="' + b";" * HEADER,
        "Range": b"bytes=" + b"0-1," * (HEADER // 4),
        "Host": b"a." * (HEADER // 2),
    }
    for name, value in values.items():
        target = f"/send/{ORG}" if name != "Accept-Encoding" else "/docs"
        yield Content(
            name=f"header {name}", target=target, headers=((name.strip(), value),), body=b"{}"
        )
    yield Content(name="query", method="GET", target="/health?" + "a=%41&" * (HEADER // 6))


def documents() -> Iterator[Content]:
    """JSON whose reading costs more than its bytes."""
    texts = {
        "nested lists": _OPEN + b"[" + b",".join([b"[" * 900 + b"]" * 900] * 500) + b"]}",
        "nested objects": _OPEN + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        "commas": _OPEN + b"[" + b"1," * (BYTES // 2) + b"1]}",
        "commas to the limit": _OPEN + b"[" + b"1.5," * 19_990 + b"1]}",
        "strings": _OPEN + b"[" + b'"",' * (BYTES // 3) + b"1]}",
        "comments": b"{" + b"//\n" * (BYTES // 3),
        "comments and strings": b"{//\n" + b'""' * (BYTES // 2),
        "a field again and again": b"{" + b'"a":1,' * 19_000 + b'"a":1}',
        "fields": b"{" + b",".join(b'"%d":1' % n for n in range(19_000)) + b"}",
        "large numbers": _OPEN + b"[" + b",".join([b"9" * 4_000] * 200) + b"]}",
        "fractions": _OPEN + b"[" + b",".join([b"1." + b"7" * 45] * 19_000) + b"]}",
        "escapes": b'{"org_id":"' + b"\\u0041" * (BYTES // 6) + b'"}',
        "wrong messages": _OPEN + b"[" + b",".join([b'{"address":1,"body":[]}'] * 500) + b"]}",
        "empty messages": _OPEN + b"[" + b",".join([b"{}"] * 500) + b"]}",
    }
    for name, body in texts.items():
        yield Content(name=f"{name}, unknown caller", body=body)
        yield Content(name=f"{name}, known caller", body=body, known=True)


def texts(long: bool) -> Iterator[Content]:  # noqa: FBT001 - of the attack's length
    """Texts that are dear to index and to search."""
    count = 60_000 if long else 4_000
    bodies = {
        "combining marks": "a" + "\u0345\u0315" * (count // 2),
        "one character as eighteen": "\ufdfa" * (count // 3),
        "Han": "".join(chr(0x4E00 + n % 20_000) for n in range(count)),
        "words all different": " ".join(f"w{n:x}" for n in range(count // 6)),
    }
    for name, text in bodies.items():
        sms = {"address": "+15551112222", "body": text, "id": str(time.time_ns())}
        body = json.dumps({"org_id": ORG, "messages": [sms]}, ensure_ascii=False).encode()
        yield Content(name=f"text of {name}", body=body, known=True)
    for name, words in (
        ("marks", "%CD%85%CC%95" * 100),
        ("beginnings", "w*"),
        ("Han", "%E4%B8%80*"),
    ):
        target = f"/messages/{ORG}?q={words}&limit=1000"
        yield Content(name=f"search for {name}", method="GET", target=target, known=True)


def batches() -> Iterator[Content]:
    """Yields what agents may ask for at once."""
    call = {"name": "get_messages", "arguments": {"limit": 100}}
    batch = [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": call} for n in range(20)]
    target = f"/mcp?org_id={ORG}"
    yield Content(name="a batch", target=target, body=json.dumps(batch).encode(), known=True)
    numbers = (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[' + b"1.5," * 19_000 + b"1]}}"
    )
    yield Content(name="a batch's numbers", target=target, body=numbers, known=True)
    page = f"/messages/{ORG}?limit=1000"
    yield Content(name="a full page", method="GET", target=page, known=True)


def frames() -> dict[str, bytes]:
    """Returns a phone's frames."""
    inbound = b'{"type":"inbound","messages":['
    sms = b'{"address":"+15551112222","body":"","date":1,"sim_slot":0,"id":1}'
    return {
        "nested": b"[" + b",".join([b"[" * 900 + b"]" * 900] * 35) + b"]",
        "lists": b'{"type":"ping","x":[' + b"[]," * (FRAME // 4) + b"1]}",
        "numbers": b'{"type":"ping","x":[' + b"1.5," * 9_900 + b"1]}",
        "fields": b'{"type":"ping",' + b",".join(b'"%d":1' % n for n in range(6_000)) + b"}",
        "escapes": b'{"type":"' + b"\\u0041" * (FRAME // 6) + b'"}',
        "messages": inbound + b",".join([sms] * 500) + b"]}",
    }


@attrs.define
class Meter:
    """What others notice, and what the gateway needs, while a content is sent."""

    victim: Victim
    begun: float = attrs.field(factory=time.monotonic)
    cpu_s: float = 0.0
    worst_ms: float = 0.0

    async def probe(self) -> None:
        """Asks for the least again and again, on one connection."""
        request = b"GET /no/such/address HTTP/1.1\r\nHost: x\r\n\r\n"
        async with await self.victim.connect(PROBE) as wire:
            while True:
                begun = time.monotonic()
                await wire.send(request)
                if not await wire.some(b"\r\n\r\n"):
                    return
                self.worst_ms = max(self.worst_ms, (time.monotonic() - begun) * 1000)
                await trio.sleep(PROBE_PAUSE_S)

    def summary(self) -> str:
        ended = time.monotonic()
        samples = self.victim.honest.between(self.begun, ended)["read"]
        latency = Latency.of(samples)
        gateway = self.victim.gateway
        share = (gateway.cpu_s() - self.cpu_s) / (ended - self.begun)
        rss = gateway.rss_bytes() >> 20
        return (
            f"p50 {latency.p50:.0f}, p99 {latency.p99:.0f}, probe {self.worst_ms:.0f} ms, "
            f"CPU {share:.0%}, {rss} MiB"
        )


async def _measured(
    victim: Victim, name: str, attack: Callable[[Counter[str]], Awaitable[None]]
) -> None:
    counts: Counter[str] = Counter()
    meter = Meter(victim)
    meter.cpu_s = victim.gateway.cpu_s()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(meter.probe)
        await attack(counts)
        nursery.cancel_scope.cancel()
    answers = ", ".join(f"{what}: {times}" for what, times in sorted(counts.items()))
    victim.seen(f"{name} ({answers}): {meter.summary()}")


async def _send(victim: Victim, content: Content, seconds: float, counts: Counter[str]) -> None:
    """A content for so long, each time on a connection of its own: a refusal may close it."""
    request = content.request()
    until = trio.current_time() + seconds

    async def client() -> None:
        while True:
            with suppress(OSError, trio.BrokenResourceError):
                async with await victim.connect(SOURCE) as wire:
                    # The answer may come before the last of the request is taken.
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(wire.send, request)
                        head = await wire.some(b"\r\n\r\n", 30)
                        nursery.cancel_scope.cancel()
                    status = int(head[9:12] or b"0")
                    counts[str(status)] += 1
                    victim.expect(status not in FAILURES, f"{content.name}: {head[:60]!r}")
            if trio.current_time() >= until:
                return
            await trio.sleep(PAUSE_S)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE if victim.seconds >= LONG_S else 1):
            nursery.start_soon(client)


async def _speak(victim: Victim, text: bytes, seconds: float, counts: Counter[str]) -> None:
    """A phone's frame again and again, until it is closed for nonsense and comes again."""
    data = frame(text)
    until = trio.current_time() + seconds
    number = 0
    while True:
        number += 1
        wire = await phone(victim, f"costly-{number % 3}", f"+1555777{number % 3}000")
        async with wire, trio.open_nursery() as nursery:
            nursery.start_soon(_listen, wire.stream)
            while trio.current_time() < until and await wire.send(data):
                counts["frames"] += 1
                await trio.sleep(PAUSE_S / 2)
            nursery.cancel_scope.cancel()
        if trio.current_time() >= until:
            return


async def _listen(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while await stream.receive_some(65_536):
            pass


@case(
    "costly content",
    "answered or refused at once, by its size and its count; no other client waits for it",
)
async def costly_content(victim: Victim) -> None:
    contents = [*headers(), *documents(), *texts(victim.seconds >= LONG_S), *batches()]
    spoken = frames()
    each = victim.seconds / (len(contents) + len(spoken))
    if victim.seconds >= LONG_S:
        each = max(each, 1.0)
    for content in contents:

        async def sent(counts: Counter[str], content: Content = content) -> None:
            await _send(victim, content, each, counts)

        await _measured(victim, content.name, sent)
    for name, text in spoken.items():

        async def said(counts: Counter[str], text: bytes = text) -> None:
            await _speak(victim, text, each, counts)

        await _measured(victim, f"frame of {name}", said)
