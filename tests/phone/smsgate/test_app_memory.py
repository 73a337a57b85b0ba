"""The app's memory and its outbox: whatever is pulled, reported and killed, an SMS leaves once."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.smsgate import outbox
from phonegate.phone.smsgate.answers import Pulled
from phonegate.phone.smsgate.app_journal import decode, encode
from phonegate.phone.smsgate.app_memory import (
    AppMemory,
    Moved,
    Record,
    ReportEnded,
    Stored,
)
from phonegate.phone.smsgate.app_settings import AppSettings

IDS = ("m1", "m2", "m3")
NUMBERS = ("+1", "+2")

ACTIONS = st.one_of(
    st.tuples(
        st.just("pull"), st.sampled_from(IDS), st.sampled_from([None, "Pending", "Cancelling"])
    ),
    st.tuples(st.just("serve"), st.booleans(), st.none()),
    st.tuples(st.just("settle"), st.sampled_from(IDS), st.sampled_from(["Sent", "Failed"])),
    st.tuples(st.just("kill"), st.none(), st.none()),
)


class Phone:
    """An app whose memory is what its journal says, line by line, and its radio."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.memory = AppMemory()
        self.radioed = Counter[str]()
        self.holes = Counter[str]()
        """How often it was killed between the radio and its table, for each message."""

    def record(self, record: Record) -> None:
        self.lines.append(encode("app", [record]))
        self.memory.apply(record)

    def kill(self) -> None:
        self.memory = AppMemory()
        for line in self.lines:
            for record in decode(line)[1]:
                self.memory.apply(record)

    def states(self) -> dict[str, str]:
        return {name: message.state for name, message in self.memory.messages.items()}

    def pull(self, name: str, state: str | None, time: int) -> None:
        pulled = Pulled(id=name, text="hi", phone_numbers=NUMBERS, state=state)
        for record in outbox.taken(self.memory, pulled, time):
            self.record(record)

    def serve(self, time: int, *, killed: bool) -> None:
        message = outbox.next_message(self.memory, time)
        if message is None:
            return
        for number in NUMBERS:
            self.radioed[message.pulled.id + number] += 1
            if killed:
                self.holes[message.pulled.id] += 1
                self.kill()
                return
            self.record(Moved(id=message.pulled.id, number=number, state="Processed", time=time))

    def settle(self, name: str, state: str, time: int) -> None:
        if self.radioed[f"{name}+1"]:
            self.record(Moved(id=name, number="+1", state=state, time=time))


@given(st.lists(ACTIONS, max_size=40))
def test_an_sms_leaves_once_unless_killed_within_the_apps_own_hole(
    actions: list[tuple[str, Any, Any]],
) -> None:
    phone = Phone()
    for time, (action, first, second) in enumerate(actions):
        match action:
            case "pull":
                phone.pull(first, second, time)
            case "serve":
                phone.serve(time, killed=first)
            case "settle":
                phone.settle(first, second, time)
            case "kill":
                before = phone.states()
                phone.kill()
                assert phone.states() == before
    for name in IDS:
        assert phone.radioed[f"{name}+1"] <= 1 + phone.holes[name]


@given(st.permutations(["Processed", "Sent", "Delivered"]), st.booleans())
def test_states_only_go_forwards(order: list[str], fails: bool) -> None:  # noqa: FBT001
    memory = AppMemory()
    memory.apply(Stored(message=Pulled(id="m", text="x", phone_numbers=("+1",)), time=0))
    seen = []
    for time, state in enumerate([*order, *(["Failed", "Sent"] if fails else [])], 1):
        memory.apply(Moved(id="m", number=None, state=state, time=time))
        seen.append(memory.messages["m"].state)
    steps = ["Processed", "Sent", "Delivered", "Failed"]
    assert [steps.index(state) for state in seen] == sorted(steps.index(s) for s in seen)
    assert seen[-1] == ("Failed" if fails else "Delivered")
    assert len(memory.jobs) == len(set(seen))


def test_the_state_of_a_message_is_what_its_recipients_come_to() -> None:
    memory = AppMemory()
    memory.apply(Stored(message=Pulled(id="m", text="x", phone_numbers=("+1", "+2")), time=0))
    message = memory.messages["m"]
    for number, state, whole in (
        ("+1", "Processed", "Pending"),
        ("+2", "Processed", "Processed"),
        ("+1", "Failed", "Processed"),
        ("+2", "Delivered", "Sent"),
    ):
        memory.apply(Moved(id="m", number=number, state=state, time=1))
        assert message.state == whole
    assert "m" not in memory.pending


def test_what_is_sent_next_has_priority_then_the_order_of_the_settings() -> None:
    memory = AppMemory()

    def store(name: str, priority: int = 0, schedule_at: int | None = None) -> None:
        pulled = Pulled(
            id=name, text="x", phone_numbers=("+1",), priority=priority, schedule_at=schedule_at
        )
        memory.apply(Stored(message=pulled, time=0))

    def next_id(now: int = 0) -> str | None:
        message = outbox.next_message(memory, now)
        return None if message is None else message.pulled.id

    assert next_id() is None
    assert outbox.next_due_ms(memory) is None
    store("held", schedule_at=50)
    assert next_id() is None
    assert outbox.next_due_ms(memory) == 50
    store("first")
    store("last")
    assert next_id() == "last"
    memory.settings = AppSettings(processing_order="FIFO")
    assert next_id() == "first"
    store("urgent", priority=1)
    assert next_id() == "urgent"
    assert outbox.next_due_ms(memory) == 0


def test_what_a_version_cannot_send_is_left() -> None:
    empty = Pulled(id="m", phone_numbers=("+1",))
    assert outbox.taken(AppMemory(), empty, 0) == []
    sent = Pulled(id="m", text="x", phone_numbers=("+1",), state="Sent")
    assert outbox.taken(AppMemory(), sent, 0) == []


def test_what_goes_over_the_air() -> None:
    both = Pulled(id="m", text="x", data="AAAA", phone_numbers=("+1",))
    assert (outbox.body(both), outbox.parts(both)) == ("AAAA", 1)
    mms = Pulled(id="m", mms={"text": "look"}, phone_numbers=("+1",))
    assert (outbox.body(mms), outbox.parts(mms)) == ("look", 1)
    long = Pulled(id="m", text="x" * 161, phone_numbers=("+1",))
    assert outbox.parts(long) == 2


def test_an_ended_report_is_forgotten_once() -> None:
    memory = AppMemory()
    memory.apply(ReportEnded(job=5))
    assert memory.jobs == {}
