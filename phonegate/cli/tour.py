"""The tour of `phonegate demo`: a real gateway, a simulated phone, plain HTTP."""

import json
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import httpx
import trio

from phonegate import gateway, log
from phonegate.cli import hangup, terminal
from phonegate.config.settings import (
    DatabaseSettings,
    HttpSettings,
    PacingSettings,
    Settings,
)
from phonegate.domain.credentials import make_secret
from phonegate.model.bounds import MAX_PAGE
from phonegate.model.times import now_ms
from phonegate.phone.radios.radio import SimCard, Transmission
from phonegate.phone.radios.simulated import Identity
from phonegate.phone.simulated_faults import Plan
from phonegate.phone.simulated_phone import SimulatedPhone, run_phone

ORG = "demo"
SECRET = make_secret()
SIM = "+15550000001"
FRIEND = "+15553334444"
SENDER = "+15551112222"

PEOPLE = (
    ("+4915112345671", "Kommst du heute Abend zum Essen?"),
    ("+972501234567", "אני מאחרת בעשר דקות, סליחה"),
    ("+819012345678", "明日の会議は10時からです。"),
    ("Sparkasse", "Your one-time code is 493021. Never pass it on."),
    (SENDER, "Hello from the simulated phone."),
)
"""Who writes as the demo begins, so that the console has something to show."""

STEP_S = 30.0
"""Most seconds for one step, on a busy machine. Each usually takes a fraction of a second."""

POLL_S = 0.05
"""Seconds between two tries to see what should be there in a moment."""

WAIT_S = 20
"""Seconds of a long poll for what a person may cause."""

Message = dict[str, Any]


class StepFailed(Exception):
    """A step of the tour failed. The screen shows which."""


