"""What a phone program promises by whatever radio it has.

A radio takes part with an adapter, a `RadioKind`; each promise runs the whole program with it:
journal file, link and a small gateway. `test_contract` runs the simulated one, and others do alike.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
import trio

from phonegate.phone.address import Address
from phonegate.phone.program import run_radio
from phonegate.phone.radios.radio import Outcome, Radio, Uncertain
from phonegate.phone.transmitter import TIMED_OUT
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway, Order

PHONE: Final = "contract"


@attrs.define
class AttemptTime:
    """The time that a radio has for its attempts. A test ends it, where else a clock would."""

    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def within(self, attempt: Awaitable[Outcome]) -> Outcome:
        """Attempts, and ends as the program ends an attempt whose time is over."""
        with trio.CancelScope() as self._scope:
            return await attempt
        return Uncertain(TIMED_OUT)

    def end(self) -> None:
        """Ends the attempt that is under way."""
        self._scope.cancel()


class Handset(Protocol):
    """One device with its SIM and the network beyond, which outlives the programs that use it.

    Each wait of an adapter fails after a deadline.
    """

    def radio(self) -> Radio:
        """A new radio on this device, as in a program that has just been started.

        Each of its attempts has `PATIENCE_S` at least, unless `end_attempt` ends it.
        """

    def on_air(self) -> list[tuple[str, str]]:
        """Recipient and text of each message that the network took, oldest first."""

    async def fail_next(self) -> None:
        """Makes the network refuse the next message."""

    async def hold_next_answer(self) -> None:
        """Makes the network take the next message, but its answer never reach the radio."""

    def end_attempt(self) -> None:
        """Ends the time of the attempt that is under way."""

    async def deliver(self) -> None:
        """Makes the recipient's phone confirm the newest message on the air."""

    async def receive(self, address: str, body: str) -> None:
        """Makes an SMS arrive at the device. No two have the same date."""

    async def until_on_air(self, count: int) -> None:
        """Waits until the network has taken so many messages."""

    async def held(self) -> int:
        """How many received messages the device holds."""

    async def until_let_go(self) -> None:
        """Waits until the device holds no received message. Only of a kind that deletes."""


