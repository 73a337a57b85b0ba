"""The state of a phone by itself, and against the steps of delivery under any misfortune."""

import json
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from phonegate.config.settings import PhoneSettings
from phonegate.domain import delivery
from phonegate.domain.delivery import Pick, Policy
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import Leased, Message, Pushed
from phonegate.model.phones import Health, Phone, Sim
from phonegate.model.states import Cause, advance
from phonegate.phones import frames
from phonegate.phones.frames import FrameFault, encode
from phonegate.phones.link.frame_reader import read
from phonegate.phones.state import (
    Close,
    Dead,
    GraceOver,
    Patience,
    PhoneState,
    Probe,
    Record,
    SendFrame,
    Step,
)
from phonegate.phones.window import Window
from tests.domain.messages import message

WINDOW = 3
GRACE_S = 5.0
HEALTH_S = 300.0


def link(
    *,
    identified: bool = True,
    has_unacknowledged: bool = False,
    in_doubt: bool = False,
    now: float = 0.0,
    window: int = WINDOW,
    widest: int = 0,
    ping_interval_s: float = 20,
    pong_timeout_s: float = 20,
) -> PhoneState:
    return PhoneState(
        Window(window, widest=widest, now=now),
        Patience(
            max_nonsense=3,
            grace_s=GRACE_S,
            ping_interval_s=ping_interval_s,
            pong_timeout_s=pong_timeout_s,
            health_s=HEALTH_S,
        ),
        org=1,
        org_name="myorg",
        online=OnlinePhone(phone=1, device_id="d" if identified else None, name=None, sims=()),
        link_name="link",
        has_unacknowledged=has_unacknowledged,
        in_doubt=in_doubt,
        now=now,
    )


def hear(state: PhoneState, data: str | bytes) -> Sequence[object]:
    """Takes a frame as text, as a transport reads it."""
    try:
        frame = read(data)
    except FrameFault as fault:
        return state.refuse(fault)
    return state.receive(frame)


def say(state: PhoneState, kind: str, **fields: Any) -> Sequence[object]:
    return hear(state, json.dumps({"type": kind, **fields}))


def push(state: PhoneState, message_id: int) -> list[int]:
    """Pushes with a reservation; the ids that went out."""
    assert state.window.reserve()
    frame = state.push(message(message_id))
    return [] if frame is None else [frame.id]


def test_a_phone_in_doubt_is_given_nothing_until_it_is_identified() -> None:
    state = link(identified=False)
    assert (state.takes_new, state.in_doubt) == (True, False)
    state.doubt()
    assert (state.takes_new, state.in_doubt) == (False, True)
    state.identified = True
    assert (state.takes_new, state.in_doubt) == (True, False)


def test_the_window_frees_by_ack_result_report_and_giving_up() -> None:
    state = link(window=4)
    assert [push(state, n) for n in (1, 2, 3, 4)] == [[1], [2], [3], [4]]
    assert state.window.free == 0
    assert not state.window.reserve()
    say(state, "ack", id=1)
    say(state, "send_result", id=2, success=True)
    say(state, "delivery_report", id=3, delivered=True)
    assert state.window.give_up(4)
    assert not state.window.give_up(4)
    assert state.window.free == 4
    say(state, "send_result", id=1, success=True)
    say(state, "ack", id=99)
    assert state.window.free == 4


def test_what_was_reserved_is_not_kept_by_a_phone_that_takes_another_row() -> None:
    state = link(window=1)
    assert state.window.reserve()
    state.move()
    assert state.window.free == 1


def test_nothing_is_pushed_twice_over_a_link_nor_after_its_ack() -> None:
    state = link()
    assert push(state, 1) == [1]
    assert push(state, 1) == []
    say(state, "ack", id=1)
    assert push(state, 1) == []
    say(state, "ack", id=2)
    assert push(state, 2) == []
    assert state.window.free == WINDOW


def test_old_acks_are_forgotten_one_by_one() -> None:
    state = link(window=1)
    for message_id in range(1, 1001):
        say(state, "ack", id=message_id)
    assert push(state, 1000) == []
    assert push(state, 1) == [1]


def test_what_comes_is_recorded_in_order() -> None:
    state = link()
    assert say(state, "ack", id=1) == [Record(frames.Ack(id=1))]
    assert say(state, "ping") == [Record(frames.Ping())]
    assert not state.greeted
    hello = frames.Hello(features=frozenset({"ack"}))
    assert say(state, "hello", features=["ack"]) == [Record(hello)]
    assert state.greeted
    assert state.acks


