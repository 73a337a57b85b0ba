"""A gateway that is a phone itself, by a modem under the real ModemManager."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import trio
import trio.testing

from kit.gateway import GatewayProcess
from phonegate.builtin_phone import service
from phonegate.builtin_phone.connector import InnerConnector
from phonegate.builtin_phone.service import WORKED_S, BuiltinPhone
from phonegate.config.settings import ModemSettings
from phonegate.phone.errors import RadioUnusable
from phonegate.phone.link import End
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S
from tests.phone.radios.modem.machine import WHERE_INSTALLED, Machine

pytestmark = WHERE_INSTALLED

ORG, SECRET = "home", "my-secret-key-123"
THEM = "+4915112345678"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    started = Machine(tmp_path_factory.mktemp("machine"))
    yield started
    started.stop()


class House:
    """A gateway's file, and gateways that serve it."""

    def __init__(self, folder: Path, bus: str, **settings: object) -> None:
        self._database = folder / "phonegate.db"
        self._bus = bus
        self._settings = {"MODEM_ENABLED": "true", "MODEM_ORG": ORG, **settings}

    def gateway(self) -> GatewayProcess:
        return GatewayProcess(
            self._database,
            settings=self._settings,
            wrapper=("env", f"DBUS_SYSTEM_BUS_ADDRESS={self._bus}"),
        )


def ask(gateway: GatewayProcess, path: str, **body: Any) -> Any:
    method = "POST" if body else "GET"
    answer = httpx.request(
        method,
        gateway.url + path,
        headers={"X-Secret-Key": SECRET},
        json=body or None,
        trust_env=False,
    )
    assert answer.is_success, answer.text
    return answer.json()


def eventually(gateway: GatewayProcess, path: str, found: Callable[[Any], Any]) -> Any:
    return gateway.wait_until(lambda: found(ask(gateway, path)))


def bodies(answer: Any, direction: str, status: str) -> list[str]:
    wanted = (direction, status)
    return [
        one["body"] for one in answer["messages"] if (one["direction"], one["status"]) == wanted
    ]


def test_it_sends_and_receives_and_goes_on_after_a_kill(machine: Machine, tmp_path: Path) -> None:
    machine.modem.order("forget")
    house = House(tmp_path, machine.bus.address, MODEM_NUMBER="+4917000000", MODEM_NAME="stick")
    messages = f"/messages/{ORG}"
    with house.gateway() as gateway:
        first = {"address": THEM, "body": "which makes the org"}
        ask(gateway, "/webhook", org_id=ORG, secret_key=SECRET, messages=[first])
        eventually(gateway, f"/sims/{ORG}", lambda answer: answer["live_sims"])
        ask(gateway, f"/send/{ORG}", messages=[{"to": THEM, "body": "out 😀"}])
        eventually(gateway, messages, lambda answer: "out 😀" in bodies(answer, "out", "sent"))
        machine.modem.order("deliver")
        eventually(gateway, messages, lambda answer: "out 😀" in bodies(answer, "out", "delivered"))
        machine.modem.order("receive", sender=THEM, text="in")
        eventually(gateway, messages, lambda answer: "in" in bodies(answer, "in", "received"))
        machine.modem.order("until_stored", count=0)
        (sim,) = ask(gateway, f"/sims/{ORG}")["live_sims"]
        assert sim["number"] == "+4917000000"
        gateway.kill()
    machine.modem.order("receive", sender=THEM, text="meanwhile")
    with house.gateway() as gateway:
        ask(gateway, f"/send/{ORG}", messages=[{"to": THEM, "body": "again"}])
        eventually(gateway, messages, lambda answer: "again" in bodies(answer, "out", "sent"))
        answer = eventually(
            gateway,
            messages,
            lambda answer: "meanwhile" in bodies(answer, "in", "received") and answer,
        )
        assert gateway.stop() == 0
    assert bodies(answer, "in", "received") == ["which makes the org", "in", "meanwhile"]
    assert [one["text"] for one in machine.modem.order("air")] == ["out 😀", "again"]


def test_it_is_offline_while_the_modem_has_no_network(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "--no-network")
    house = House(tmp_path, machine.bus.address)
    try:
        with house.gateway() as gateway:
            first = {"address": THEM, "body": "which makes the org"}
            ask(gateway, "/webhook", org_id=ORG, secret_key=SECRET, messages=[first])
            ask(gateway, f"/send/{ORG}", messages=[{"to": THEM, "body": "early"}])
            gateway.wait_until(
                lambda: [one for one in gateway.events() if "offline" in one.get("text", "")]
            )
            assert not any(one["event"] == "phone_connected" for one in gateway.events())
            (queued,) = ask(gateway, f"/messages/{ORG}?direction=out")["messages"]
            assert (queued["status"], queued["waiting_for"]) == ("queued", "phone")
            machine.modem.order("roam", network=True)
            eventually(
                gateway,
                f"/messages/{ORG}",
                lambda answer: "early" in bodies(answer, "out", "sent"),
            )
            assert gateway.stop() == 0
    finally:
        machine.stop()


async def test_its_problem_is_known_while_it_lasts(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    class Refusing:
        """A gateway that lets nothing in. It is asked once the modem works."""

        refusal: str | None = None
        asked = trio.Event()

        async def hold(self, *_: object, **__: object) -> End:
            self.refusal = "there is no org"
            self.asked.set()
            return End(detail=self.refusal)

    gateway = Refusing()
    phone = BuiltinPhone(
        settings=ModemSettings(enabled=True, org=ORG),
        connector=cast("InnerConnector", gateway),
        journal=tmp_path / "journal",
        retry_s=0.01,
    )
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    assert phone.problem is None
    nursery.start_soon(phone.run)
    with trio.fail_after(PATIENCE_S):
        while "message bus" not in (phone.problem or ""):
            await trio.lowlevel.checkpoint()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", machine.bus.address)
        await gateway.asked.wait()
    assert phone.problem == "there is no org"
    gateway.refusal = None
    assert phone.problem is None
    nursery.cancel_scope.cancel()


def test_a_modem_that_can_not_be_used_costs_the_gateway_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, f"unix:path={tmp_path / 'no-bus'}")
    with house.gateway() as gateway:
        (event,) = gateway.wait_until(
            lambda: [one for one in gateway.events() if one["event"] == "modem_unusable"]
        )
        assert "message bus" in event["problem"]
        assert httpx.get(f"{gateway.url}/health").is_success
        assert gateway.stop() == 0


async def test_trouble_is_told_again_after_the_modem_has_worked(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    lasted = iter([1.0, 1.0, WORKED_S, 1.0])

    async def work(*_: object, **__: object) -> None:
        await trio.sleep(next(lasted, math.inf))
        raise RadioUnusable("The stick is gone.")

    monkeypatch.setattr(service, "run_radio", work)
    phone = BuiltinPhone(
        settings=ModemSettings(),
        connector=cast(InnerConnector, None),
        journal=tmp_path / "journal",
    )
    with capture_logs() as logs, trio.move_on_after(10 * WORKED_S):
        await phone.run()
    assert [one["event"] for one in logs] == ["modem_unusable"] * 2
