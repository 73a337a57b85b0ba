from collections.abc import Sequence
from contextlib import ExitStack
from unittest import mock

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phonegate.phone.journal import decode, encode
from phonegate.phone.ledger import CANCELLED, DIED, FORGOTTEN, KEPT_RESULTS, Ledger, OutOfTurn
from phonegate.phone.records import (
    Confirmed,
    Delivered,
    Gateway,
    Handed,
    Inbound,
    InboundAcked,
    InboundForgotten,
    Mark,
    Record,
    Result,
    Taken,
)

SMALL = {
    "phonegate.phone.ledger.KEPT_RESULTS": 2,
    "phonegate.phone.finished_ids.BLOCK": 2,
    "phonegate.phone.finished_ids.MAX_BLOCKS": 2,
}


def seen(ledger: Ledger) -> tuple[object, ...]:
    """All that a phone can learn from its memory."""
    return (
        ledger.waiting(),
        ledger.interrupted(),
        ledger.unreported(),
        ledger.deliveries(),
        ledger.unacked(),
        ledger.stored(),
        [ledger.knows(message) for message in range(12)],
        [ledger.answer(taken(message)) for message in range(12)],
        [ledger.result(message) for message in range(12)],
    )


def taken(message: int = 1) -> Taken:
    return Taken(id=message, to="+15550000", body="hi")


def sent(message: int = 1, *, silent: bool = False) -> Result:
    return Result(id=message, success=True, segments=1, silent=silent)


def test_a_new_push_is_taken_and_a_repeat_is_not() -> None:
    ledger = Ledger()
    assert ledger.answer(taken()).record == taken()
    ledger.apply(taken())
    assert ledger.answer(taken()).record is None
    assert ledger.answer(taken()).result is None


def test_a_repeat_of_a_finished_id_is_answered_by_its_result() -> None:
    ledger = Ledger([taken(), Handed(id=1), sent()])
    assert ledger.answer(taken()).result == sent()


@pytest.mark.parametrize(
    "records",
    [
        [Handed(id=1)],
        [taken(), taken()],
        [taken(), Handed(id=1), Handed(id=1)],
        [taken(), Handed(id=1), taken()],
        [taken(), sent(), Handed(id=1)],
        [taken(), Handed(id=1), sent(), sent()],
        [taken(), Delivered(id=1, date=1)],
        [Result(id=1, success=False), Delivered(id=1, date=1)],
    ],
)
def test_records_out_of_turn_are_refused_and_change_nothing(records: Sequence[Record]) -> None:
    ledger = Ledger(records[:-1])
    before = (ledger.waiting(), ledger.unreported(), ledger.interrupted())
    with pytest.raises(OutOfTurn):
        ledger.apply(records[-1])
    assert (ledger.waiting(), ledger.unreported(), ledger.interrupted()) == before


def test_after_a_restart_what_the_radio_had_is_interrupted_and_the_rest_goes_on() -> None:
    ledger = Ledger([taken(1), taken(2), taken(3), Handed(id=1), Handed(id=3), sent(3)])
    assert ledger.interrupted() == [taken(1)]
    assert ledger.waiting() == [taken(2)]


def test_results_wait_until_they_are_confirmed() -> None:
    ledger = Ledger([taken(1), sent(1), taken(2), sent(2), taken(3), sent(3, silent=True)])
    assert [result.id for result in ledger.unreported()] == [1, 2]
    ledger.apply(Confirmed(results=(1, 99)))
    assert [result.id for result in ledger.unreported()] == [2]


def test_a_delivery_is_told_by_itself_once_its_result_is_confirmed() -> None:
    ledger = Ledger([taken(), sent(), Delivered(id=1, date=5)])
    assert ledger.delivery(1) == Delivered(id=1, date=5)
    assert ledger.is_unreported(1)
    ledger.apply(Confirmed(results=(1,)))
    assert ledger.deliveries() == [Delivered(id=1, date=5)]
    assert not ledger.is_unreported(1)
    ledger.apply(Confirmed(deliveries=(1,)))
    assert ledger.deliveries() == []
    assert ledger.delivery(1) is None


def test_cancel_reaches_what_the_radio_does_not_have() -> None:
    ledger = Ledger([taken(1), taken(2), Handed(id=2), taken(3), Handed(id=3), sent(3)])
    assert ledger.cancel(1) == Result(id=1, success=False, error=CANCELLED)
    assert ledger.cancel(2) is None
    assert ledger.cancel(3) is None