class RadioKind(Protocol):
    """One kind of radio."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def sees_failures(self) -> bool:
        """Whether a message that was refused is `failed`. Without this it is `uncertain`."""

    @property
    def sees_deliveries(self) -> bool:
        """Whether delivery reports come."""

    @property
    def receives_alone(self) -> bool:
        """Whether the device keeps what comes in while no program runs."""

    @property
    def deletes(self) -> bool:
        """Whether the device lets go of a received message once the gateway has it."""

    def handset(self, folder: Path) -> AbstractAsyncContextManager[Handset]:
        """A device, until the end of the context."""


@attrs.define
class Bench:
    """A device, its journal, and a gateway."""

    handset: Handset
    gateway: Gateway
    journal: Path
    kind: RadioKind
    _serial: int = 0

    @asynccontextmanager
    async def program(self) -> AsyncIterator[None]:
        """A run of the program, which is killed at the end of the context."""
        async with trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE_S):
                await nursery.start(self._run)
            yield
            nursery.cancel_scope.cancel()

    async def _run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        await run_radio(
            Address.parse(self.gateway.url, "myorg", SECRET),
            self.handset.radio(),
            journal=self.journal,
            device_id=PHONE,
            reconnect_s=(0, 0.01),
            task_status=task_status,
        )

    async def send(self, body: str = "hi") -> Order:
        """Has the gateway push a message on the newest link."""
        self._serial += 1
        order = self.gateway.order(Order(self._serial, "+15550001111", body), PHONE)
        await self.gateway.push(self.gateway.peers[-1], order)
        return order

    async def result(self, order: Order) -> dict[str, Any]:
        """The result of a message, once it came."""
        with trio.fail_after(PATIENCE_S):
            await self.gateway.settled([order])
        return order.results[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            await self.gateway.until(condition)

    async def let_go(self) -> None:
        """Waits until the device holds no received message, where it lets go of them."""
        if self.kind.deletes:
            await self.handset.until_let_go()

    def bodies(self) -> list[str]:
        """The texts that the gateway has received, each message once."""
        return [message["body"] for message in self.gateway.inbound.values()]


Promise = Callable[[Bench], Awaitable[None]]


async def what_is_sent_is_on_the_air_once(bench: Bench) -> None:
    text = "two lines,\nquotes ' \" \\ and \N{SNOWMAN} \N{SLIGHTLY SMILING FACE}"
    async with bench.program():
        for body in ("hi", text):
            assert (await bench.result(await bench.send(body)))["success"]
    assert [body for _, body in bench.handset.on_air()] == ["hi", text]
    assert {to for to, _ in bench.handset.on_air()} == {"+15550001111"}


async def the_longest_text_is_sent_whole(bench: Bench) -> None:
    # 255 parts, of which each character takes six bytes in a frame.
    text = "\N{GREEK CAPITAL LETTER DELTA}" * 255 * 153
    async with bench.program():
        result = await bench.result(await bench.send(text))
        assert result["success"], result
    assert [body for _, body in bench.handset.on_air()] == [text]


async def a_refused_message_is_not_said_to_be_sent(bench: Bench) -> None:
    async with bench.program():
        await bench.handset.fail_next()
        result = await bench.result(await bench.send())
        assert not result["success"]
        assert result["error"]
        assert result.get("uncertain", False) is not bench.kind.sees_failures
        assert (await bench.result(await bench.send("next")))["success"]
    assert [body for _, body in bench.handset.on_air()] == ["next"]


async def a_lost_answer_is_uncertain_and_holds_up_nobody(bench: Bench) -> None:
    async with bench.program():
        await bench.handset.hold_next_answer()
        lost = await bench.send("lost")
        await bench.handset.until_on_air(1)
        bench.handset.end_attempt()
        assert (await bench.result(lost))["uncertain"]
        assert (await bench.result(await bench.send("next")))["success"]
    assert [body for _, body in bench.handset.on_air()] == ["lost", "next"]


async def a_kill_within_an_attempt_makes_no_second_one(bench: Bench) -> None:
    async with bench.program():
        await bench.handset.hold_next_answer()
        order = await bench.send()
        await bench.handset.until_on_air(1)
    assert not order.results
    async with bench.program():
        result = await bench.result(order)
        assert result["success"] or result["uncertain"]
        assert (await bench.result(await bench.send("next")))["success"]
    assert [body for _, body in bench.handset.on_air()] == ["hi", "next"]


async def a_repeated_push_is_answered_and_not_sent(bench: Bench) -> None:
    async with bench.program():
        order = await bench.send()
        await bench.result(order)
    async with bench.program():
        await bench.gateway.push(bench.gateway.peers[-1], order)
        await bench.until(lambda: len(order.results) > 1)
    assert len(bench.handset.on_air()) == 1


async def a_delivery_is_reported_after_a_restart_too(bench: Bench) -> None:
    if not bench.kind.sees_deliveries:
        return
    async with bench.program():
        first = await bench.send()
        await bench.result(first)
        await bench.handset.deliver()
        await bench.until(lambda: first.delivered > 0)
        second = await bench.send("again")
        await bench.result(second)
    async with bench.program():
        await bench.handset.deliver()
        await bench.until(lambda: second.delivered > 0)


async def what_comes_in_is_passed_on_and_then_let_go(bench: Bench) -> None:
    text = "emoji \N{SLIGHTLY SMILING FACE}\nand 'quotes' \" \\"
    async with bench.program():
        for body in ("one", text, "one"):
            await bench.handset.receive("+15550002222", body)
        await bench.until(lambda: len(bench.gateway.inbound) == 3)
        await bench.let_go()
    assert sorted(bench.bodies()) == sorted(["one", text, "one"])
    assert {one["address"] for one in bench.gateway.inbound.values()} == {"+15550002222"}


async def what_came_in_while_no_program_ran_is_passed_on(bench: Bench) -> None:
    async with bench.program():
        await bench.handset.receive("+15550002222", "first")
        await bench.until(lambda: len(bench.gateway.inbound) == 1)
        await bench.let_go()
    if bench.kind.receives_alone:
        await bench.handset.receive("+15550002222", "second")
        async with bench.program():
            await bench.until(lambda: len(bench.gateway.inbound) == 2)
            await bench.let_go()


async def what_the_gateway_has_not_stored_stays(bench: Bench) -> None:
    bench.gateway.ack_inbound = False
    async with bench.program():
        await bench.handset.receive("+15550002222", "kept")
        await bench.until(lambda: len(bench.gateway.inbound) == 1)
        assert not bench.kind.deletes or await bench.handset.held() == 1
    bench.gateway.ack_inbound = True
    frames = bench.gateway.inbound_frames
    async with bench.program():
        await bench.until(lambda: bench.gateway.inbound_frames > frames)
        await bench.let_go()
    assert bench.bodies() == ["kept"]


PROMISES: Final[tuple[Promise, ...]] = (
    what_is_sent_is_on_the_air_once,
    the_longest_text_is_sent_whole,
    a_refused_message_is_not_said_to_be_sent,
    a_lost_answer_is_uncertain_and_holds_up_nobody,
    a_kill_within_an_attempt_makes_no_second_one,
    a_repeated_push_is_answered_and_not_sent,
    a_delivery_is_reported_after_a_restart_too,
    what_comes_in_is_passed_on_and_then_let_go,
    what_came_in_while_no_program_ran_is_passed_on,
    what_the_gateway_has_not_stored_stays,
)


async def keep(promise: Promise, kind: RadioKind, gateway: Gateway, folder: Path) -> None:
    """Runs one promise with a new device and a new journal."""
    async with kind.handset(folder) as handset:
        await promise(
            Bench(handset=handset, gateway=gateway, journal=folder / "journal", kind=kind)
        )
