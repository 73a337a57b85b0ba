"""The double of the app and the gateway itself, over real sockets, end to end."""

import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import attrs
import httpx
import pytest
import trio

from phonegate import gateway
from phonegate.assembly import Timings
from phonegate.config.settings import (
    DatabaseSettings,
    DeliverySettings,
    HttpSettings,
    MediaSettings,
    PacingSettings,
    Settings,
)
from phonegate.domain.scheduler import SchedulerTimings
from phonegate.phone.smsgate.air import AirMemory
from phonegate.phone.smsgate.app import picture
from phonegate.phone.smsgate.app_faults import AppPlan
from phonegate.phone.smsgate.app_journal import AppJournal
from phonegate.phone.smsgate.app_phone import AppPhone
from phonegate.phone.smsgate.handset import Owner
from phonegate.phone.smsgate.mobile_api import Clients, api_address
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from tests.http.media_server import PNG, MediaServer
from tests.patience import PATIENCE_S
from tests.phone.smsgate.conftest import OWNER, PATIENT, SIMS

ORG, SECRET = "myorg", "my-own-secret-key-1"
TIMINGS = Timings(
    scheduler=SchedulerTimings(longest_sleep_s=0.1),
    smsgate=SmsgateTimings(keepalive_s=1.0, feed_s=0.3, away_s=2.0),
)
APP = attrs.evolve(PATIENT.hastened(100), restart_s=0.01)