def test_how_a_phone_is_gets_written_down_when_it_is_looked_after() -> None:
    state = link(ping_interval_s=20, now=0)
    state.grace_over = True
    assert state.tick(1) == []
    assert say(state, "status", battery=5, charging=True) == []
    assert state.health.latest == Health(battery=5, charging=True)
    assert state.tick(2) == [Record(frames.Status(battery=5, charging=True))]
    assert state.tick(3) == []


def test_a_phone_is_given_no_number_that_it_does_not_know() -> None:
    state = link()
    sims = (Sim(slot=0, number="+1550", given=True), Sim(slot=1, number="+1551"))
    state.online = attrs.evolve(state.online, sims=sims)
    for slot, known in ((0, None), (1, "+1551")):
        frame = state.push(message(slot + 1, sim_slot=slot, sim=f"+155{slot}"))
        assert frame is not None
        assert (frame.sim, frame.sim_slot) == (known, slot)


def test_nonsense_costs_an_error_each_and_the_link_in_the_end() -> None:
    state = link()
    (effect,) = hear(state, "nonsense")
    assert isinstance(effect, SendFrame)
    assert isinstance(effect.frame, frames.Error)
    assert effect.frame.code == "bad_json"
    assert len(hear(state, b"")) == 1
    assert say(state, "status") == []  # which starts the count anew
    (wrong,) = say(state, "ack", id=True)
    assert isinstance(wrong, SendFrame)
    assert wrong.frame == frames.Error(
        code="bad_field", detail=f"id must be an integer from 1 to {2**63 - 1}.", field="id"
    )
    assert len(say(state, "dance")) == 1
    error, close = hear(state, "[]")
    assert isinstance(error, SendFrame)
    assert isinstance(close, Close)
    assert close.code == 1008


def test_cancel_is_for_phones_that_can_and_have_it() -> None:
    state = link()
    push(state, 1)
    assert state.cancel(1) is None
    say(state, "hello", features=["cancel"])
    assert state.cancel(1) == frames.Cancel(1)
    assert state.cancel(2) is None
    state.tick(GRACE_S)
    assert state.take_resume()
    assert state.cancel(2) == frames.Cancel(2)


@pytest.mark.parametrize("identified", [True, False])
def test_a_phone_that_acks_resumes_once_it_is_known(*, identified: bool) -> None:
    state = link(identified=identified)
    assert not state.take_resume()
    say(state, "hello", features=["ack"])
    assert state.take_resume() == identified
    state.identified = True
    assert state.take_resume() != identified
    assert not state.take_resume()


def test_others_resume_after_the_grace() -> None:
    state = link()
    say(state, "hello", features=["cancel"])
    assert state.due == GRACE_S
    assert state.tick(GRACE_S - 0.1) == []
    assert not state.take_resume()
    assert state.tick(GRACE_S) == [Record(GraceOver())]
    assert state.take_resume()
    assert state.tick(GRACE_S) == []
    assert state.due == 20


@pytest.mark.parametrize("identified", [True, False])
def test_the_end_of_the_grace_is_nothing_to_a_phone_that_owes_nothing(*, identified: bool) -> None:
    state = link(identified=identified)
    state.owes_nothing()
    assert state.tick(GRACE_S) == ([] if identified else [Record(GraceOver())])
    assert state.grace_over
    assert not state.take_resume()


def test_a_silent_phone_is_found_dead() -> None:
    state = link()
    state.tick(GRACE_S)
    assert state.tick(19.9) == []
    assert state.tick(20) == [Probe()]
    state.probe_answered(19.9)  # older than the ping: no answer to it
    assert state.due == 40
    assert state.tick(39.9) == []
    state.probe_answered(39.9)
    assert state.tick(39.9) == []
    assert state.due == 40
    assert state.tick(40) == [Probe()]
    assert state.tick(60) == [Dead()]


def test_with_the_usual_settings_silence_is_borne_for_half_a_minute_at_most() -> None:
    usual = PhoneSettings()
    state = link(ping_interval_s=usual.ping_interval_s, pong_timeout_s=usual.pong_timeout_s)
    while Probe() not in state.tick(now := state.due):
        pass
    # The last that it reads or says is the answer to this very ping.
    state.probe_answered(silent_since := now)
    while Dead() not in state.tick(now := state.due):
        pass
    assert now - silent_since <= 30
    assert usual.write_timeout_s <= 30


# --- against delivery


