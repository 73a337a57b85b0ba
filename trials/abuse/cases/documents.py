"""Documents made to hurt their reader: deep, wide, huge, doubled, torn, compressed."""

import json
import struct
import time
import zlib

from trials.abuse.case import case
from trials.abuse.org import call
from trials.abuse.victim import ATTACKER, Victim, Wire
from trials.attackers import ORG, SECRET, frame, handshake

SOURCE = "127.0.0.67"
"""Of the documents: they use up what an address may send before its caller is known."""
SOON_S = 5.0
"""An answer that takes longer was dear, even on a busy machine."""
DEPTH = 100_000
FRAME_DEPTH = 30_000
"""What fits into a phone's frame."""

OK = 200
RECEIVED = {
    ("half a surrogate pair", "/webhook"),
    ("half a pair in UTF-8", "/webhook"),
}
"""What a phone received is stored, whatever others put into it."""

_OPEN = b'{"org_id":"' + ORG.encode() + b'","secret_key":"' + SECRET.encode() + b'","messages":'
DOCUMENTS = {
    "deep lists": b"[" * DEPTH,
    "deep lists, closed": _OPEN + b"[" * DEPTH + b"]" * DEPTH + b"}",
    "deep objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "a number of a million digits": _OPEN + b"9" * 1_000_000 + b"}",
    "an exponent beyond all": _OPEN + b"1e999999999}",
    "a hundred thousand keys": b"{"
    + b",".join(b'"%d":1' % number for number in range(80_000))
    + b"}",
    "keys that collide": b"{"
    + b",".join(b'"k%07d":{}' % (number * 2**10) for number in range(60_000))
    + b"}",
    "a string of a megabyte": b'{"org_id":"' + b"a" * 1_000_000 + b'"}',
    "a million quotes": b'"\\' * 500_000,
    "comments without end": b"{" + b"//" * 500_000,
    "a field twice": _OPEN + b'[],"org_id":"other-org"}',
    "half a surrogate pair": _OPEN + b'[{"address":"+15551112222","body":"\\ud800","id":"1"}]}',
    "half a pair as a name": b'{"\\udfff":1}',
    "half a pair in UTF-8": _OPEN + b'[{"address":"\xed\xa0\x80","body":"x","id":"1"}]}',
    "overlong UTF-8": b'{"org_id":"\xc0\xaf"}',
    "not a number": _OPEN + b"NaN}",
    "UTF-16": _OPEN.decode().encode("utf-16"),
    "nothing": b"",
    "500 empty messages": _OPEN + b"[" + b",".join([b"{}"] * 500) + b"]}",
    "many messages": _OPEN + b"[" + b",".join([b"[]"] * 300_000) + b"]}",
}


@case("hurtful JSON", "400, 413 or 429 in JSON, soon; on the phone link an error frame, then 1008")
async def hurtful_json(victim: Victim) -> None:
    slowest = 0.0
    for name, document in DOCUMENTS.items():
        for target in ("/webhook", f"/send/{ORG}", "/assistants"):
            begun = time.monotonic()
            status, body = await _post(victim, target, document, source=SOURCE)
            slowest = max(slowest, time.monotonic() - begun)
            # Where the head names no org, the address has soon made all its requests; and where
            # no secret is found, that may be said first.
            allowed = {400, 413} if ORG in target else {400, 401, 413, 429}
            if (name, target) in RECEIVED:
                allowed = {OK}
            victim.expect(status in allowed, f"{name} at {target}: {status} {body[:80]!r}")
            victim.expect(
                not body or json.loads(body)["ok"] is (status == OK),
                f"{name} at {target}: {body[:80]!r}",
            )
    victim.expect(slowest < SOON_S, f"an answer took {slowest:.1f} s")
    codes = [await _phone_says(victim, list(_frames()))]
    victim.expect(codes == [1008], f"a phone that speaks nonsense was closed with {codes}")
    victim.seen(f"{3 * len(DOCUMENTS)} documents, slowest {slowest * 1000:.0f} ms; phone 1008")