class Stand:
    """A gateway that is stopped and started again on one file and port."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self._path = folder / "phonegate.db"
        self._nursery = nursery
        self._stop = trio.Event()
        self._ended = trio.Event()
        self.port = 0
        self.key = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        settings = Settings(
            http=HttpSettings(bind=(f"127.0.0.1:{self.port}",)),
            database=DatabaseSettings(path=str(self._path)),
            delivery=DeliverySettings(result_timeout_s=PATIENCE_S),
            pacing=PacingSettings(segments_per_minute=0),
            media=MediaSettings(allow=("127.0.0.0/8",)),
        )
        self._stop, self._ended = trio.Event(), trio.Event()
        self.port = (await self._nursery.start(self._serve, settings))[0][1]

    async def _serve(self, settings: Settings, *, task_status: Any) -> None:
        await gateway.serve(settings, self._stop, timings=TIMINGS, task_status=task_status)
        self._ended.set()

    async def stop(self) -> None:
        self._stop.set()
        with trio.fail_after(PATIENCE_S):
            await self._ended.wait()

    def api(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"X-Secret-Key": SECRET},
            trust_env=False,
            timeout=PATIENCE_S,
            # Reading the public authorities would take longer than the request.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    async def ask(self, method: str, path: str, content: Any = None) -> Any:
        async with self.api() as api:
            answer = await api.request(method, path, json=content)
        return answer.raise_for_status().json()

    async def make_key(self) -> None:
        first = {"address": "+15550000000", "body": "first", "date": 1}
        content = {"org_id": ORG, "secret_key": SECRET, "messages": [first]}
        await self.ask("POST", "/webhook", content)
        made = await self.ask("POST", f"/keys/{ORG}", {"name": "phone", "scopes": ["phone"]})
        self.key = made["key"]

    async def send(self, body: str, **more: Any) -> int:
        answer = await self.ask(
            "POST", f"/send/{ORG}", {"to": "+15553334444", "body": body, **more}
        )
        number: int = answer["results"][0]["id"]
        return number

    async def messages(self, direction: str) -> dict[int, dict[str, Any]]:
        page = await self.ask("GET", f"/messages/{ORG}?limit=1000&direction={direction}")
        return {one["id"]: one for one in page["messages"]}

    async def received(self) -> list[str]:
        return [one["body"] for one in (await self.messages("in")).values()][1:]

    async def until_status(self, number: int, *statuses: str) -> dict[str, Any]:
        async def reached() -> bool:
            return (await self.messages("out"))[number]["status"] in statuses

        await poll(reached)
        return (await self.messages("out"))[number]

    async def until_received(self, *bodies: str) -> None:
        async def there() -> bool:
            return set(bodies) <= set(await self.received())

        await poll(there)


async def poll(condition: Callable[[], Awaitable[bool]]) -> None:
    """Asks over HTTP, where nothing calls back, until it is so."""
    with trio.fail_after(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 (the other side is a server)
            await trio.sleep(0.03)


@pytest.fixture
async def stand(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Stand]:
    made = Stand(tmp_path, nursery)
    await made.start()
    await made.make_key()
    yield made
    await made.stop()


MakeApp = Callable[..., Awaitable[AppPhone]]


@pytest.fixture
async def make_app(stand: Stand, nursery: trio.Nursery) -> AsyncIterator[MakeApp]:
    """Makes phones that are online and have webhooks and settings."""
    async with Clients.make() as clients, trio.open_nursery() as phones:

        async def make(
            plan: AppPlan | None = None,
            *,
            journal: AppJournal | None = None,
            owner: Owner = OWNER,
            antenna: AirMemory | None = None,
        ) -> AppPhone:
            phone = AppPhone(
                api_address(stand.url),
                owner=attrs.evolve(owner, token=stand.key),
                clients=clients,
                plan=plan,
                timings=APP,
                journal=journal,
                antenna=antenna,
                rng=Random(5),
            )
            with trio.fail_after(PATIENCE_S):
                await phones.start(phone.run)
                await phone.until(
                    lambda one: bool(one.memory.webhooks and one.memory.settings.ping_every_s)
                )
            return phone

        yield make
        phones.cancel_scope.cancel()


def aired(phone: AppPhone) -> list[str]:
    assert isinstance(phone.antenna, AirMemory)
    return [sms.body for sms in phone.antenna.sent]


async def test_both_directions_and_delivery(stand: Stand, make_app: MakeApp) -> None:
    phone = await make_app(AppPlan(delivery_reports=True, reply=True))
    number = await stand.send("hello 💌")
    message = await stand.until_status(number, "delivered")
    assert message["delivered_at"] >= message["sent_at"]
    await stand.until_received("echo: hello 💌")
    assert aired(phone) == ["hello 💌"]
    phone.receive_sms("+15559990000", "first")
    phone.receive_sms("Bank", "second")
    await stand.until_received("first", "second")
    (shown,) = (await stand.ask("GET", f"/phones/{ORG}"))["phones"]
    assert (shown["kind"], shown["online"], shown["name"]) == ("smsgate", True, "Google/panther")
    assert shown["battery"] is not None


async def test_failures_are_told_with_their_error(stand: Stand, make_app: MakeApp) -> None:
    await make_app(AppPlan(fail=1))
    message = await stand.until_status(await stand.send("x"), "failed")
    assert "RESULT_" in message["error"]


async def test_each_sim_sends_what_is_meant_for_it(stand: Stand, make_app: MakeApp) -> None:
    phone = await make_app()
    (shown,) = (await stand.ask("GET", f"/phones/{ORG}"))["phones"]
    sims = [{"slot": sim.slot, "number": sim.number} for sim in SIMS]
    await stand.ask("PATCH", f"/phones/{ORG}/{shown['id']}", {"sims": sims})
    for sim in SIMS[::-1]:
        await stand.until_status(await stand.send("by it", sim=sim.number), "sent")
    assert isinstance(phone.antenna, AirMemory)
    assert [sms.sim for sms in phone.antenna.sent] == [sim.number for sim in SIMS[::-1]]
    phone.receive_sms("+15559990000", "to the second", sim_number=2)
    await stand.until_received("to the second")
    (received,) = [
        one for one in (await stand.messages("in")).values() if one["body"] == "to the second"
    ]
    assert (received["sim"], received["sim_slot"]) == (SIMS[1].number, 1)


async def test_what_is_cancelled_or_expired_never_leaves(stand: Stand, make_app: MakeApp) -> None:
    phone = await make_app()
    phone.restart()  # away for a moment
    late = datetime.now(UTC) + timedelta(hours=1)
    waiting = await stand.send("cancelled", send_at=late.isoformat())
    await stand.ask("DELETE", f"/messages/{ORG}/id/{waiting}")
    await stand.until_status(waiting, "cancelled")
    sent = await stand.send("sent")
    await stand.until_status(sent, "sent")
    assert aired(phone) == ["sent"]


async def test_an_mms_comes_in_with_its_parts_and_once(stand: Stand, make_app: MakeApp) -> None:
    phone = await make_app(AppPlan(repeat=1))
    part = picture(1)
    phone.receive_mms("+15559990000", "look", part)
    phone.receive_sms("+15559990000", "after it")
    await stand.until_received("after it")

    async def complete() -> bool:
        return any(one["media_urls"] for one in (await stand.messages("in")).values())

    await poll(complete)
    with_media = [one for one in (await stand.messages("in")).values() if one["media_urls"]]
    (mms,) = with_media
    assert mms["body"] == "A picture\nlook"
    async with stand.api() as api:
        got = await api.get(httpx.URL(mms["media_urls"][-1]).raw_path.decode())
    assert got.content == base64.b64decode(str(part["data"]))
    assert len(await stand.received()) == 2


async def send_mms(stand: Stand, body: str, *urls: str) -> httpx.Response:
    sims = [{"slot": sim.slot, "number": sim.number} for sim in SIMS]
    (shown,) = (await stand.ask("GET", f"/phones/{ORG}"))["phones"]
    await stand.ask("PATCH", f"/phones/{ORG}/{shown['id']}", {"sims": sims})
    content = {
        "from_phone_number": SIMS[0].number,
        "to_phone_number": "+15553334444",
        "message": body,
        "media_urls": urls,
    }
    async with stand.api() as api:
        return await api.post(f"/sms/send?org_id={ORG}", json=content)


def sent_mms(phone: AppPhone) -> list[tuple[str, list[bytes]]]:
    """The texts and media of all MMS that the app was given."""
    return [
        (
            str(one.pulled.mms["text"]),
            [base64.b64decode(part["data"]) for part in one.pulled.mms["attachments"]],
        )
        for one in phone.memory.messages.values()
        if one.pulled.mms is not None
    ]


async def test_an_mms_leaves_with_media_from_elsewhere_and_from_a_received_one(
    stand: Stand, make_app: MakeApp, nursery: trio.Nursery
) -> None:
    server = MediaServer()
    await nursery.start(server.run)
    phone = await make_app(AppPlan(profile="later"))
    part = picture(1)
    phone.receive_mms("+15559990000", "look", part)

    async def received() -> bool:
        return any(one["media_urls"] for one in (await stand.messages("in")).values())

    await poll(received)
    (mms,) = [one for one in (await stand.messages("in")).values() if one["media_urls"]]
    own = mms["media_urls"][-1]
    assert own.startswith(stand.url)
    answer = await send_mms(stand, "both", server.put("/a.png"), own)
    assert answer.status_code == 200, answer.text
    await stand.until_status(int(answer.json()["message_id"]), "sent")
    assert sent_mms(phone) == [("both", [PNG, base64.b64decode(str(part["data"]))])]
    assert [path for path, _ in server.asked] == ["/a.png"]
    # The gateway's own port stays closed, whatever the settings allow.
    answer = await send_mms(stand, "inner", f"{stand.url}/messages/{ORG}")
    message = await stand.until_status(int(answer.json()["message_id"]), "failed")
    assert "the gateway itself" in message["error"]


async def test_media_for_a_version_that_sends_none_are_refused(
    stand: Stand, make_app: MakeApp
) -> None:
    await make_app()
    answer = await send_mms(stand, "x", "https://media.example/a.png")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_input")


async def test_an_mms_survives_the_end_of_the_gateway_while_its_media_are_fetched(
    stand: Stand, make_app: MakeApp, nursery: trio.Nursery
) -> None:
    server = MediaServer()
    await nursery.start(server.run)
    phone = await make_app(AppPlan(profile="later"))
    url = server.put("/a.png", gate=trio.Event())
    answer = await send_mms(stand, "kept", url)
    text = await stand.send("text beside it")
    await stand.until_status(text, "sent")
    assert sent_mms(phone) == []
    await stand.stop()
    server.put("/a.png")
    await stand.start()
    await stand.until_status(int(answer.json()["message_id"]), "sent")
    assert sent_mms(phone) == [("kept", [PNG])]
    assert phone.stats.radioed == 2


async def test_the_gateway_goes_and_comes_back(stand: Stand, make_app: MakeApp) -> None:
    phone = await make_app()
    await stand.until_status(await stand.send("before"), "sent")
    await stand.stop()
    phone.receive_sms("+15559990000", "meanwhile")
    await stand.start()
    await stand.until_received("meanwhile")
    await stand.until_status(await stand.send("after"), "sent")
    assert aired(phone) == ["before", "after"]
    assert phone.stats.registrations == 1


async def test_what_the_app_overlooked_is_asked_for_after_an_absence(
    stand: Stand, make_app: MakeApp
) -> None:
    phone = await make_app(AppPlan(miss=1))
    phone.receive_sms("+15559990000", "overlooked")
    await stand.stop()
    await stand.start()
    await stand.until_received("overlooked")
    assert (await stand.received()).count("overlooked") == 1


async def test_the_program_of_the_app_is_killed_and_goes_on(
    stand: Stand, make_app: MakeApp
) -> None:
    journal, antenna = AppJournal(), AirMemory()
    phone = await make_app(AppPlan(delay_ms=(20, 60)), journal=journal, antenna=antenna)
    numbers = [await stand.send(f"text {n}") for n in range(6)]
    with trio.fail_after(PATIENCE_S):
        await phone.until(lambda one: one.stats.radioed >= 2)
    phone.die()
    for number in numbers:
        await stand.until_status(number, "sent")
    assert sorted(aired(phone)) == [f"text {n}" for n in range(6)]


TROUBLE = AppPlan(
    fail=0.1,
    no_result=0.05,
    lose_reports=0.1,
    repeat=0.2,
    reorder=0.2,
    drop_answers=0.05,
    lose_links=0.05,
    double_streams=0.2,
    crash=0.1,
    clock_skew_ms=240_000,
    delivery_reports=True,
    reply=True,
)


async def test_whatever_the_app_does_each_sms_leaves_once_and_comes_in_once(
    stand: Stand, make_app: MakeApp
) -> None:
    phone = await make_app(TROUBLE)
    numbers = [await stand.send(f"text {n}") for n in range(12)]

    async def settled() -> bool:
        out = await stand.messages("out")
        # Those whose result the app never had are uncertain after the time for results.
        waiting = [n for n in numbers if out[n]["status"] in {"queued", "sending"}]
        stuck = [one for one in phone.memory.messages.values() if one.state == "Processed"]
        return len(waiting) <= len(stuck) and not phone.memory.events

    await poll(settled)
    times = Counter(aired(phone))
    assert set(times.values()) == {1}
    out = await stand.messages("out")
    for number in numbers:
        if out[number]["status"] in {"sent", "delivered", "uncertain"}:
            assert times[out[number]["body"]] == 1
    received = Counter(await stand.received())
    assert set(received.values()) <= {1}
    replied = [one.pulled.text for one in phone.memory.messages.values() if "Sent" in one.history]
    assert {f"echo: {text}" for text in replied} <= received.keys()
