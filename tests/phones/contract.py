"""What the gateway promises of every phone, whatever kind it is and however it is connected.

A kind of phone takes part with an adapter, a `PhoneKind`; `test_contract` runs all of them.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import attrs

from phonegate.config.settings import PacingSettings
from tests.domain.callers import owner

from .conftest import Start
from .site import HASTY, OTHER, PATIENT, Site


@attrs.frozen(kw_only=True)
class Push:
    """A message that a phone was given to send."""

    id: int
    to: str
    body: str


class PhoneEnd(Protocol):
    """The far end of one connected phone. Each wait fails after a deadline."""

    async def pushed(self) -> Push:
        """The next message that it is given."""

    async def told_to_cancel(self) -> int:
        """The message that it is asked to drop, if that is what comes next."""

    async def acknowledge(self, message_id: int) -> None:
        """Says that it has written a message down."""

    async def report(self, message_id: int, *, success: bool, error: str | None = None) -> None:
        """Says what came of sending a message."""

    async def confirm(self, message_id: int) -> None:
        """Says that the network has delivered a message."""

    async def bring(self, local_id: str, body: str) -> None:
        """Brings a received SMS."""

    async def at_rest(self) -> None:
        """Waits until all that it said is recorded; it is given nothing meanwhile."""

    async def closed(self) -> int:
        """The code with which the gateway closed its connection."""


class PhoneKind(Protocol):
    """How phones of one kind come to the gateway."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def acks(self) -> bool:
        """Whether it acknowledges what it is given, and can drop it when asked."""

    def connect(self, site: Site, device_id: str) -> AbstractAsyncContextManager[PhoneEnd]:
        """Connects a phone, until the end of the context."""


Promise = Callable[[PhoneKind, Start], Awaitable[None]]