class MemoryMessages:
    """As much of the store's messages as delivery asks for; a twin of its SQL."""

    def __init__(self) -> None:
        self.rows: dict[int, Message] = {}

    def find(self, org: int, id: int) -> Message | None:  # noqa: A002
        return self.rows.get(id)

    def set(self, id: int, **columns: Any) -> None:  # noqa: A002
        self.rows[id] = attrs.evolve(self.rows[id], **columns)

    def transition(self, message: Message, cause: Cause, **columns: Any) -> Message | None:
        after = advance(message.status, cause)
        if after is None:
            return None
        assert self.rows[message.id].status == message.status
        self.set(message.id, status=after, **columns)
        return self.rows[message.id]

    def lease(self, ids: Sequence[int], *, phone: int, now: int, **sim: Any) -> list[Message]:
        queued = [self.rows[id_] for id_ in ids if self.rows[id_].status == "queued"]
        for row in queued:
            self.set(
                row.id,
                status="sending",
                phone=phone,
                attempts=row.attempts + 1,
                pushed_at=now,
                acked_at=None,
            )
        return [self.rows[row.id] for row in queued]

    def awaiting_result(self, phone: int) -> list[Message]:
        return [r for r in self.rows.values() if r.status == "sending" and r.phone == phone]


class MemoryPhones:
    def get(self, phone: int) -> Phone:
        return Phone(id=phone, org=1, device_id="d", first_seen=0, last_seen=0)


class MemoryTables:
    def __init__(self) -> None:
        self.messages = self.phone_queue = MemoryMessages()
        self.phones = MemoryPhones()