def test_a_cancelled_id_that_never_came_is_not_taken_when_it_comes() -> None:
    ledger = Ledger()
    result = ledger.cancel(7)
    assert result is not None
    ledger.apply(result)
    answer = ledger.answer(taken(7))
    assert answer.record is None
    assert answer.result == result


def test_received_messages_wait_for_their_ack_in_order() -> None:
    mail = [Inbound(id=str(n), address="+1", body="x", date=n) for n in range(4)]
    ledger = Ledger([*mail, InboundAcked(ids=("1", "nonsense"))])
    assert [one.id for one in ledger.unacked()] == ["0", "2", "3"]
    assert [one.id for one in ledger.unacked(2)] == ["0", "2"]
    assert ledger.unacked_count == 3


def test_what_the_gateway_has_waits_until_the_radio_has_forgotten_it() -> None:
    mail = [Inbound(id=str(n), address="+1", body="xx", date=n) for n in range(3)]
    ledger = Ledger([*mail, InboundAcked(ids=("0", "2"))])
    assert ledger.stored() == ["0", "2"]
    assert ledger.unacked_characters == 2
    ledger.apply(InboundForgotten(ids=("0", "nonsense")))
    assert ledger.stored() == ["2"]
    assert [ledger.holds(one) for one in "012"] == [False, True, True]


def test_a_reference_is_that_of_the_newest_message() -> None:
    ledger = Ledger()
    assert ledger.referred("+1/7") is None
    for message in (1, 2):
        ledger.apply(Result(id=message, success=True, reference="+1/7"))
    found = ledger.referred("+1/7")
    assert found is not None
    assert found.id == 2


def test_a_finished_id_with_another_text_is_another_message() -> None:
    ledger = Ledger([taken(), Handed(id=1)])
    other = attrs.evolve(taken(), body="other")
    assert not ledger.answer(other).ack
    ledger.apply(sent())
    assert ledger.answer(taken()).result == sent()
    assert ledger.answer(other).record == other
    ledger.apply(other)
    ledger.apply(Handed(id=1))
    assert ledger.result(1) is None
    assert ledger.unreported() == []


def test_another_gateway_begins_with_no_messages_but_gets_what_came_in() -> None:
    ledger = Ledger([Gateway(since="a"), Mark(name="sms", value="1")])
    for record in (taken(1), Handed(id=1), sent(1), taken(2), taken(3), Handed(id=3)):
        ledger.apply(record)
    ledger.apply(Inbound(id="m", address="+1", body="x", date=1))
    ledger.apply(Gateway(since="a"))
    assert ledger.waiting() == [taken(2)]
    ledger.apply(Gateway(since="b"))
    assert [ledger.answer(taken(message)).record for message in (1, 2, 3)] == [
        taken(1),
        taken(2),
        taken(3),
    ]
    assert (ledger.waiting(), ledger.interrupted(), ledger.unreported()) == ([], [], [])
    assert [mail.id for mail in ledger.unacked()] == ["m"]
    assert (ledger.mark("sms"), ledger.gateway) == ("1", "b")
    assert Ledger(ledger.snapshot()).gateway == "b"


def test_marks_hold_the_last_value() -> None:
    ledger = Ledger([Mark(name="sms", value="1"), Mark(name="sms", value="2")])
    assert (ledger.mark("sms"), ledger.mark("other")) == ("2", None)


def test_years_of_messages_need_little_memory_and_none_is_sent_again() -> None:
    count = KEPT_RESULTS + 500
    ledger = Ledger()
    for message in range(1, count + 1):
        for record in (taken(message), Handed(id=message), sent(message)):
            ledger.apply(record)
        ledger.apply(Confirmed(results=(message,)))
    records = list(ledger.snapshot())
    assert len(records) == KEPT_RESULTS + 2
    answer = ledger.answer(taken(1))
    assert answer.record is None
    assert answer.result is not None
    assert (answer.result.uncertain, answer.result.error) == (True, FORGOTTEN)
    assert ledger.answer(taken(count)).result == sent(count)
    assert ledger.answer(taken(count + 1)).record is not None
    assert "hi" not in repr([encode("p", record) for record in records])


