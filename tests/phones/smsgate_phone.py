"""Phones that are the app SMS Gateway for Android, over HTTP as the app asks and reports."""

import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast
from weakref import WeakKeyDictionary

import attrs
import httpx
import trio

from phonegate.api import smsgate_api
from phonegate.api.answer_budget import AnswerBudget
from phonegate.api.app import build_app
from phonegate.api.fair_share import FairShare
from phonegate.api.large_bodies import LargeBodyReader
from phonegate.api.pipeline import Pipeline
from phonegate.api.request_counts import RequestCounts
from phonegate.api.services import Services
from phonegate.api.table import Table
from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import Server
from tests.patience import PATIENCE_S

from .contract import PhoneEnd, Push
from .site import ORG, OTHER, SECRET, Site, leave

AGENT = "me.capcom.smsgateway/1.68.0"

CODES = {"replaced by a newer stream": 4000}
"""How a stream says why it ended, as the close codes of a link."""

Json = dict[str, Any]


@attrs.define
class App:
    """What an app keeps of its registration."""

    token: str
    hook: str
    signing_key: str
    ids: dict[int, str] = attrs.field(factory=dict)
    """Of all messages that it was ever given."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def signed(self, event: Json) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a call, as the app signs it."""
        body, stamp = json.dumps(event).encode(), "1795899600"
        signature = hmac.new(self.signing_key.encode(), body + stamp.encode(), "sha256")
        return body, {"X-Timestamp": stamp, "X-Signature": signature.hexdigest()}


class AppSite:
    """The app's API of a site, on a socket."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.apps: dict[str, App] = {}
        self.url = ""

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Serves until cancelled."""
        site = self.site
        parts = SimpleNamespace(
            authentication=site.accounts.authentication,
            enrolments=site.enrolments,
            presences=site.presences,
            rate_limits=site.services.rate_limits,
            cleaned=site.cleaned,
            public_url="",
            version="0",
            shares=FairShare(),
            requests=RequestCounts(),
            large_bodies=LargeBodyReader(),
            answer_budget=AnswerBudget(),
            # Asked each second, though there are no such requests here.
            sending=SimpleNamespace(immediate=SimpleNamespace(commit_deadline_s=PATIENCE_S)),
        )
        services, http = cast(Services, parts), HttpSettings(bind=("127.0.0.1:0",))
        pipeline = Pipeline(services, Table(smsgate_api.ENDPOINTS), request_timeout_s=PATIENCE_S)
        server = Server(
            http,
            TlsSettings(),
            make_app=lambda: build_app(services, http, pipeline=pipeline),
            serve_phone=site.link.serve,
            fast_pipeline=pipeline,
        )
        async with trio.open_nursery() as nursery:
            ((host, port),) = await nursery.start(server.serve)
            self.url = f"http://{host}:{port}/api/mobile/v1"
            task_status.started()

    async def key(self) -> str:
        """An API key of the org, which is made if need be."""
        accounts = self.site.accounts
        principal = await accounts.authentication.authenticate(
            SECRET, org_name=ORG, address="127.0.0.1", scope="phone", create=True
        )
        _, text = await accounts.keys.add(principal.org, "phones", ["phone"])
        return text

    async def app(self, client: httpx.AsyncClient, device_id: str) -> App:
        """The app of a phone, which registers if it has not yet."""
        if (known := self.apps.get(device_id)) is not None:
            return known
        bearer = {"Authorization": f"Bearer {await self.key()}"}
        made = await client.post("/device", headers=bearer, json={"name": device_id})
        assert made.status_code == 201
        token = made.json()["token"]
        mine = {"Authorization": f"Bearer {token}"}
        hooks = (await client.get("/webhooks", headers=mine)).json()
        settings = (await client.get("/settings", headers=mine)).json()
        app = App(token, hooks[0]["url"], settings["webhooks"]["signing_key"])
        self.apps[device_id] = app
        return app


