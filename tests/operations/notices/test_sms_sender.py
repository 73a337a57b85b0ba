"""Notices by SMS: which ways are tried, in which order, and when one has worked."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing
from trio.abc import Clock

from phonegate.api.services import Services
from phonegate.domain.alarms import Key
from phonegate.domain.carrier_answers import CarrierSent, NotSentByCarrier
from phonegate.domain.sending import Outgoing, Sent
from phonegate.model.refusals import Conflict, NotFound
from phonegate.operations.notices.messenger import NotDelivered
from phonegate.operations.notices.notice import Notice, raised
from phonegate.operations.notices.sms_sender import PRIORITY, RESULT_S, TTL_S, SmsSender

NUMBER = "+15559990000"


def notice(key: Key = ("disk_low", ""), **fields: Any) -> Notice:
    return raised(key, {"free_bytes": 1, **fields}, since=0.0, now=60.0)


class Site:
    """An org with two phones and two carriers, and what becomes of its messages."""

    def __init__(self) -> None:
        self.phones = {1: "sent", 2: "sent"}
        """What a message by each phone comes to. A status that is none: it refuses the message."""
        self.carriers: dict[int, Any] = {}
        self.failing: set[int] = set()
        self.sent: list[tuple[int, Outgoing]] = []
        self.drafts: list[Any] = []
        self.cancelled: list[int] = []
        self.answers = trio.Event()
        self.answers.set()
        self._statuses: dict[int, str] = {}
        services = SimpleNamespace(
            accounts=SimpleNamespace(orgs=self),
            switchboard=self,
            assistants=self,
            sending=SimpleNamespace(send=self._send),
            messages=SimpleNamespace(one=self._one),
            withdrawal=SimpleNamespace(cancel=self._cancel),
            carrier_sending=SimpleNamespace(send=self._by_carrier),
        )
        self.sender = SmsSender("club", NUMBER, cast("Services", services), lambda: self.failing)

    async def named(self, name: str) -> Any:
        if name != "club":
            raise NotFound(f"There is no org named {name}.")
        return SimpleNamespace(id=5, name=name)

    def online(self, org: int) -> list[Any]:
        assert org == 5
        return [SimpleNamespace(phone=one, name=f"phone {one}") for one in self.phones]

    async def of_org(self, org: int) -> list[Any]:
        return [
            SimpleNamespace(id=id_, provider=provider, name="desk", phone_numbers=numbers)
            for id_, provider, numbers in (
                (7, "phone", ("+15550000007",)),
                (8, "twilio", ("+15550000008",)),
                (9, "telnyx", ("+15550000009",)),
            )
            if id_ == 7 or id_ in self.carriers
        ]

    async def _send(self, _: Any, items: list[Outgoing]) -> Any:
        (item,) = items
        assert item.phone is not None
        await self.answers.wait()
        status = self.phones[item.phone]
        if status == "gone":
            raise Conflict("The phone is not online.")
        self.sent.append((item.phone, item))
        id_ = len(self.sent)
        self._statuses[id_] = status
        sent = Sent(id=id_, to=item.to, status="queued", segments=1)
        return SimpleNamespace(results=(sent,))

    async def _one(self, _: Any, message: int, show: Any) -> Any:
        found = SimpleNamespace(id=message, status=self._statuses[message], error="no credit")
        return show(found, None)

    async def _cancel(self, _: Any, message: int) -> None:
        self.cancelled.append(message)

    async def _by_carrier(self, _: Any, draft: Any) -> Any:
        self.drafts.append(draft)
        return self.carriers[8 if draft.sender.endswith("8") else 9]


TAKEN = CarrierSent(id=30, message_id="SM1", provider="twilio", status="sending")
REFUSED = NotSentByCarrier(id=31, provider="twilio", reason="no funds")


@pytest.fixture
def site() -> Site:
    return Site()


async def test_it_leaves_first_and_is_short_and_not_for_long(site: Site) -> None:
    said = await site.sender.send(notice())
    assert said == "phone 1: sent (message 1)"
    ((phone, item),) = site.sent
    assert (phone, item.to, item.ttl_s, item.priority) == (1, NUMBER, TTL_S, PRIORITY)
    assert item.body == notice().sms


async def test_two_at_once_go_the_only_way_that_there_is(site: Site, autojump_clock: Clock) -> None:
    site.phones, site.answers = {1: "sent"}, trio.Event()
    said: list[str] = []

    async def send() -> None:
        said.append(await site.sender.send(notice()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        site.answers.set()
    assert sorted(said) == [f"phone 1: sent (message {number})" for number in (1, 2)]


async def test_the_phone_that_it_is_about_is_not_used(site: Site) -> None:
    about = notice(("phone_hint", "1"), phone=1, org="club", hint="Charge it.")
    assert (await site.sender.send(about)).startswith("phone 2: ")
    site.phones = {1: "sent"}
    with pytest.raises(NotDelivered, match="other than what the alarm is about"):
        await site.sender.send(about)


async def test_a_phone_that_fails_is_followed_by_the_next_one_and_the_carriers(site: Site) -> None:
    site.phones = {1: "failed", 2: "gone"}
    site.carriers = {8: REFUSED, 9: TAKEN}
    assert await site.sender.send(notice()) == "telnyx (desk): sending (message 30)"
    assert [draft.sender for draft in site.drafts] == ["+15550000008", "+15550000009"]
    site.carriers = {8: REFUSED}
    with pytest.raises(NotDelivered) as caught:
        await site.sender.send(notice())
    assert str(caught.value) == (
        "phone 1: failed: no credit; phone 2: The phone is not online.; twilio (desk): no funds"
    )
    assert NUMBER not in str(caught.value)


async def test_a_carrier_that_fails_now_or_is_meant_is_not_used(site: Site) -> None:
    site.phones = {}
    site.carriers = {8: TAKEN, 9: TAKEN}
    site.failing = {8}
    assert (await site.sender.send(notice())).startswith("telnyx")
    site.failing = set()
    about = notice(("carrier_failing", "8"), assistant=8, failures=5)
    assert (await site.sender.send(about)).startswith("telnyx")


@pytest.mark.parametrize("status", ["queued", "sending"])
async def test_one_that_takes_too_long_is_taken_back(
    site: Site, status: str, autojump_clock: Clock
) -> None:
    site.phones = {1: status, 2: "delivered"}
    began = trio.current_time()
    assert await site.sender.send(notice()) == "phone 2: delivered (message 2)"
    assert trio.current_time() - began == pytest.approx(RESULT_S)
    assert site.cancelled == [1]


async def test_ways_that_hang_do_not_keep_it_from_those_behind_them(
    site: Site, autojump_clock: Clock
) -> None:
    """The time for a notice does not suffice to try five phones, of which none has a network."""
    site.phones = dict.fromkeys(range(1, 6), "queued")
    site.carriers = {8: TAKEN}
    with trio.move_on_after(3.5 * RESULT_S) as late:
        await site.sender.send(notice())
    assert late.cancelled_caught
    assert site.cancelled == [1, 2, 3, 4]
    with trio.fail_after(3.5 * RESULT_S):
        assert (await site.sender.send(notice())).startswith("twilio")
    assert [phone for phone, _ in site.sent] == [1, 2, 3, 4, 5]
    # From now on by what works, until that fails too.
    assert (await site.sender.send(notice())).startswith("twilio")


async def test_an_org_that_is_not_there_is_named(site: Site) -> None:
    sender = SmsSender("nowhere", NUMBER, site.sender._services, lambda: ())
    with pytest.raises(NotDelivered, match="no org named nowhere"):
        await sender.send(notice())
