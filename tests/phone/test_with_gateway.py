"""The simulated phones and the gateway itself, end to end."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import attrs
import httpx
import pytest
import trio

from phonegate import gateway
from phonegate.config.settings import (
    DatabaseSettings,
    DeliverySettings,
    HttpSettings,
    PacingSettings,
    Settings,
)
from phonegate.model.times import now_ms
from phonegate.phone.address import Address
from phonegate.phone.conduct import Conduct
from phonegate.phone.device import Device, Stats
from phonegate.phone.errors import CredentialsRefused
from phonegate.phone.fleet import Fleet, identities
from phonegate.phone.journal import Journal
from phonegate.phone.program import PhoneProgram, State
from phonegate.phone.radios.simulated import RadioMemory, SimulatedRadio
from phonegate.phone.simulated_faults import Dice, Plan
from phonegate.phone.simulated_phone import SimulatedPhone
from tests.patience import PATIENCE_S

SECRET = "my-secret-key-123"
FINAL = {"sent", "delivered", "failed", "uncertain"}


@pytest.fixture
async def url(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[str]:
    settings = Settings(
        http=HttpSettings(bind=("127.0.0.1:0",)),
        database=DatabaseSettings(path=str(tmp_path / "phonegate.db")),
        delivery=DeliverySettings(late_result_grace_s=0.05),
        pacing=PacingSettings(segments_per_minute=0),
    )
    stop = trio.Event()
    bound = await nursery.start(gateway.serve, settings, stop)
    yield f"http://127.0.0.1:{bound[0][1]}"
    stop.set()


def client(url: str) -> httpx.AsyncClient:
    headers = {"X-Secret-Key": SECRET}
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE_S)


async def poll(condition: Callable[[], Awaitable[bool]]) -> None:
    """Asks over HTTP, where nothing calls back, until it is so."""
    with trio.fail_after(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 (the other side is a server)
            await trio.sleep(0.02)


async def messages(api: httpx.AsyncClient, direction: str) -> dict[int, dict[str, object]]:
    page = await api.get("/messages/myorg", params={"limit": 1000, "direction": direction})
    return {one["id"]: one for one in page.raise_for_status().json()["messages"]}


TROUBLE = Plan(
    lose_links=0.01,
    fail=0.1,
    repeat=0.1,
    reorder=0.1,
    lose_results=0.05,
    crash=0.05,
    reply=True,
    delivery_reports=True,
    reconnect_s=(0, 0.02),
    confirm_every_s=0.05,
)


async def send_through(fleet: Fleet, api: httpx.AsyncClient) -> None:
    """Sends thirty messages through each phone and waits until all have ended."""

    async def all_sims_are_known() -> bool:
        known = (await api.get("/sims/myorg")).json()["known_sims"]
        return len(known) == len(fleet.simulated_phones)

    async def all_is_settled() -> bool:
        return all(one["status"] in FINAL for one in (await messages(api, "out")).values())

    async def lose_links() -> None:
        # What is kept until the next connection would wait for a chance cut.
        while True:
            await trio.sleep(0.3)
            for simulated_phone in fleet.simulated_phones:
                simulated_phone.lose_link()

    await poll(all_sims_are_known)
    for simulated_phone in fleet.simulated_phones:
        sim = simulated_phone.identity.sims[0].number
        batch = [{"to": "+15551112222", "body": f"text {n}"} for n in range(30)]
        answer = await api.post("/send/myorg", json={"sim": sim, "messages": batch})
        answer.raise_for_status()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lose_links)
        await poll(all_is_settled)
        nursery.cancel_scope.cancel()


def check(out: dict[int, dict[str, object]], radio: RadioMemory) -> Counter[int]:
    """Holds what the gateway says against what went over the air."""
    times = Counter(sms.id for sms in radio.sent)
    assert max(times.values()) == 1
    for number, message in out.items():
        if message["status"] in {"sent", "delivered"}:
            assert times[number] == 1
        if message["status"] == "failed":
            assert number not in times
    return times


async def test_whatever_the_phones_do_each_sms_goes_out_once_and_ends(url: str) -> None:
    radio = RadioMemory()
    address = Address.parse(url, "myorg", SECRET)
    who = identities(3, Random(1))
    fleet = Fleet(address, who, plan=TROUBLE, rng=Random(2), radio=radio)

    async def all_answers_arrived() -> bool:
        return all(
            simulated_phone.journal.ledger.unacked_count == 0
            for simulated_phone in fleet.simulated_phones
        )

    async with client(url) as api, trio.open_nursery() as phones:
        with trio.fail_after(PATIENCE_S):
            await phones.start(fleet.run)
        await send_through(fleet, api)
        await poll(all_answers_arrived)
        out, received = await messages(api, "out"), await messages(api, "in")
        phones.cancel_scope.cancel()
    times = check(out, radio)
    assert len(out) == 90
    assert fleet.totals().cuts > 0
    # One that went out just before its phone died was never answered.
    ledgers = [simulated_phone.journal.ledger for simulated_phone in fleet.simulated_phones]
    results = [ledger.result(number) for ledger in ledgers for number in times]
    unanswered = sum(result is not None and result.uncertain for result in results)
    assert len(received) == fleet.totals().radioed - unanswered


async def test_phones_of_the_basic_protocol_too(url: str) -> None:
    radio = RadioMemory()
    address = Address.parse(url, "myorg", SECRET)
    plan = attrs.evolve(TROUBLE, protocol="basic", crash=0, lose_links=0.003)
    fleet = Fleet(address, identities(3, Random(1)), plan=plan, rng=Random(2), radio=radio)
    async with client(url) as api, trio.open_nursery() as phones:
        with trio.fail_after(PATIENCE_S):
            await phones.start(fleet.run)
        await send_through(fleet, api)
        out = await messages(api, "out")
        phones.cancel_scope.cancel()
    check(out, radio)
    assert len(out) == 90


async def test_messages_wait_at_the_gateway_while_a_radio_does_not_work(
    url: str, nursery: trio.Nursery
) -> None:
    radio = RadioMemory()
    device = a_device(radio)
    address = Address.parse(url, "myorg", SECRET)
    nursery.start_soon(PhoneProgram(address, device, grace_s=0.1).run)

    async with client(url) as api:

        async def is_online() -> bool:
            sims = await api.get("/sims/myorg")
            return sims.is_success and bool(sims.json()["live_sims"])

        async def is_offline() -> bool:
            return not await is_online()

        async def are_sent() -> bool:
            return all(one["status"] == "sent" for one in (await messages(api, "out")).values())

        await poll(is_online)
        device.report_working(works=False)
        await poll(is_offline)
        texts = [{"to": "+15551112222", "body": f"text {n}"} for n in range(3)]
        (await api.post("/send/myorg", json={"messages": texts})).raise_for_status()
        waiting = (await messages(api, "out")).values()
        assert {(one["status"], one["waiting_for"]) for one in waiting} == {("queued", "phone")}
        device.report_working(works=True)
        await poll(are_sent)
    assert [sms.body for sms in radio.sent] == ["text 0", "text 1", "text 2"]


def a_device(antenna: RadioMemory) -> Device:
    plan, stats = Plan(), Stats()
    dice = Dice(plan, Random(1))
    radio = SimulatedRadio(
        identities(1, Random(1))[0],
        plan,
        dice,
        antenna=antenna,
        stats=stats,
        die=lambda: None,
        now_ms=now_ms,
    )
    return Device(
        journal=Journal(),
        radio=radio,
        conduct=Conduct((0.01, 0.02)),
        notice=lambda _: None,
        now_ms=now_ms,
        stats=stats,
    )


async def test_a_second_connection_of_a_device_replaces_the_first(
    url: str, nursery: trio.Nursery
) -> None:
    address = Address.parse(url, "myorg", SECRET)
    me = identities(1, Random(1))[0]
    first, second = (SimulatedPhone(address, identity=me) for _ in range(2))
    with trio.fail_after(PATIENCE_S):
        await nursery.start(first.run)
        await nursery.start(second.run)
        await first.until(lambda phone: phone.state is State.REPLACED)
    assert second.state is State.ONLINE


async def test_a_wrong_secret_is_refused(url: str, nursery: trio.Nursery) -> None:
    me = identities(1, Random(1))[0]
    with trio.fail_after(PATIENCE_S):
        await nursery.start(SimulatedPhone(Address.parse(url, "myorg", SECRET), identity=me).run)
        with pytest.raises(CredentialsRefused):
            await SimulatedPhone(Address.parse(url, "myorg", SECRET + "x"), identity=me).run()