@attrs.define
class AppEnd:
    """The phone's end of one stream, and its calls."""

    client: httpx.AsyncClient
    app: App
    events: trio.MemoryReceiveChannel[tuple[str, Any]]
    _seen: set[int] = attrs.field(factory=set)
    _news: list[Push] = attrs.field(factory=list)

    async def pull(self) -> list[Json]:
        """All that the gateway lists now."""
        answer = await self.client.get("/message?order=fifo", headers=self.app.headers)
        assert answer.status_code == 200
        listed: list[Json] = answer.json()
        for message in listed:
            number = int(message["id"].partition("-")[0])
            self.app.ids[number] = message["id"]
            if message["state"] == "Pending" and number not in self._seen:
                self._seen.add(number)
                (to,) = message["phoneNumbers"]
                self._news.append(Push(id=number, to=to, body=message["textMessage"]["text"]))
        return listed

    async def event(self, name: str) -> Any:
        """The data of the next event of a name."""
        with trio.fail_after(PATIENCE_S):
            async for found, data in self.events:
                if found == name:
                    return data
        raise AssertionError("the stream has ended")

    async def pushed(self) -> Push:
        await self.pull()
        while not self._news:
            await self.event("MessageEnqueued")
            await self.pull()
        return self._news.pop(0)

    async def told_to_cancel(self) -> int:
        data = await self.event("MessageCancelled")
        return int(data["messageId"].partition("-")[0])

    async def patch(self, message_id: int, state: str, **recipient: str) -> httpx.Response:
        """Reports a state of a message, as a snapshot."""
        item = {
            "id": self.app.ids[message_id],
            "state": state,
            "recipients": [{"phoneNumber": OTHER, "state": state, **recipient}],
            "states": {state: "2026-11-29T04:00:00.000Z"},
        }
        return await self.client.patch("/message", headers=self.app.headers, json=[item])

    async def acknowledge(self, message_id: int) -> None:
        assert (await self.patch(message_id, "Pending")).status_code == 204

    async def report(self, message_id: int, *, success: bool, error: str | None = None) -> None:
        if success:
            answer = await self.patch(message_id, "Sent")
        elif error == "cancelled":
            answer = await self.patch(message_id, "Cancelled")
        else:
            answer = await self.patch(message_id, "Failed", error=error or "RESULT_ERROR")
        assert answer.status_code == 204

    async def confirm(self, message_id: int) -> None:
        assert (await self.patch(message_id, "Delivered")).status_code == 204

    async def bring(self, local_id: str, body: str) -> None:
        payload = {
            "messageId": local_id,
            "message": body,
            "sender": OTHER,
            "phoneNumber": OTHER,
            "receivedAt": "2026-11-29T04:00:00.000+07:00",
        }
        assert (await self.call("sms:received", payload)).status_code == 204

    async def call(self, event: str, payload: Json) -> httpx.Response:
        """Reports an event to the address that the app was given for it."""
        body, headers = self.app.signed({"id": "e", "event": event, "payload": payload})
        return await self.client.post(self.app.hook, content=body, headers=headers)

    async def at_rest(self) -> None:
        await self.pull()
        assert self._news == []

    async def closed(self) -> int:
        with trio.fail_after(PATIENCE_S):
            async for name, _ in self.events:
                if name.startswith(":") and name[1:] in CODES:
                    return CODES[name[1:]]
        raise AssertionError("the stream has not said why it ended")


@asynccontextmanager
async def streaming(client: httpx.AsyncClient, app: App) -> AsyncIterator[AppEnd]:
    """An app with an open stream, until the end of the context."""
    put, events = trio.open_memory_channel[tuple[str, Any]](1_000)

    async def listen(task_status: trio.TaskStatus[None]) -> None:
        name = ""
        with put:
            async with client.stream("GET", "/events", headers=app.headers) as answer:
                assert answer.status_code == 200
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        await put.send((name, json.loads(line.removeprefix("data: "))))
                        if name == "SettingsUpdated":
                            task_status.started()
                    elif line.startswith(":"):
                        await put.send((line, None))

    async with trio.open_nursery() as nursery:
        with trio.fail_after(PATIENCE_S):
            await nursery.start(listen)
        yield AppEnd(client, app, events)
        nursery.cancel_scope.cancel()


SITES: WeakKeyDictionary[Site, AppSite] = WeakKeyDictionary()
"""The apps of each site keep their registrations while it lives."""


@attrs.frozen
class AppKind:
    """Phones that are the app."""

    name: str = "smsgate"
    acks: bool = True

    @asynccontextmanager
    async def connect(self, site: Site, device_id: str) -> AsyncIterator[PhoneEnd]:
        """Connects a phone, and waits at the end until the gateway has noticed that it left."""
        served = SITES.setdefault(site, AppSite(site))
        async with trio.open_nursery() as nursery:
            await nursery.start(served.serve)
            async with httpx.AsyncClient(
                base_url=served.url, headers={"User-Agent": AGENT}, timeout=PATIENCE_S
            ) as client:
                app = await served.app(client, device_id)
                # It was told another port when it registered.
                app.hook = f"{served.url}/call/{app.hook.rpartition('/')[2]}"
                async with streaming(client, app) as end:
                    here = site.presences.of_phone(await self._row(site, app))
                    assert here is not None
                    mine = here.transport.stream
                    yield end
            with trio.fail_after(PATIENCE_S):
                # Unless another stream of the phone keeps it there.
                while not here.gone.is_set() and here.transport.stream in (None, mine):
                    leave(here)
                    await trio.sleep(0.005)
            nursery.cancel_scope.cancel()

    async def _row(self, site: Site, app: App) -> int:
        known = await site.enrolments.by_token(app.token)
        return known.enrolment.phone
