"""Requests that two readers may read differently, straight at the gateway and behind proxies.

Each form carries an inner request that no client sent: whether it is served shows in the gateway's
own log, by the address that it came from.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import attrs
import trio

from trials.abuse.case import case
from trials.abuse.cases.proxies import CASES as PROXIES
from trials.abuse.cases.proxies import Proxy
from trials.abuse.victim import Victim, Wire, statuses
from trials.attackers import ORG, SECRET, Attackers, handshake

INNER_PATH = "/sims/" + ORG
INNER = f"GET {INNER_PATH} HTTP/1.1\r\nHost: x\r\nX-Secret-Key: {SECRET}\r\n\r\n".encode()
BODY = json.dumps({"org_id": ORG, "secret_key": SECRET, "messages": []}).encode()
SIZE = len(BODY)
QUIET_S = 0.3
"""With nothing more to come for so long, a connection that stays has said all it had to say."""
PATIENCE_S = 20.0
"""For what was passed on and served to stand in the logs, on a busy machine."""


@attrs.frozen
class Form:
    """Bytes on one connection, in parts that are sent apart.

    `pair`: they are two requests by every reading, so that the inner one may be served.
    """

    name: str
    parts: tuple[bytes, ...]
    pair: bool = False


def _post(*lines: bytes, body: bytes = BODY, target: bytes = b"/webhook") -> bytes:
    head = [b"POST " + target + b" HTTP/1.1", b"Host: x", b"Content-Type: application/json"]
    return b"\r\n".join([*head, *lines, b"", b""]) + body


def _chunked(body: bytes, *, size: bytes | None = None, end: bytes = b"\r\n") -> bytes:
    size = b"%x" % len(body) if size is None else size
    return size + end + body + end + b"0" + end + end


def _length(value: bytes) -> bytes:
    return b"Content-Length: " + value


CL = _length(b"%d" % SIZE)
BOTH = _length(b"%d" % (SIZE + len(INNER)))
TE = b"Transfer-Encoding: chunked"
CHUNKED = _chunked(BODY)


def _te(value: bytes, name: bytes = b"Transfer-Encoding:") -> bytes:
    return name + value


FORMS = [
    Form("a pair", (_post(CL) + INNER,), pair=True),
    Form("a chunked pair", (_post(TE, body=CHUNKED) + INNER,), pair=True),
    Form("inner within the length", (_post(BOTH, body=BODY + INNER),)),
    Form("inner within a chunk", (_post(TE, body=_chunked(BODY + INNER)),)),
    Form("CL and TE, end first", (_post(CL, TE, body=b"0\r\n\r\n" + INNER),)),
    Form("CL short and TE", (_post(_length(b"4"), TE, body=_chunked(INNER)),)),
    Form("TE and CL short", (_post(TE, _length(b"4"), body=_chunked(INNER)),)),
    Form("TE and CL 0", (_post(TE, _length(b"0"), body=_chunked(INNER)),)),
    Form("two CLs, short last", (_post(BOTH, CL, body=BODY + INNER),)),
    Form("two CLs, short first", (_post(CL, BOTH, body=BODY + INNER),)),
    Form("one CL twice", (_post(CL, CL) + INNER,), pair=True),
    Form("CL as a list", (_post(CL + b", " + CL[16:]) + INNER,), pair=True),
    Form("CL with a plus", (_post(_length(b"+%d" % SIZE)) + INNER,)),
    Form("CL negative", (_post(_length(b"-1")) + INNER,)),
    Form("CL in hex", (_post(_length(b"0x%x" % SIZE)) + INNER,)),
    Form("CL with an underscore", (_post(_length(b"1_0"), body=b"0123456789") + INNER,)),
    Form("CL with a space within", (_post(_length(b"1 0"), body=b"0123456789") + INNER,)),
    Form("CL in other digits", (_post(_length("\u0665".encode()), body=b"01234") + INNER,)),
    Form("CL with zeros before", (_post(_length(b"000%d" % SIZE)) + INNER,), pair=True),
    Form("CL beyond 64 bits", (_post(_length(b"1" + b"8446744073709551616")) + INNER,)),
    Form("CL empty", (_post(_length(b"")) + INNER,)),
    Form("CL with a space before the colon", (_post(b"Content-Length : %d" % SIZE) + INNER,)),
    Form("CL with a tab before the colon", (_post(b"Content-Length\t: %d" % SIZE) + INNER,)),
    Form("CL after a tab", (_post(b"Content-Length:\t%d\t" % SIZE) + INNER,), pair=True),
    Form("CL folded", (_post(b"Content-Length:\r\n %d" % SIZE) + INNER,)),
    Form("TE of another coding", (_post(_te(b" xchunked"), CL, body=INNER),)),
    Form("TE identity and CL", (_post(_te(b" identity"), CL, body=BODY + INNER),)),
    Form("TE gzip, chunked", (_post(_te(b" gzip, chunked"), body=CHUNKED + INNER),)),
    Form("TE chunked, identity", (_post(_te(b" chunked, identity"), body=CHUNKED + INNER),)),
    Form("TE chunked twice", (_post(TE, TE, body=CHUNKED + INNER),)),
    Form("TE twice, other first", (_post(_te(b" x"), TE, CL, body=b"0\r\n\r\n" + INNER),)),
    Form(
        "TE with a space before the colon",
        (_post(_te(b" chunked", b"Transfer-Encoding :"), CL, body=b"0\r\n\r\n" + INNER),),
    ),
    Form("TE after a tab, and CL", (_post(_te(b"\tchunked"), CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE after VT, and CL", (_post(_te(b"\x0bchunked"), CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE in capitals, and CL", (_post(_te(b" CHUNKED"), CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE folded", (_post(_te(b"\r\n chunked"), CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE quoted", (_post(_te(b' "chunked"'), CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE with a bare LF before", (_post(b"X: a\n" + TE, CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE with a bare CR before", (_post(b"X: a\r" + TE, CL, body=b"0\r\n\r\n" + INNER),)),
    Form("TE with NUL", (_post(_te(b" chunked\x00"), CL, body=b"0\r\n\r\n" + INNER),)),
    Form("chunk size in letters", (_post(TE, body=b"zz\r\n" + INNER),)),
    Form("chunk size negative", (_post(TE, body=b"-1\r\n" + INNER),)),
    Form("chunk size with 0x", (_post(TE, body=_chunked(BODY, size=b"0x%x" % SIZE) + INNER),)),
    Form("chunk size with a plus", (_post(TE, body=_chunked(BODY, size=b"+%x" % SIZE) + INNER),)),
    Form("chunk size after a space", (_post(TE, body=_chunked(BODY, size=b" %x" % SIZE) + INNER),)),
    Form("chunk size beyond 64 bits", (_post(TE, body=b"1" + b"0" * 16 + b"\r\n" + INNER),)),
    Form("chunk size of 100 digits", (_post(TE, body=b"0" * 98 + b"5\r\nhello\r\n" + INNER),)),
    Form("chunk longer than said", (_post(TE, body=b"3\r\nhello\r\n0\r\n\r\n" + INNER),)),
    Form("chunk without its end", (_post(TE, body=b"5\r\nhello0\r\n\r\n" + INNER),)),
    Form("chunks with bare LF", (_post(TE, body=_chunked(BODY, end=b"\n") + INNER),)),
    Form("chunks with bare CR", (_post(TE, body=_chunked(BODY, end=b"\r") + INNER),)),
    Form(
        "chunk extension",
        (_post(TE, body=_chunked(BODY, size=b'%x;a="b;c"' % SIZE) + INNER),),
        pair=True,
    ),
    Form(
        "chunk extension with a bare LF",
        (_post(TE, body=b"5;a\nhello\r\n0\r\n\r\n" + INNER),),
    ),
    Form(
        "chunk extension with a bare CR",
        (_post(TE, body=b"5;a\rhello\r\n0\r\n\r\n" + INNER),),
    ),
    Form(
        "trailer that says CL",
        (_post(TE, body=CHUNKED[:-2] + CL + b"\r\n\r\n" + INNER),),
        pair=True,
    ),
    Form("a folded line", (_post(b"X: a\r\n b", CL) + INNER,), pair=True),
    Form("a folded first line", (b"POST /webhook HTTP/1.1\r\n Host: x\r\n\r\n" + INNER,)),
    Form("bare LF throughout", (_post(CL).replace(b"\r\n", b"\n") + INNER,), pair=True),
    Form(
        "bare LF at the head's end", (b"GET /health HTTP/1.1\r\nHost: x\r\n\n" + INNER,), pair=True
    ),
    Form("bare LF in a value", (_post(b"X: a\n" + INNER.replace(b"\r\n", b"\n"), CL),)),
    Form("bare CR in a value", (_post(b"X: a\rX: b", CL) + INNER,)),
    Form("NUL in a value", (_post(b"X: a\x00b", CL) + INNER,)),
    Form("NUL in a name", (_post(b"X\x00: a", CL) + INNER,)),
    Form("no colon", (_post(b"Nonsense", CL) + INNER,)),
    Form("no name", (_post(b": a", CL) + INNER,)),
    Form("two Hosts", (_post(b"Host: y", CL) + INNER,)),
    Form("absolute form", (_post(CL, target=b"http://x/webhook") + INNER,), pair=True),
    Form("absolute form of elsewhere", (_post(CL, target=b"http://y/webhook") + INNER,), pair=True),
    Form("a target with a space", (_post(CL, target=b"/webhook HTTP/1.1 x") + INNER,)),
    Form("a target with a tab", (_post(CL, target=b"/webhook\t") + INNER,)),
    Form(
        "GET with a body",
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + BOTH + b"\r\n\r\n" + BODY + INNER,),
    ),
    Form(
        "GET with chunks",
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + TE + b"\r\n\r\n" + _chunked(INNER),),
    ),
    Form("HTTP/1.0 with chunks", (_post(TE, body=_chunked(INNER)).replace(b"1.1", b"1.0", 1),)),
    Form("HTTP/0.9", (b"GET /health\r\n" + INNER,)),
    Form("HTTP/1.2", (_post(CL).replace(b"1.1", b"1.2", 1) + INNER,), pair=True),
    Form("lower-case method", (_post(CL).replace(b"POST", b"post", 1) + INNER,)),
    Form("empty lines first", (b"\r\n\r\n" + _post(CL) + INNER,), pair=True),
    Form(
        "an upgrade to h2c with a body",
        (
            _post(
                CL, b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAAA"
            )
            + INNER,
        ),
        pair=True,
    ),
    Form(
        "a websocket with a body",
        (handshake()[:-2] + _length(b"%d" % len(INNER)) + b"\r\n\r\n" + INNER,),
    ),
    Form(
        "a websocket of a wrong version",
        (handshake().replace(b": 13", b": 777") + INNER,),
        pair=True,
    ),
    Form(
        "a body behind an early refusal",
        (
            _post(
                _length(b"%d" % len(INNER)),
                b"X-Secret-Key: wrong",
                body=b"",
                target=b"/send/nobody",
            ),
            INNER,
        ),
    ),
    Form("a body too large, in parts", (_post(_length(b"2000000"), body=b""), INNER)),
    Form(
        "a body behind a wrong address",
        (_post(_length(b"%d" % len(INNER)), body=b"", target=b"/nowhere"), INNER),
    ),
    Form(
        "a body behind 100-continue",
        (
            _post(
                _length(b"%d" % len(INNER)), b"Expect: 100-continue", body=b"", target=b"/nowhere"
            ),
            INNER,
        ),
    ),
    Form(
        "Connection names Content-Length",
        (_post(BOTH, b"Connection: close, Content-Length", body=BODY + INNER),),
    ),
]


async def _say(wire: Wire, parts: Sequence[bytes], answers: int) -> bytes:
    """Sends the parts. Returns what comes until the other side closes or sends no more.

    So many answers are waited for with patience.
    """
    data = bytearray()
    for part in parts[:-1]:
        await wire.send(part)
        await trio.sleep(0.05)
    await wire.send(parts[-1])
    while True:
        quiet_s = QUIET_S if data else 3 * QUIET_S
        if len(statuses(bytes(data))) < answers:
            quiet_s = PATIENCE_S
        piece = b""
        with trio.move_on_after(quiet_s), suppress(trio.BrokenResourceError):
            piece = bytes(await wire.stream.receive_some(65_536))
        if not piece:
            return bytes(data)
        data += piece


async def _all(victim: Victim, port: int, network: int) -> dict[str, bytes]:
    """Sends each form from an address of its own. Returns the answers by form."""
    answers: dict[str, bytes] = {}
    limit = trio.CapacityLimiter(30)

    async def one(number: int, form: Form) -> None:
        attackers = Attackers(port, victim.chance, source=_address(network, number))
        async with limit, Wire(await attackers.connect()) as wire:
            # Two plain requests in a row must have two answers.
            answers[form.name] = await _say(wire, form.parts, 0 if number else 2)

    async with trio.open_nursery() as nursery:
        for number, form in enumerate(FORMS):
            nursery.start_soon(one, number, form)
    return answers


async def _until(is_so: Callable[[], bool]) -> None:
    """Waits for it, and goes on without where it does not come."""
    with trio.move_on_after(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - nothing tells
            await trio.sleep(0.05)


def _is_written(victim: Victim, proxy: Proxy, network: int) -> bool:
    """Tells whether a pair was served, and the proxy has logged all that the gateway served."""
    passed = proxy.seen()
    addresses = [_address(network, number) for number in range(len(FORMS))]
    served = {address: len(victim.served(address)) for address in addresses}
    return served[addresses[0]] >= 2 and all(
        count <= len(passed[address]) for address, count in served.items()
    )


def _address(network: int, number: int) -> str:
    return f"127.0.{network}.{number + 1}"


@case(
    "request smuggling",
    "one request at most is served of each form, and no body or half-read head ever is one",
)
async def smuggling(victim: Victim) -> None:
    answers = await _all(victim, victim.port, 2)
    await _until(lambda: len(victim.served(_address(2, 0))) >= 2)
    refused: Counter[int] = Counter()
    for number, form in enumerate(FORMS):
        found = statuses(answers[form.name])
        served = victim.served(_address(2, number))
        inner = sum(INNER_PATH in line for line in served)
        most = 2 if form.pair else 1
        victim.expect(inner <= form.pair, f"{form.name}: its body was served as a request")
        victim.expect(len(served) <= most, f"{form.name}: {len(served)} requests served")
        victim.expect(len(found) <= most, f"{form.name}: {len(found)} answers, {found}")
        victim.expect(
            all(status < 500 or status in {501, 505} for status in found), f"{form.name}: {found}"
        )
        refused.update(found[:1])
    pair = victim.served(_address(2, 0))
    victim.expect(len(pair) == 2, f"two plain requests in a row were {len(pair)}")
    victim.seen(
        f"{len(FORMS)} forms: "
        + ", ".join(f"{status}: {times}" for status, times in sorted(refused.items()))
    )


@case(
    "request smuggling through proxies",
    "behind nginx and Caddy, the gateway serves no request that the proxy didn't see as one",
)
async def through_proxies(victim: Victim) -> None:
    for network, name in enumerate(PROXIES, 3):
        async with Proxy.running(name, victim.port) as proxy:
            await _all(victim, proxy.port, network)
            await trio.sleep(QUIET_S)
            await _until(partial(_is_written, victim, proxy, network))
            passed = proxy.seen()
        total = 0
        for number, form in enumerate(FORMS):
            address = _address(network, number)
            served = victim.served(address)
            total += len(served)
            inner = sum(INNER_PATH in line for line in served)
            known = sum(INNER_PATH in target for target in passed[address])
            victim.expect(
                inner <= known,
                f"{form.name}, behind {name}: {inner} inner requests, it saw {known}",
            )
            victim.expect(
                len(served) <= len(passed[address]),
                f"{form.name}, behind {name}: {len(served)} served of {len(passed[address])}",
            )
            victim.expect(
                inner <= form.pair or known, f"{form.name}, behind {name}: a body was served"
            )
        pair = victim.served(_address(network, 0))
        victim.expect(len(pair) == 2, f"behind {name} two plain requests were {len(pair)}")
        victim.seen(f"{name}: {total} requests of {len(FORMS)} forms served")
