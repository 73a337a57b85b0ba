"""Times sends by dialects beside `POST /send`, by the same clients in turns.

    python -m bench.dialects --seconds 4 --rounds 3

One org has a phone that answers at once. Some clients keep their connections and send one message
after the other, in each round for some seconds by each of the APIs. Measured are the messages a
second, the time of an answer, and the CPU time of the server for a message. The server runs on one
core, the load on another.
"""

import argparse
import base64
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import attrs
import uvloop

from bench import machine
from bench.servers import Server, phonegate
from kit.load import http
from kit.load.deliveries import text
from kit.load.loops import Loops, Wrong
from kit.load.org import Org
from kit.program import cores, on_core

CLIENTS = 64
WARM_S = 1.0
TO = "+15553334444"

Make = Callable[[int], bytes]
"""Makes the request that sends the message of a number."""


@attrs.define
class Api:
    """One of those that are compared."""

    name: str
    make: Make
    rates: list[float] = attrs.field(factory=list)
    cpu_us: list[float] = attrs.field(factory=list)


def form(target: str, fields: str, headers: dict[str, str]) -> bytes:
    """Returns a request with a form."""
    body = fields.encode()
    head = [f"POST {target} HTTP/1.1", f"Host: {http.HOST}", "Accept: */*"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    head += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def apis(org: Org, key: str) -> list[Api]:
    """Returns the APIs, each with its requests."""
    bearer = {"Authorization": f"Bearer {key}"}
    basic = {"Authorization": f"Basic {base64.b64encode(f'{org.name}:{key}'.encode()).decode()}"}
    to = quote(TO)

    def plain(number: int) -> bytes:
        body = json.dumps({"to": TO, "body": text(number)}).encode()
        return http.encode("POST", f"/send/{org.name}", body, headers=bearer)

    def generic(number: int) -> bytes:
        body = json.dumps({"to": TO, "text": text(number)}).encode()
        return http.encode("POST", "/sms", body, headers=bearer)

    def generic_form(number: int) -> bytes:
        return form("/sms", f"to={to}&text={quote(text(number))}", bearer)

    def generic_get(number: int) -> bytes:
        query = f"key={key}&to={to}&text={quote(text(number))}"
        return http.encode("GET", f"/sms?{query}")

    def twilio(number: int) -> bytes:
        account = f"/2010-04-01/Accounts/AC{1:032x}/Messages.json"
        fields = f"To={to}&MessagingServiceSid=MG{0:032x}&Body={quote(text(number))}"
        return form(account, fields, basic)

    def kannel(number: int) -> bytes:
        query = f"username={org.name}&password={key}&to={to}&text={quote(text(number))}"
        return http.encode("GET", f"/cgi-bin/sendsms?{query}")

    return [
        Api("POST /send, JSON", plain),
        Api("POST /sms, JSON", generic),
        Api("POST /sms, form", generic_form),
        Api("GET /sms", generic_get),
        Api("Twilio: create", twilio),
        Api("Kannel: sendsms", kannel),
    ]


async def key_of(org: Org) -> str:
    """Makes an API key that can send and nothing else."""
    body = json.dumps({"name": "bench", "scopes": ["send"]}).encode()
    request = http.encode("POST", f"/keys/{org.name}", body, headers=org.headers)
    status, answer = await http.ask(org.server.port, request)
    if status != 201:
        raise Wrong(f"/keys: {status} {answer!r}")
    key: str = json.loads(answer)["key"]
    return key


async def turn(server: Server, org: Org, api: Api, seconds: float) -> None:
    """Sends by one API for some seconds, and notes how fast that was."""
    sent = 0

    def accepted() -> None:
        nonlocal sent
        sent += 1
        org.deliveries.accepted += 1

    loops = Loops(server.port, CLIENTS, lambda: api.make(org.deliveries.take()), accepted)
    org.deliveries.begin()
    before = server.cpu_s()
    try:
        await loops.run(seconds)
    finally:
        loops.close()
    spent = server.cpu_s() - before
    await org.all_sent()
    api.rates.append(sent / seconds)
    api.cpu_us.append(spent / max(sent, 1) * 1e6)


async def measure(folder: Path, seconds: float, rounds: int, warm_s: float = WARM_S) -> list[str]:
    """Returns the lines of a table."""
    async with Server(phonegate(), folder / "dialects.db") as server, Org(server, "bench") as org:
        await org.connect(1)
        compared = apis(org, await key_of(org))
        for api in compared:
            await turn(server, org, api, warm_s)
            api.rates.clear()
            api.cpu_us.clear()
        for _ in range(rounds):
            for api in compared:
                await turn(server, org, api, seconds)
        await org.check()
    first = statistics.median(compared[0].rates)
    lines = [
        "| API | messages/s | beside /send | server CPU, µs | rounds |",
        "|---|---|---|---|---|",
    ]
    for api in compared:
        rate = statistics.median(api.rates)
        rounds_shown = ", ".join(f"{one:.0f}" for one in api.rates)
        lines.append(
            f"| {api.name} | {rate:.0f} | {rate / first:.2f} |"
            f" {statistics.median(api.cpu_us):.0f} | {rounds_shown} |"
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.dialects",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn (4)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each API (3)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phonegate-bench-") as folder, on_core(cores()[1]):
        before = machine.noise(Path(folder))
        for line in uvloop.run(measure(Path(folder), chosen.seconds, chosen.rounds)):
            print(line)
        print(f"noise before: {before}, after: {machine.noise(Path(folder))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
