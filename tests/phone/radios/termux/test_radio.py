"""An Android phone as a radio, by commands that do what those of phones do wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from kit.fake_termux import FakeTermux
from phonegate.model.times import now_ms
from phonegate.phone.errors import RadioUnusable
from phonegate.phone.radios.radio import (
    Failed,
    Outcome,
    RadioIdentity,
    Sent,
    SimCard,
    Transmission,
    Uncertain,
)
from phonegate.phone.radios.termux import radio as termux
from phonegate.phone.radios.termux.errors import (
    ApiSilent,
    CommandMissing,
    PermissionMissing,
    SimUnusable,
)
from phonegate.phone.radios.termux.handset import Handset
from phonegate.phone.radios.termux.radio import TermuxRadio
from phonegate.phone.radios.termux.timings import Timings
from tests.phone.radios.termux.fakes import FakeDesk, InProcess

# The clock of these tests jumps (pytest-trio takes it from a test's own arguments), but that of the
# fake phone does not.

TWO_SLOTS = {"0": 3, "1": 8}
TWO_SIMS = (SimCard(slot=0, number="+15550"), SimCard(slot=1, number="+15551"))
TIMINGS = Timings()


def radio_of(phone: FakeTermux, **options: Any) -> TermuxRadio:
    return TermuxRadio(Handset(InProcess(phone), TIMINGS), timings=TIMINGS, **options)


@attrs.frozen
class Running:
    radio: TermuxRadio
    desk: FakeDesk
    identity: RadioIdentity

    async def attempt(self, **fields: Any) -> Outcome:
        transmission = message(**fields)
        await self.radio.ready(transmission)
        with trio.fail_after(self.radio.attempt_s):
            return await self.radio.attempt(transmission)


@asynccontextmanager
async def running(
    phone: FakeTermux, desk: FakeDesk | None = None, **options: Any
) -> AsyncIterator[Running]:
    desk = FakeDesk() if desk is None else desk
    radio = radio_of(phone, **options)
    async with trio.open_nursery() as nursery:
        identity = await nursery.start(radio.run, desk)
        yield Running(radio, desk, identity)
        nursery.cancel_scope.cancel()


def message(**fields: Any) -> Transmission:
    usual = {"phone": "p", "id": 1, "to": "+15551234567", "body": "hi", "time": now_ms()}
    return Transmission(**{"sim": None, **usual, **fields})


async def refusal_of(phone: FakeTermux, **options: Any) -> RadioUnusable:
    """Returns why a radio does not even start."""
    with trio.fail_after(300), pytest.raises(RadioUnusable) as caught:
        await radio_of(phone, **options).run(FakeDesk())
    return caught.value


# Sending.


async def test_what_the_sent_box_shows_is_sent(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone) as one:
        assert await one.attempt(body=' It\'s "50%" $HOME `x`\n🎉 ') == Sent(segments=1)
        assert await one.attempt(id=2, body="x" * 200) == Sent(segments=2)
    sent = phone.air()
    assert [(s.to, s.body) for s in sent] == [
        ("+15551234567", 'It\'s "50%" $HOME `x`\n🎉'),
        ("+15551234567", "x" * 200),
    ]
    for call in phone.calls("termux-sms-send"):
        assert "It's" not in " ".join(call.arguments)


async def test_a_row_that_comes_late_is_waited_for(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.set(lose_rows=True)
    async with running(phone) as one, trio.open_nursery() as nursery:

        async def show() -> None:
            while not phone.air():  # noqa: ASYNC110 (the fake phone has no events)
                await trio.sleep(0.5)
            await trio.sleep(50)
            phone.add_sent("+1 555 1234567", "hi", creator="com.termux.api")

        nursery.start_soon(show)
        assert isinstance(await one.attempt(), Sent)
        assert trio.current_time() >= 50


async def test_without_a_row_it_is_uncertain_after_a_minute_and_never_failed(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    for knobs in ({"lose_rows": True}, {"lose_rows": False, "radio_fails": True}):
        phone.set(**knobs)
        async with running(phone) as one:
            begun = trio.current_time()
            assert await one.attempt() == Uncertain(termux.NOT_IN_SENT_BOX)
            assert trio.current_time() - begun >= 60
    assert len(phone.air()) == 1


async def test_rows_of_others_and_earlier_ones_are_no_proof(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone) as one:
        assert isinstance(await one.attempt(), Sent)
        phone.set(lose_rows=True)
        async with trio.open_nursery() as nursery:

            async def others_write() -> None:
                while not phone.air()[1:]:  # noqa: ASYNC110 (as above)
                    await trio.sleep(0.5)
                phone.add_sent("+15551234567", "hi", creator="com.android.messaging")
                phone.add_sent("+15551234567", "ho", creator="com.termux.api")
                phone.add_sent("+15559999999", "hi", creator="com.termux.api")

            nursery.start_soon(others_write)
            assert await one.attempt(id=2) == Uncertain(termux.NOT_IN_SENT_BOX)


async def test_a_send_that_hangs_after_its_work_is_found_in_the_sent_box(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone) as one:
        phone.set(hang_after=["termux-sms-send"])
        assert isinstance(await one.attempt(), Sent)
        phone.set(hang_after=[], hang=["termux-sms-send"])
        assert await one.attempt(id=2) == Uncertain(termux.NOT_IN_SENT_BOX)
    assert len(phone.air()) == 1


@pytest.mark.parametrize("knob", ["fail", "garbage", "error"])
async def test_a_send_that_ends_badly_may_have_been_sent(
    phone: FakeTermux, autojump_clock: MockClock, knob: str
) -> None:
    async with running(phone) as one:
        program = "termux-sms-send"
        values = {"fail": {program: 1}, "garbage": [program], "error": {program: "internal"}}
        phone.set(**{knob: values[knob]})
        assert await one.attempt() == Uncertain(termux.NOT_IN_SENT_BOX)


async def test_failed_is_said_only_where_nothing_was_handed_over(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone) as one:
        phone.set(denied=["SEND_SMS"])
        assert await one.attempt() == Failed(termux.PERMISSION_MISSING)
        phone.set(denied=[])
        phone.remove("termux-sms-send")
        assert await one.attempt(id=2) == Failed(termux.API_MISSING)
        assert await one.attempt(id=3, body=" \n") == Failed(termux.NO_TEXT)
        for to in ("+1555,+1556", "+1 555", "*", "+1555 -s 1", "ACME", ""):
            assert await one.attempt(id=4, to=to) == Failed(termux.NOT_A_NUMBER)
        assert await one.attempt(id=5, sim="+15559", sim_slot=None) == Failed(termux.NO_SUCH_SIM)
    assert phone.air() == []


async def test_where_android_can_not_be_asked_nothing_is_handed_over(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone) as one:
        phone.set(hang=["termux-sms-list"])
        with trio.fail_after(one.radio.attempt_s):
            assert await one.radio.attempt(message()) == Failed(termux.API_SILENT)
    assert phone.air() == []


async def test_a_sent_box_that_can_not_be_read_for_a_while_is_asked_again(
    phone: FakeTermux,
    autojump_clock: MockClock,
) -> None:
    async with running(phone) as one:
        phone.set(row_after_s=0)

        async def break_down() -> None:
            while not phone.air():  # noqa: ASYNC110 (as above)
                await trio.sleep(0.5)
            phone.set(fail={"termux-sms-list": 1})
            await trio.sleep(20)
            phone.set(fail={})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(break_down)
            assert isinstance(await one.attempt(), Sent)


# After a crash.


async def crash_at(
    phone: FakeTermux, desk: FakeDesk, transmission: Transmission, call: int
) -> None:
    """Runs an attempt that ends as a kill does, before the n-th command that it starts."""

    class Killed(BaseException):
        pass

    class Mortal(InProcess):
        left = call

        async def run(self, *words: Any, **options: Any) -> Any:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return await super().run(*words, **options)

    radio = radio_of(phone)
    radio._at = desk
    radio._handset = Handset(Mortal(phone), TIMINGS)
    with pytest.raises(Killed):
        await radio.attempt(transmission)


@pytest.mark.parametrize(
    ("call", "outcome"),
    [(0, None), (1, None), (2, Sent(segments=1))],
    ids=["before", "handed_over", "sent"],
)
async def test_a_crash_is_settled_by_the_sent_box(
    phone: FakeTermux, autojump_clock: MockClock, call: int, outcome: Outcome | None
) -> None:
    transmission, desk = message(id=7), FakeDesk()
    phone.add_sent(transmission.to, "hi", creator="com.termux.api")
    await crash_at(phone, desk, transmission, call)
    async with running(phone, desk) as one:
        begun = trio.current_time()
        assert await one.radio.settle(transmission) == outcome
        # A row may still come, as long as it may come without a crash.
        assert (trio.current_time() - begun >= 60) == (call == 1)
    assert len(phone.air()) == (call == 2)


async def test_an_old_crash_is_settled_at_once(
    phone: FakeTermux, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    transmission, desk = message(), FakeDesk()
    await crash_at(phone, desk, transmission, 1)
    later = now_ms() + 3_600_000
    monkeypatch.setattr(termux, "now_ms", lambda: later)
    async with running(phone, desk) as one:
        begun = trio.current_time()
        assert await one.radio.settle(transmission) is None
        assert trio.current_time() - begun < 1


async def test_a_note_of_another_message_proves_nothing(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    desk = FakeDesk()
    async with running(phone, desk) as one:
        assert isinstance(await one.attempt(id=6), Sent)
        for note in (desk.marks[termux.HANDED], "", "7", "7 x 1", "\u0667 1 1"):
            desk.marks[termux.HANDED] = note
            assert await one.radio.settle(message(id=7)) is None


# Receiving.


async def test_what_comes_in_is_reported_and_what_was_there_is_not(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.receive("+15559", "old")
    async with running(phone) as one:
        assert any("inbox already stays" in text for text in one.desk.notices)
        phone.receive("+15551", "new")
        phone.add_sent("+15551", "not received", creator="x")
        phone.receive(None, None)
        await trio.sleep(TIMINGS.poll_every_s + 1)
        assert [(sms.address, sms.body) for sms in one.desk.sms] == [("+15551", "new"), ("", "")]
        assert abs(one.desk.sms[0].date - now_ms()) < 60_000
        assert one.desk.sms[0].sim_slot == 0
        assert len(one.desk.sms[0].id) < 60


async def test_what_came_in_while_the_program_was_away_is_found(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    desk = FakeDesk()
    async with running(phone, desk):
        phone.receive("+1", "one")
        await trio.sleep(TIMINGS.poll_every_s + 1)
    phone.receive("+1", "two")
    phone.receive("+1", "three")
    async with running(phone, desk):
        await trio.sleep(1)
    assert desk.bodies == ["one", "two", "three"]


async def test_a_kill_between_report_and_mark_repeats_it_under_the_same_id(
    phone: FakeTermux,
    autojump_clock: MockClock,
) -> None:
    desk = FakeDesk()
    async with running(phone, desk):
        before = dict(desk.marks)
        phone.receive("+1", "one")
        await trio.sleep(TIMINGS.poll_every_s + 1)
    again = FakeDesk(marks=before)
    async with running(phone, again):
        await trio.sleep(1)
    assert [sms.id for sms in again.sms] == [sms.id for sms in desk.sms] != []


async def test_a_full_desk_is_asked_again(phone: FakeTermux, autojump_clock: MockClock) -> None:
    desk = FakeDesk(room=1)
    async with running(phone, desk):
        for number in range(3):
            phone.receive("+1", f"{number}")
        await trio.sleep(3 * TIMINGS.poll_every_s)
        assert desk.bodies == ["0"]
        desk.room = 10
        await trio.sleep(TIMINGS.poll_every_s + 1)
        assert desk.bodies == ["0", "1", "2"]


async def test_many_at_once_come_in_pages(phone: FakeTermux, autojump_clock: MockClock) -> None:
    async with running(phone) as one:
        for number in range(120):
            phone.receive("+1", f"{number}")
        await trio.sleep(TIMINGS.poll_every_s + 1)
        assert one.desk.bodies == [str(number) for number in range(120)]


async def test_a_silent_app_is_said_once_and_found_again(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone) as one:
        phone.set(frozen=True)
        await trio.sleep(300)
        ready = False

        async def wait() -> None:
            nonlocal ready
            await one.radio.ready(message())
            ready = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            assert not ready
            phone.receive("+1", "meanwhile")
            phone.set(frozen=False)
            await trio.sleep(60)
            assert ready
        assert one.desk.bodies == ["meanwhile"]
        said = [text for text in one.desk.notices if "did not end within 30 s" in text]
        assert len(said) == 1
        assert one.desk.notices[-1] == "Termux:API answers again"


async def test_a_permission_that_is_taken_away_ends_the_program(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    class Taken(FakeDesk):
        def report_status(self, **status: object) -> None:
            phone.set(denied=["READ_SMS"])

    with trio.fail_after(60), pytest.raises(PermissionMissing, match=r"permission\.READ_SMS"):
        await radio_of(phone).run(Taken())
    assert phone.calls()[-1].program == "termux-wake-unlock"


# Two SIMs.


async def test_each_sim_sends_by_its_slot_and_is_known_by_its_rows(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.set(slots=TWO_SLOTS)
    desk = FakeDesk()
    async with running(phone, desk, sims=TWO_SIMS) as one:
        assert desk.sims == TWO_SIMS
        assert any("--sub-id" in text for text in desk.notices)
        phone.receive("+1", "too early", sub_id=8)
        assert isinstance(await one.attempt(sim="+15551", sim_slot=1), Sent)
        assert isinstance(await one.attempt(id=2), Sent)
        await trio.sleep(2 * TIMINGS.poll_every_s)
        phone.receive("+1", "to 0", sub_id=3)
        phone.receive("+1", "to 1", sub_id=8)
        await trio.sleep(TIMINGS.poll_every_s + 1)
    assert [sent.slot for sent in phone.air()] == [1, 0]
    assert [(sms.body, sms.sim_slot) for sms in desk.sms[1:]] == [("to 0", 0), ("to 1", 1)]

    # What was learned is remembered.
    async with running(phone, desk, sims=TWO_SIMS):
        phone.receive("+1", "again", sub_id=8)
        await trio.sleep(TIMINGS.poll_every_s + 1)
    assert desk.sms[-1].sim_slot == 1


async def test_one_known_sim_is_enough_for_two(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.set(slots=TWO_SLOTS)
    async with running(phone, sims=TWO_SIMS, sub_ids={0: 3}) as one:
        phone.receive("+1", "a", sub_id=3)
        phone.receive("+1", "b", sub_id=8)
        await trio.sleep(TIMINGS.poll_every_s + 1)
        assert [sms.sim_slot for sms in one.desk.sms] == [0, 1]


async def test_after_a_change_of_sims_it_is_learned_anew(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.set(slots=TWO_SLOTS)
    async with running(phone, sims=TWO_SIMS) as one:
        await one.attempt(sim="1", sim_slot=1)
        await one.attempt(id=2, sim="0", sim_slot=0)
        await trio.sleep(2 * TIMINGS.poll_every_s)
        phone.set(slots={"0": 3, "1": 300})
        phone.receive("+1", "by the new SIM", sub_id=300)
        await trio.sleep(2 * TIMINGS.poll_every_s)
        await one.attempt(id=3, sim="1", sim_slot=1)
        await trio.sleep(2 * TIMINGS.poll_every_s)
        phone.receive("+1", "again", sub_id=300)
        phone.receive("+1", "the old one", sub_id=3)
        await trio.sleep(TIMINGS.poll_every_s + 1)
        assert [sms.sim_slot for sms in one.desk.sms[1:]] == [1, 0]


async def test_a_slot_without_a_sim_is_uncertain(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone, sims=TWO_SIMS) as one:
        assert await one.attempt(sim="1", sim_slot=1) == Uncertain(termux.NOT_IN_SENT_BOX)
    assert phone.air() == []


async def test_sims_without_names_are_asked_for(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.set(slots=TWO_SLOTS)
    async with running(phone) as one:
        assert one.desk.sims == (SimCard(slot=0, carrier="Fake Mobile"),)
        assert any("name each that is in use" in text for text in one.desk.notices)
        assert isinstance(await one.attempt(sim="0", sim_slot=0), Sent)
    assert "-s" not in phone.calls("termux-sms-send")[-1].arguments


# Starting, and the rest.


async def test_a_phone_is_known_again(phone: FakeTermux, autojump_clock: MockClock) -> None:
    desk = FakeDesk()
    async with running(phone, desk) as one:
        first = one.identity
    async with running(phone, desk) as one:
        assert one.identity == first
    async with running(phone) as one:
        assert one.identity.device_id != first.device_id
    assert first.model == "Fake Phone 1"
    assert first.device_id.startswith("termux-")


async def test_the_status_is_reported(phone: FakeTermux, autojump_clock: MockClock) -> None:
    async with running(phone, signal=True) as one:
        await trio.sleep(1)
        phone.set(battery=7, charging=True)
        await trio.sleep(TIMINGS.status_every_s)
        assert one.desk.status == [
            {"battery": 83, "charging": False, "signal": 3},
            {"battery": 7, "charging": True, "signal": 3},
        ]


async def test_a_phone_without_a_battery_is_no_less_a_phone(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.set(fail={"termux-battery-status": 1})
    async with running(phone) as one:
        await trio.sleep(TIMINGS.status_every_s * 2)
        assert one.desk.status == []
    assert phone.calls("termux-telephony-cellinfo") == []


async def test_the_wake_lock_is_held_to_the_end(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    async with running(phone):
        assert len(phone.calls("termux-wake-lock")) == 1
        assert phone.calls("termux-wake-unlock") == []
    assert phone.calls()[-1].program == "termux-wake-unlock"


async def test_a_phone_without_wake_locks_is_no_less_a_phone(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    phone.remove("termux-wake-lock")
    phone.remove("termux-wake-unlock")
    async with running(phone) as one:
        assert isinstance(await one.attempt(), Sent)


async def test_what_is_missing_is_said_in_a_sentence(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    for permission in ("SEND_SMS", "READ_PHONE_STATE", "READ_SMS", "READ_CONTACTS"):
        phone.set(denied=[permission])
        error = await refusal_of(phone)
        assert isinstance(error, PermissionMissing)
        assert f"pm grant com.termux.api android.permission.{permission}" in str(error)
    phone.set(denied=[], frozen=True)
    assert isinstance(await refusal_of(phone), ApiSilent)
    phone.set(frozen=False, sim_state="absent")
    assert str(await refusal_of(phone)) == "The phone has no SIM."
    phone.set(sim_state="pin_required")
    assert "Unlock it" in str(await refusal_of(phone, sims=TWO_SIMS))
    phone.set(sim_state="perso_locked", slots=TWO_SLOTS)
    async with running(phone, sims=TWO_SIMS):
        pass
    phone.remove("termux-sms-list")
    assert isinstance(await refusal_of(phone), CommandMissing)
    assert phone.air() == []


async def test_a_sim_that_is_not_ready_yet_is_waited_for(
    phone: FakeTermux, autojump_clock: MockClock
) -> None:
    for state in ("not_ready", "unknown", "ready"):
        phone.set(sim_state=state)
        async with running(phone):
            pass


def test_an_unusable_sim_is_named() -> None:
    assert str(SimUnusable("odd")) == "The SIM can't be used (state odd)."
