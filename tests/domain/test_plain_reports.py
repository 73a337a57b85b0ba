"""Plain reports of many phones, recorded at once, come to the same as one by one."""

from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.phone_delivery import PhoneReports, Reporter
from phonegate.domain.plain_reports import PlainReports, RecordPlainReports
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.facts import Changed
from phonegate.model.messages import PageQuery
from phonegate.store.tables import Tables
from tests.store.conftest import memory, outbound

NOW = 5

IDS = st.lists(st.integers(1, 6), max_size=4)
SAID = st.builds(
    # What a phone says of a message twice is the same.
    lambda acked, sent: PlainReports(acked, [(id_, id_ if id_ % 2 else None) for id_ in sent]),
    IDS,
    IDS,
)


def outcome(write: Callable[[Tables, int, int, int], object]) -> list[tuple[object, ...]]:
    """What came of reports of two phones of one org, and of one of another."""
    connection = memory()
    tx = Tables(connection)
    org, other_org = tx.orgs.add("myorg", "hash", 1).id, tx.orgs.add("other", "hash", 1).id
    first = tx.phones.connect(org, "a", 1, phone=None).id
    second = tx.phones.connect(org, "b", 1, phone=None).id
    third = tx.phones.connect(other_org, "c", 1, phone=None).id
    for phone in (first, first, second):
        tx.messages.insert(outbound(org, status="sending", phone=phone))
    tx.messages.insert(outbound(other_org, status="sending", phone=third))
    tx.messages.insert(outbound(org))
    write(tx, first, second, third)
    pages = [tx.messages.page(which, PageQuery()) for which in (org, other_org)]
    facts = sorted(str(fact[:4]) for fact in tx.facts if isinstance(fact, Changed))
    connection.close()
    kept = [
        (m.id, m.status, m.sent_at, m.acked_at, m.error, m.segments) for page in pages for m in page
    ]
    return [*kept, *((fact,) for fact in facts)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), SAID), max_size=5))
def test_together_they_come_to_the_same_as_one_by_one(
    said: Sequence[tuple[int, PlainReports]],
) -> None:
    def one_by_one(tx: Tables, org: int, phone: int, reports: PlainReports) -> None:
        by = PhoneReports(tx, Reporter(org=org, phone=phone), NOW, RateLimits())
        for id_ in reports.acked:
            by.acknowledge(id_)
        for id_, segments in reports.sent:
            by.result(id_, success=True, error=None, segments=segments, uncertain=False)

    def each(tx: Tables, *phones: int) -> None:
        for at, reports in said:
            one_by_one(tx, 1 + (at == 2), phones[at], reports)

    def together(tx: Tables, *phones: int) -> None:
        ones = [
            RecordPlainReports(1 + (at == 2), phones[at], reports, lambda: NOW)
            for at, reports in said
        ]
        if not ones:
            return
        for one, all_awaited in zip(ones, RecordPlainReports.together(tx, ones), strict=True):
            if not all_awaited:
                # As a recorder does then.
                one_by_one(tx, one.org, one.phone, one.reports)

    assert outcome(together) == outcome(each)


def test_only_those_that_were_not_awaited_are_asked_of_again() -> None:
    def record(tx: Tables, first: int, second: int, third: int) -> None:
        ones = [
            RecordPlainReports(org, phone, PlainReports(acked, sent), lambda: NOW)
            for org, phone, acked, sent in (
                (1, first, [1], [(2, None)]),
                (1, second, [], [(3, 2), (9, 1)]),
                (2, third, [4], []),
                (1, second, [5], []),
            )
        ]
        assert [one.size for one in ones] == [2, 2, 1, 1]
        assert RecordPlainReports.together(tx, ones) == [True, False, True, False]
        # What was taken is not awaited any more.
        assert not ones[0](tx)

    # As many messages, with a fact of each being stored, and two results.
    assert len(outcome(record)) == 5 + 5 + 2


def test_what_another_phone_says_of_a_message_takes_nothing_from_its_own() -> None:
    def record(tx: Tables, first: int, second: int, third: int) -> None:
        ones = [
            RecordPlainReports(1, phone, PlainReports([], [(1, None)]), lambda: NOW)
            for phone in (second, first, first)
        ]
        assert RecordPlainReports.together(tx, ones) == [False, True, False]

    outcome(record)