def _frames() -> list[bytes]:
    inbound = b'{"type":"inbound","message":'
    return [
        b"[" * FRAME_DEPTH,
        inbound + b"[" * (FRAME_DEPTH // 2) + b"]" * (FRAME_DEPTH // 2) + b"}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        inbound + b"9" * 60_000 + b"}",
        b'{"type":"send_result","id":1e999,"success":true}',
        b'{"type":"send_result","id":' + b"9" * 5_000 + b',"success":true}',
        b"{" + b",".join(b'"%d":1' % number for number in range(5_000)) + b"}",
        b'{"type":"' + b"a" * 60_000 + b'"}',
        b'{"type":"\\ud800"}',
        b'{"type":"ack","type":"nothing","id":1}',
        b'{"type":"ack","id":NaN}',
        inbound + b'{"address":"\\ud800","body":"\\udfff","date":1,"id":"1"}}',
        b'"\\' * 30_000,
        *[b"\x00"] * 20,
    ]


async def _phone_says(victim: Victim, texts: list[bytes]) -> int:
    """Sends frames. Returns the close code, or 0 if there was none."""
    async with await victim.connect() as wire:
        await wire.send(handshake(device="talker"))
        await wire.some(b"\r\n\r\n")
        for text in texts:
            await wire.send(frame(text))
        return await _close_code(victim, wire)


async def _close_code(victim: Victim, wire: Wire) -> int:
    while (came := await wire.frame(10)) is not None:
        opcode, payload = came
        if opcode == 8:
            return int(struct.unpack("!H", payload[:2])[0])
        if opcode == 1:
            said = json.loads(payload)["type"]
            victim.expect(said in {"error", "pong", "connected"}, f"a phone was answered {said}")
    return 0


async def _post(
    victim: Victim,
    target: str,
    body: bytes,
    more: str = "",
    length: int | None = None,
    *,
    source: str = ATTACKER,
) -> tuple[int, bytes]:
    length = len(body) if length is None else length
    head = (
        f"POST {target} HTTP/1.1\r\nHost: x\r\nX-Secret-Key: {SECRET}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
    )
    async with await victim.connect(source) as wire:
        await wire.send(head.encode() + body)
        got, _, answer = (await wire.answer() or b"").partition(b"\r\n\r\n")
    return int(got[9:12] or b"0"), answer


@case(
    "compression",
    "no extension accepted, a frame with RSV1 closes 1002, a compressed body is 415 unread",
)
async def compressed(victim: Victim) -> None:
    bomb = zlib.compress(b" " * 200_000_000, 9)
    before = victim.gateway.holdings()
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip"):
        status, body = await _post(
            victim, "/webhook", bomb, f"Content-Encoding: {coding}\r\n", len(bomb)
        )
        victim.expect(status == 415, f"{coding}: {status} {body[:80]!r}")
    grown = victim.gateway.holdings().rss_bytes - before.rss_bytes
    victim.expect(grown < 100_000_000, f"a bomb of 200 MB was unpacked: {grown:+d} bytes")
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    codes = []
    for first in (0xC0, 0xA0, 0x90, 0xF0):
        async with await victim.connect() as wire:
            await wire.send(handshake(device="packer")[:-2] + offer)
            head = await wire.some(b"\r\n\r\n")
            victim.expect(b" 101 " in head[:20], f"the offer was answered {head[:60]!r}")
            victim.expect(b"permessage" not in head.lower(), "the extension was accepted")
            await wire.send(frame(zlib.compress(b" " * 60_000), first=first))
            codes.append(await _close_code(victim, wire))
    victim.expect(set(codes) == {1002}, f"frames with RSV bits were closed with {codes}")
    status, _ = await call(victim, "GET", "/health", None)
    victim.expect(status == 200, f"/health: {status}")
    victim.seen(f"5 codings 415, memory {grown / 2**20:+.0f} MiB; RSV bits closed {set(codes)}")