class PhoneLife(RuleBasedStateMachine):
    """Any order of pushes, repeats, losses and deaths, with what each would do in a phone.

    The radio counts what reaches it; the gateway notes what it was told. What was told on a link
    that is lost before a confirmation may or may not have arrived.
    """

    ids = st.integers(1, 9)

    def __init__(self) -> None:
        super().__init__()
        # Small bounds, so that few messages reach them.
        self.bounds = ExitStack()
        for target, bound in SMALL.items():
            self.bounds.enter_context(mock.patch(target, bound))
        self.log: list[bytes] = []
        self.ledger = Ledger()
        self.radio: dict[int, int] = {}
        self.gateway: dict[int, list[Result]] = {}
        self.told: list[Result] = []
        self.pushed: set[int] = set()
        self.up = True

    def write(self, record: Record) -> None:
        self.ledger.apply(record)
        self.log.append(encode("p", record))

    def tell(self, result: Result) -> None:
        if self.up:
            self.told.append(result)

    @rule(message=ids)
    def push(self, message: int) -> None:
        if not self.up:
            return
        self.pushed.add(message)
        answer = self.ledger.answer(taken(message))
        if answer.record is not None:
            self.write(answer.record)
        elif answer.result is not None:
            self.tell(answer.result)

    @rule(success=st.booleans(), die=st.sampled_from(["no", "before", "between", "after"]))
    def serve_radio(self, *, success: bool, die: str) -> None:
        for one in self.ledger.waiting()[:1]:
            if die == "before":
                return self.restart()
            self.write(Handed(id=one.id))
            if die == "between":
                return self.restart()
            self.radio[one.id] = self.radio.get(one.id, 0) + 1
            if die == "after":
                return self.restart()
            result = Result(id=one.id, success=success)
            self.write(result)
            self.tell(result)
        return None

    @rule(message=ids)
    def cancel(self, message: int) -> None:
        result = self.ledger.cancel(message) if self.up else None
        if result is not None:
            self.pushed.add(message)
            self.write(result)
            self.tell(result)

    @rule()
    def restart(self) -> None:
        self.lose(arrived=0)
        self.ledger = Ledger(decode(line)[1] for line in self.log)
        for one in self.ledger.interrupted():
            self.write(Result(id=one.id, success=False, error=DIED, uncertain=True))

    @rule()
    def compact(self) -> None:
        self.log = [encode("p", record) for record in self.ledger.snapshot()]
        again = Ledger(decode(line)[1] for line in self.log)
        assert seen(again) == seen(self.ledger)
        self.ledger = again

    @rule(arrived=st.integers(0, 5))
    def lose(self, arrived: int) -> None:
        for result in self.told[:arrived]:
            self.gateway.setdefault(result.id, []).append(result)
        self.told.clear()
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def connect(self) -> None:
        self.up = True
        for result in self.ledger.unreported():
            self.tell(result)

    @precondition(lambda self: self.up)
    @rule()
    def confirm(self) -> None:
        told = [result.id for result in self.told]
        for result in self.told:
            self.gateway.setdefault(result.id, []).append(result)
        self.told.clear()
        self.write(Confirmed(results=told))

    @invariant()
    def nothing_goes_over_the_air_twice(self) -> None:
        assert all(count == 1 for count in self.radio.values())

    @invariant()
    def the_gateway_never_hears_two_different_results(self) -> None:
        for results in self.gateway.values():
            # A push so long after its end is no more than one of a gateway that lost its memory.
            assert len({one for one in results if one.error != FORGOTTEN}) == 1

    def teardown(self) -> None:
        with self.bounds:
            self.settle()

    def settle(self) -> None:
        # Links hold from here on: every id that was taken on ends with a word to the gateway.
        self.lose(arrived=0)
        self.connect()
        for _ in self.pushed:
            self.serve_radio(success=True, die="no")
        self.confirm()
        assert set(self.gateway) == self.pushed
        for message, results in self.gateway.items():
            if results[0].success:
                assert self.radio[message] == 1
            elif results[0].error == CANCELLED:
                assert message not in self.radio
        assert self.ledger.unreported() == []
        self.nothing_goes_over_the_air_twice()
        self.the_gateway_never_hears_two_different_results()


PhoneLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPhoneLife = PhoneLife.TestCase