async def what_is_sent_is_pushed_and_its_result_recorded(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a") as phone:
        await phone.at_rest()
        await site.until_fed()
        (sent,) = (await site.send("hi")).results
        assert sent.status == "sending"
        assert await phone.pushed() == Push(id=sent.id, to=OTHER, body="hi")
        await phone.report(sent.id, success=True)
        await phone.at_rest()
        assert (await site.message(sent.id)).status == "sent"


async def a_failure_is_recorded_with_its_reason(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a") as phone:
        (sent,) = (await site.send("hi")).results
        await phone.pushed()
        await phone.report(sent.id, success=False, error="no credit")
        await phone.at_rest()
        message = await site.message(sent.id)
        assert (message.status, message.error) == ("failed", "no credit")


async def a_delivery_is_recorded(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a") as phone:
        (sent,) = (await site.send("hi")).results
        await phone.pushed()
        await phone.report(sent.id, success=True)
        await phone.confirm(sent.id)
        await phone.at_rest()
        assert (await site.message(sent.id)).status == "delivered"


async def what_waited_is_pushed_on_its_return_in_order(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a"):
        pass
    await site.until_online(0)
    await site.send("one", "two")
    async with kind.connect(site, "a") as phone:
        assert [(await phone.pushed()).body for _ in range(2)] == ["one", "two"]


async def what_was_left_unanswered_is_pushed_again(kind: PhoneKind, start: Start) -> None:
    site = await start(HASTY)
    async with kind.connect(site, "a") as phone:
        (sent,) = (await site.send("hi")).results
        await phone.pushed()
    async with kind.connect(site, "a") as phone:
        assert (await phone.pushed()).id == sent.id
        await phone.report(sent.id, success=True)
        await phone.at_rest()
        message = await site.message(sent.id)
        assert (message.status, message.attempts) == ("sent", 2)
    async with kind.connect(site, "a") as phone:
        await phone.at_rest()


async def what_was_acknowledged_is_never_pushed_again(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a") as phone:
        (sent,) = (await site.send("hi")).results
        await phone.pushed()
        await phone.acknowledge(sent.id)
        await phone.at_rest()
        assert (await site.message(sent.id)).acked_at is not None
    async with kind.connect(site, "a") as phone:
        await phone.at_rest()
        await phone.report(sent.id, success=True)
        await phone.at_rest()
    message = await site.message(sent.id)
    assert (message.status, message.attempts) == ("sent", 1)


async def it_is_asked_to_drop_what_is_cancelled(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a") as phone:
        (sent,) = (await site.send("hi")).results
        await phone.pushed()
        await site.withdrawal.cancel(owner(await site.org()), sent.id)
        assert await phone.told_to_cancel() == sent.id
        await phone.report(sent.id, success=False, error="cancelled")
        await phone.at_rest()
        assert (await site.message(sent.id)).status == "cancelled"


async def no_more_than_a_window_is_in_flight(kind: PhoneKind, start: Start) -> None:
    delivery = attrs.evolve(PATIENT.delivery, window=1, widest_window=0)
    site = await start(attrs.evolve(PATIENT, delivery=delivery))
    async with kind.connect(site, "a") as phone:
        await phone.at_rest()
        await site.until_fed()
        first, second = (await site.send("one", "two")).results
        assert (first.status, second.status) == ("sending", "queued")
        assert (await phone.pushed()).id == first.id
        await phone.at_rest()
        await phone.report(first.id, success=True)
        assert (await phone.pushed()).id == second.id


async def its_sim_is_paced(kind: PhoneKind, start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, pacing=PacingSettings(segments_per_minute=8)))
    async with kind.connect(site, "a") as phone:
        await phone.at_rest()
        await site.until_fed()
        results = (await site.send("one", "two", "three")).results
        assert [result.status for result in results] == ["sending", "sending", "queued"]
        assert results[2].eta_s
        assert [(await phone.pushed()).body for _ in range(2)] == ["one", "two"]
        await phone.at_rest()


async def it_takes_over_from_its_older_connection(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    async with kind.connect(site, "a") as old:
        (sent,) = (await site.send("hi")).results
        await old.pushed()
        await old.report(sent.id, success=True)
        async with kind.connect(site, "a") as new:
            assert await old.closed() == 4000
            # What the old one heard counts.
            await new.at_rest()
            await site.until_online(1)
            await site.until_fed()
            (more,) = (await site.send("more")).results
            assert (await new.pushed()).id == more.id
    assert (await site.message(sent.id)).status == "sent"


async def what_it_brings_is_stored_once(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    for _ in range(2):
        async with kind.connect(site, "a") as phone:
            await phone.bring("1", "hello")
            await phone.bring("2", "again")
            await phone.at_rest()
    stored = await site.messages(direction="in")
    assert [(message.address, message.body) for message in stored] == [
        (OTHER, "hello"),
        (OTHER, "again"),
    ]


async def its_coming_and_going_are_events(kind: PhoneKind, start: Start) -> None:
    site = await start(PATIENT)
    await site.listen()
    told = ("phone.online", "phone.offline")
    async with kind.connect(site, "a") as old:
        (came,) = await site.until_events(1, *told)
        async with kind.connect(site, "a") as new:
            # Its own second connection replaces the first: it neither goes nor comes.
            await old.closed()
            await new.at_rest()
    came, went = await site.until_events(2, *told)
    assert (came.type, went.type) == told
    assert (came.data["online"], went.data["online"]) == (True, False)
    assert came.phone == went.phone == came.data["id"] == went.data["id"]


OF_ALL: Final[tuple[Promise, ...]] = (
    what_is_sent_is_pushed_and_its_result_recorded,
    a_failure_is_recorded_with_its_reason,
    a_delivery_is_recorded,
    what_waited_is_pushed_on_its_return_in_order,
    what_was_left_unanswered_is_pushed_again,
    no_more_than_a_window_is_in_flight,
    its_sim_is_paced,
    it_takes_over_from_its_older_connection,
    what_it_brings_is_stored_once,
    its_coming_and_going_are_events,
)

OF_THOSE_THAT_ACKNOWLEDGE: Final[tuple[Promise, ...]] = (
    what_was_acknowledged_is_never_pushed_again,
    it_is_asked_to_drop_what_is_cancelled,
)


def promises(kind: PhoneKind) -> tuple[Promise, ...]:
    """What is promised of phones of one kind."""
    return OF_ALL + (OF_THOSE_THAT_ACKNOWLEDGE if kind.acks else ())