class Links(RuleBasedStateMachine):
    """One phone and the gateway over a network that loses, repeats, delays and breaks.

    `up` and `down` are the frames under way; `steps` those that were read and not yet
    recorded; `late` committed messages on their way to the push.
    """

    acks = True
    policy = Policy(max_attempts=4)

    @initialize()
    def begin(self) -> None:
        self.tx: Any = MemoryTables()
        self.now = 0.0
        self.next_id = 1
        self.radio: Counter[int] = Counter()
        self.pushes: Counter[int] = Counter()
        self.acked_here: set[int] = set()
        self.journal: set[int] = set()
        self.sending: deque[int] = deque()
        self.results: dict[int, dict[str, Any]] = {}
        self.steps: deque[Step] = deque()
        self.late: deque[tuple[PhoneState, Message | Leased]] = deque()
        self.left_open: deque[Message] = deque()
        self.connect()

    def connect(self) -> None:
        # The recorder of the old link ends before the new one resumes, whatever the new does.
        self.record_all()
        self.state = link(now=self.now)
        self.up: deque[str] = deque()
        self.down: deque[str] = deque()
        self.left_open.clear()
        if self.acks:
            self.up.append('{"type":"hello","features":["ack"]}')

    # the gateway

    @rule()
    def enqueue(self) -> None:
        self.tx.messages.rows[self.next_id] = message(self.next_id)
        self.next_id += 1

    @rule(late=st.booleans())
    def feed(self, *, late: bool) -> None:
        while self.left_open and self.state.window.reserve():
            self.deliver(self.state, self.left_open.popleft())
        for row in list(self.tx.messages.rows.values()):
            if row.status != "queued" or not self.state.window.reserve():
                continue
            pick = Pick(id=row.id, sim_slot=0, sim=None)
            (leased,) = delivery.lease(self.tx, 1, [pick], int(self.now))
            self.late.append((self.state, leased))
        if not late:
            self.push_late()

    @rule()
    def push_late(self) -> None:
        while self.late:
            reserved_by, leased = self.late.popleft()
            if reserved_by is self.state:
                self.deliver(reserved_by, leased)

    def deliver(self, state: PhoneState, row: Message | Leased) -> None:
        if (frame := state.push(row)) is not None:
            assert row.id not in self.acked_here, "pushed after its ack had come"
            self.pushes[row.id] += 1
            self.down.append(encode(frame))

    @precondition(lambda self: bool(self.up))
    @rule(repeat=st.integers(0, 2))
    def read(self, repeat: int) -> None:
        data = self.up.popleft()
        for _ in range(repeat + 1):
            fields = json.loads(data)
            for effect in hear(self.state, data):
                assert isinstance(effect, Record)
                self.steps.append(effect.step)
                if fields["type"] == "ack":
                    self.acked_here.add(fields["id"])

    @precondition(lambda self: bool(self.steps))
    @rule()
    def record(self) -> None:
        before = {row.id: row.status for row in self.tx.messages.rows.values()}
        step = self.steps.popleft()
        match step:
            case frames.Ack():
                assert delivery.acknowledge(self.tx, 1, 1, step.id, int(self.now))
            case frames.SendResult():
                delivery.apply_result(
                    self.tx,
                    1,
                    1,
                    step.id,
                    success=step.success,
                    error=None,
                    segments=None,
                    uncertain=False,
                    now=int(self.now),
                )
                # Each report has at most one effect: only an open message changes.
                if before[step.id] not in {"sending", "uncertain"}:
                    assert self.tx.messages.rows[step.id].status == before[step.id]
            case _:
                pass
        if self.state.take_resume():
            # Lost pushes of this link's own leases are not late any more.
            in_flight = {row.id for _, row in self.late} | set(self.state.window.in_flight)
            self.left_open.extend(
                delivery.resume(
                    self.tx,
                    1,
                    acks=self.acks,
                    in_flight=in_flight,
                    now=int(self.now),
                    policy=self.policy,
                )
            )

    def record_all(self) -> None:
        while self.steps:
            self.record()

    @rule(seconds=st.sampled_from([1.0, GRACE_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for effect in self.state.tick(self.now):
            if isinstance(effect, Record):
                self.steps.append(effect.step)
        self.state.probe_answered(self.now)

    @rule(data=st.sampled_from(["?", "{}", '{"type":"dance"}']))
    def nonsense(self, data: str) -> None:
        state = link()
        before = self.state.window.free
        assert all(isinstance(effect, SendFrame) for effect in hear(state, data))
        assert self.state.window.free == before

    # the phone

    @precondition(lambda self: bool(self.down))
    @rule()
    def take(self) -> None:
        frame = json.loads(self.down.popleft())
        if frame["type"] != "send_sms":
            return
        if self.acks:
            self.up.append(json.dumps({"type": "ack", "id": frame["id"]}))
            if frame["id"] in self.journal:
                if frame["id"] in self.results:
                    self.up.append(json.dumps(self.results[frame["id"]]))
                return
            self.journal.add(frame["id"])
        self.radio[frame["id"]] += 1
        self.sending.append(frame["id"])

    @precondition(lambda self: bool(self.sending))
    @rule(success=st.booleans())
    def finish(self, *, success: bool) -> None:
        message_id = self.sending.popleft()
        result = {"type": "send_result", "id": message_id, "success": success}
        self.results[message_id] = result
        self.up.append(json.dumps(result))

    @rule(kept=st.integers(0, 3))
    def break_link(self, kept: int) -> None:
        """The link dies; the first frames that were under way still arrive."""
        for _ in range(min(kept, len(self.up))):
            self.read(0)
        self.connect()

    # what holds

    @invariant()
    def room_is_neither_lost_nor_overdrawn(self) -> None:
        state = self.state
        reserved = sum(1 for holder, _ in self.late if holder is state)
        assert state.window.free == WINDOW - len(state.window.in_flight) - reserved
        assert 0 <= state.window.free <= WINDOW

    @invariant()
    def the_guarantees_hold(self) -> None:
        for row in self.tx.messages.rows.values():
            if self.acks:
                assert self.radio[row.id] <= 1
            else:
                assert self.pushes[row.id] <= self.policy.max_attempts
            if row.status in {"sent", "failed"}:
                assert row.id in self.results

    def teardown(self) -> None:
        """On a network that works again, every message comes to an end and all room returns."""
        if not hasattr(self, "tx"):
            return
        for _ in range(2):
            self.connect()
            self.wait(GRACE_S)
            for _ in range(self.next_id + WINDOW):
                self.feed(late=False)
                while self.down:
                    self.take()
                while self.sending:
                    self.finish(success=True)
                while self.up:
                    self.read(0)
                self.record_all()
        lost = {"sending"} if self.acks else set()
        for row in self.tx.messages.rows.values():
            if row.status in lost:
                # Its result was lost on the way, and its ack was not: the scheduler's to end.
                assert row.acked_at is not None
                assert row.id in self.results
            else:
                assert row.status in {"sent", "failed", "uncertain"}
            if row.status in {"sending", "uncertain"}:
                self.state.window.give_up(row.id)
        self.room_is_neither_lost_nor_overdrawn()
        assert self.state.window.free == WINDOW


class SeedLinks(Links):
    """The same for a phone of the simple state, which never acknowledges."""

    acks = False


TestLinks = Links.TestCase
TestLinks.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestSeedLinks = SeedLinks.TestCase
TestSeedLinks.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("given", [False, True], ids=["reported", "given"])
@pytest.mark.parametrize("priority", [0, 3])
def test_a_new_message_is_pushed_as_any_other(given: bool, priority: int) -> None:  # noqa: FBT001
    sims = (Sim(slot=0, number="+15551112222", given=given),)
    new = Pushed(1, "+1555", "hi", 0, 1, "", 0, "+15551112222", priority, "hold", None, 2)
    states = link(), link()
    for state in states:
        state.online = attrs.evolve(state.online, sims=sims)
        assert state.window.reserve(2)
    assert states[0].push_new(5, new) == states[1].push(new.stored(5))
    assert states[0].push_new(5, new) is None
    assert [state.window.reserved for state in states] == [0, 1]