def free_port(wanted: int) -> int:
    """Returns the wanted port if nothing listens on it, else 0, which picks a free one."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def run(port: int, *, once: bool) -> bool:
    """Runs the tour. Returns False where a step was not done in time."""
    log.configure("auto", "warning")
    with tempfile.TemporaryDirectory(prefix="phonegate-demo-") as folder:
        settings = Settings(
            http=HttpSettings(bind=(f"127.0.0.1:{port}",)),
            database=DatabaseSettings(path=str(Path(folder, "demo.db"))),
            # Without pacing, so that newcomers need not wait.
            pacing=PacingSettings(segments_per_minute=0),
        )
        return trio.run(_run, settings, once)


async def _run(settings: Settings, once: bool) -> bool:  # noqa: FBT001 - trio.run takes no keywords
    stop, through = trio.Event(), True
    with trio.open_signal_receiver(*hangup.ending()) as signals:
        async with trio.open_nursery() as servers:
            bound = await servers.start(gateway.serve, settings, stop)
            url = f"http://127.0.0.1:{bound[0][1]}"
            async with trio.open_nursery() as tour, _client(url) as client:
                tour.start_soon(_until_signalled, signals, tour.cancel_scope)
                guide = _Guide(url, client, tour)
                try:
                    await (guide.once() if once else guide.forever())
                except StepFailed:
                    through = False
                except httpx.HTTPError as error:
                    click.echo(f"    the request failed: {error}", err=True)
                    through = False
                tour.cancel_scope.cancel()
            stop.set()
    if not once:
        click.echo("\nStopped: the gateway and the simulated phone. Their database is removed.")
    return through


async def _until_signalled(signals: Any, scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


def _client(url: str) -> httpx.AsyncClient:
    # Directly to this machine, whatever proxies the environment names.
    return httpx.AsyncClient(
        base_url=url, headers={"X-Secret-Key": SECRET}, timeout=STEP_S, trust_env=False
    )


class _Guide:
    """Shows what happens, step by step: with requests, and with a phone."""

    def __init__(self, url: str, client: httpx.AsyncClient, nursery: trio.Nursery) -> None:
        self._url = url
        self._client = client
        self._nursery = nursery

    def transmit(self, transmission: Transmission) -> None:
        """Shows each SMS that the phone sends."""
        shown = f"{terminal.clean(transmission.to)}: {terminal.clean(transmission.body)}"
        click.echo(click.style(f"    the phone sends to {shown}", fg="blue"))

    async def once(self) -> None:
        """Shows one message each way, and an answer."""
        click.echo(f"The gateway serves {self._url}, on a database that it will remove.\n")
        click.echo(_step(f"1. A phone pushes an SMS that it received from {SENDER}:"))
        received = {"address": SENDER, "body": "hello", "date": now_ms(), "sim_slot": 0}
        await self._post("/webhook", {"org_id": ORG, "messages": [received]})

        click.echo(_step("2. An app reads it:"))
        await self._expect(0, lambda m: m["body"] == "hello", "the message that was pushed")

        click.echo(_step("3. A phone connects over the WebSocket, and an app sends an SMS:"))
        phone = await self._phone(Plan())
        sent = await self._post(
            f"/send/{ORG}", {"to": FRIEND, "body": "Sent from the API. Are you there?"}
        )
        ticket = sent["results"][0]["id"]
        await self._expect(
            ticket - 1,
            lambda m: m["id"] == ticket and m["status"] == "sent",
            "the message to be sent",
        )

        click.echo(_step("4. The answer arrives at the phone, and the app reads it:"))
        phone.receive_sms(FRIEND, "Yes, all well!")
        await self._expect(
            ticket, lambda m: m["address"] == FRIEND and m["direction"] == "in", "the answer"
        )
        click.echo(click.style("\nBoth ways work.", fg="green", bold=True))

    async def forever(self) -> None:
        """Shows messages as they flow, until it is stopped."""
        phone = await self._phone(Plan(reply=True, delay_ms=(300, 900), delivery_reports=True))
        since = (await self._events(limit=1))["last_id"]
        click.echo(_invitation(self._url))
        for number, words in PEOPLE:
            phone.receive_sms(number, words)
        text = {"to": FRIEND, "body": "Sent by the demo. Are you there?"}
        (await self._client.post(f"/send/{ORG}", json=text)).raise_for_status()
        while True:
            news = await self._events(since_id=since, limit=MAX_PAGE, wait=WAIT_S)
            since = news["last_id"]
            for event in news["events"]:
                click.echo(terminal.message_line(event["data"]["message"]))

    async def _phone(self, plan: Plan) -> SimulatedPhone:
        sims = (SimCard(slot=0, number=SIM, carrier="Simulated"),)
        identity = Identity(device_id="demo-phone", name="Demo phone", sims=sims)

        async def live(*, task_status: Any) -> None:
            await run_phone(
                self._url,
                ORG,
                SECRET,
                plan=plan,
                radio=self,
                identity=identity,
                task_status=task_status,
            )

        async def connect() -> SimulatedPhone:
            connected: SimulatedPhone = await self._nursery.start(live)
            return connected

        phone: SimulatedPhone = await _in_time(connect, "the phone to connect")
        return phone

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        click.echo(f"    POST {path} {json.dumps(body)}")
        response = await self._client.post(path, json={**body, "secret_key": SECRET})
        click.echo(f"    -> {response.status_code} {response.text.strip()}")
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer

    async def _page(self, since: int) -> list[Message]:
        response = await self._client.get(
            f"/messages/{ORG}", params={"since_id": since, "limit": MAX_PAGE}
        )
        messages: list[Message] = response.raise_for_status().json()["messages"]
        return messages

    async def _events(self, **query: int) -> dict[str, Any]:
        """Asks what happened to messages. From the first time on, that is recorded."""
        response = await self._client.get(f"/events/{ORG}", params={"types": "message.*", **query})
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer

    async def _expect(self, since: int, wanted: Callable[[Message], bool], what: str) -> None:
        async def look() -> Message:
            while True:
                for message in await self._page(since):
                    if wanted(message):
                        return message
                await trio.sleep(POLL_S)

        click.echo(f"    GET /messages/{ORG}?since_id={since}")
        message = await _in_time(look, what)
        click.echo(f"    -> {terminal.message_line(message).strip()}")


async def _in_time(step: Callable[[], Awaitable[Any]], what: str) -> Any:
    with trio.move_on_after(STEP_S):
        return await step()
    click.echo(f"    waited {STEP_S:g} s in vain for {what}", err=True)
    raise StepFailed


def _step(text: str) -> str:
    return click.style(text, bold=True)


def _invitation(url: str) -> str:
    head = _step(f"phonegate serves {url} with a simulated phone ({SIM}) connected.")
    page = click.style(f"{url}/console", fg="cyan", underline=True)
    return f"""\
{head}
Everything is removed when you stop it (Ctrl-C).

Open {page} in a browser, and sign in:

  Org         {ORG}
  Secret      {SECRET}

There you see what is sent and received, live, and write to people. {url}/reference is for programs.

In another terminal, send an SMS; it leaves the phone, and an answer comes back:

  curl -X POST {url}/send/{ORG} -H 'X-Secret-Key: {SECRET}' \\
    -H 'Content-Type: application/json' -d '{{"to": "{FRIEND}", "body": "hello"}}'

Push one as a phone does that received it, and read everything:

  curl -X POST {url}/webhook -H 'Content-Type: application/json' -d '{{"org_id": "{ORG}",
    "secret_key": "{SECRET}", "messages": [{{"address": "{SENDER}", "body": "hi"}}]}}'
  curl -H 'X-Secret-Key: {SECRET}' {url}/messages/{ORG}
  curl -H 'X-Secret-Key: {SECRET}' {url}/sims/{ORG}

Hear of everything as it happens:

  curl -N -H 'X-Secret-Key: {SECRET}' -H 'Accept: text/event-stream' {url}/events/{ORG}

Messages, as they come and change:
"""
