import pytest

from phonegate.model.messages import NewMessage
from phonegate.model.orgs import Org
from phonegate.model.phones import Health, Sim
from phonegate.model.storage_errors import TooMany
from phonegate.store.tables import Tables
from tests.store.conftest import bring


def test_a_device_has_one_row_for_each_org(tables: Tables, org: Org, other: Org) -> None:
    first = tables.phones.connect(org.id, "pixel", 10)
    again = tables.phones.connect(org.id, "pixel", 20)
    assert again.id == first.id
    assert (again.first_seen, again.last_seen) == (10, 20)
    assert tables.phones.connect(other.id, "pixel", 30).id != first.id


def test_an_unnamed_phone_gets_a_row_or_its_old_one(tables: Tables, org: Org, other: Org) -> None:
    first = tables.phones.connect(org.id, None, 10)
    second = tables.phones.connect(org.id, None, 11)
    assert [phone.id for phone in tables.phones.unnamed(org.id)] == [second.id, first.id]
    assert tables.phones.connect(org.id, None, 12, phone=first.id).id == first.id
    # Neither another org's row nor a named one is taken over.
    named = tables.phones.connect(org.id, "pixel", 13)
    assert tables.phones.connect(other.id, None, 14, phone=first.id).id not in {first.id, second.id}
    assert tables.phones.connect(org.id, None, 15, phone=named.id).device_id is None
    assert tables.phones.connect(org.id, None, 15, phone=named.id).id != named.id


def test_an_unnamed_phone_that_tells_its_id_keeps_its_row(tables: Tables, org: Org) -> None:
    unnamed = tables.phones.connect(org.id, None, 10)
    named = tables.phones.connect(org.id, "pixel", 11, phone=unnamed.id)
    assert (named.id, named.device_id) == (unnamed.id, "pixel")
    # A device that has a row keeps that one.
    second = tables.phones.connect(org.id, None, 12)
    assert tables.phones.connect(org.id, "pixel", 13, phone=second.id).id == named.id


def test_only_a_phone_that_nothing_leads_to_is_forgotten(tables: Tables, org: Org) -> None:
    sims = [Sim(slot=0, number="+15551112222")]
    assert not tables.phones.has_known(org.id)
    unknown, old, new = (tables.phones.connect(org.id, None, at).id for at in (10, 11, 12))
    assert not tables.phones.has_known(org.id)
    named = tables.phones.connect(org.id, "pixel", 13).id
    assert tables.phones.has_known(org.id)
    tables.phones.report_sims(org.id, old, sims, 14)
    rows = [unknown, old, new, named]

    def kept() -> list[int]:
        for row in rows:
            tables.phones.forget(org.id, row)
        return [row for row in rows if tables.phones.get(row) is not None]

    assert kept() == rows
    waiting = tables.messages.insert(
        NewMessage(
            org=org.id, address="+15553334444", body="hi", created_at=14, segments=1, phone=old,
            sim_selector="0",
        )
    )  # fmt: skip
    tables.phones.report_sims(org.id, new, sims, 15)
    assert kept() == rows
    tables.phone_queue.lease([waiting], phone=old, sim_slot=0, sim=None, now=16)
    assert kept() == rows
    bring(tables, waiting, "sent")
    assert kept() == [unknown, new, named]


def test_describe_leaves_what_was_not_said(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, "pixel", 10).id
    tables.phones.describe(phone, name="desk", model="Pixel 8", now=11)
    tables.phones.describe(phone, app="1.2", now=12)
    tables.phones.seen(phone, 13)
    found = tables.phones.get(phone)
    assert found is not None
    assert (found.name, found.model, found.app, found.last_seen) == ("desk", "Pixel 8", "1.2", 13)
    assert tables.phones.get(phone + 1) is None


def test_a_report_replaces_the_slots_and_moves_numbers(
    tables: Tables, org: Org, other: Org
) -> None:
    old = tables.phones.connect(org.id, "old", 1).id
    new = tables.phones.connect(org.id, "new", 1).id
    theirs = tables.phones.connect(other.id, "theirs", 1).id
    tables.phones.report_sims(
        org.id, old, [Sim(slot=1, number="+2"), Sim(slot=0, number="+1", carrier="AT&T")], 2
    )
    tables.phones.report_sims(other.id, theirs, [Sim(slot=0, number="+1")], 2)
    assert tables.phones.sims_of(old) == [
        Sim(slot=0, number="+1", carrier="AT&T", phone=old),
        Sim(slot=1, number="+2", phone=old),
    ]
    tables.phones.report_sims(org.id, new, [Sim(slot=0, number="+1"), Sim(slot=1)], 3)
    assert tables.phones.known_sims(org.id) == [
        Sim(slot=1, number="+2", phone=old),
        Sim(slot=0, number="+1", phone=new),
        Sim(slot=1, phone=new),
    ]
    assert tables.phones.known_sims(other.id) == [Sim(slot=0, number="+1", phone=theirs)]
    tables.phones.report_sims(org.id, new, [], 4)
    assert tables.phones.sims_of(new) == []


def test_of_two_entries_for_one_slot_the_last_counts(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, "pixel", 1).id
    tables.phones.report_sims(
        org.id, phone, [Sim(slot=0, number="+1"), Sim(slot=0, number="+2")], 1
    )
    assert tables.phones.sims_of(phone) == [Sim(slot=0, number="+2", phone=phone)]


def test_a_number_is_one_however_it_is_written(tables: Tables, org: Org) -> None:
    old = tables.phones.connect(org.id, "old", 1).id
    new = tables.phones.connect(org.id, "new", 1).id
    tables.phones.report_sims(org.id, old, [Sim(slot=0, number="+1 (555) 000-0001")], 2)
    assert tables.phones.holding(org.id, ["+15550000001"]) == [
        Sim(slot=0, number="+1 (555) 000-0001", phone=old)
    ]
    tables.phones.report_sims(org.id, new, [Sim(slot=1, number="15550000001")], 3)
    assert tables.phones.known_sims(org.id) == [Sim(slot=1, number="15550000001", phone=new)]


def test_a_phone_that_told_a_number_once_is_known_by_numbers(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, None, 1).id
    tables.phones.report_sims(org.id, phone, [Sim(slot=0)], 2)
    assert [row.numbered for row in tables.phones.unnamed(org.id)] == [False]
    tables.phones.report_sims(org.id, phone, [Sim(slot=0, number="+1")], 3)
    tables.phones.report_sims(org.id, phone, [], 4)
    assert [row.numbered for row in tables.phones.unnamed(org.id)] == [True]


def test_phones_that_are_known_by_numbers_leave_room_for_new_ones_and_are_bounded(
    tables: Tables, org: Org
) -> None:
    for number in range(3):
        phone = tables.phones.connect(org.id, None, 1, most=1).id
        tables.phones.report_sims(org.id, phone, [Sim(slot=0, number=f"+155{number}")], 2, most=3)
        # Without a SIM it stays known by the number that it had.
        tables.phones.report_sims(org.id, phone, [], 3, most=3)
    phone = tables.phones.connect(org.id, None, 4, most=1).id
    with pytest.raises(TooMany):
        tables.phones.connect(org.id, None, 4, most=1)
    with pytest.raises(TooMany):
        tables.phones.report_sims(org.id, phone, [Sim(slot=0, number="+1559")], 5, most=3)
    assert [row.numbered for row in tables.phones.unnamed(org.id)] == [False, True, True, True]
    named = tables.phones.connect(org.id, "pixel", 6).id
    tables.phones.report_sims(org.id, named, [Sim(slot=0, number="+1559")], 7, most=3)


def _numbers(tables: Tables, phone: int) -> list[str | None]:
    return [sim.number for sim in tables.phones.sims_of(phone)]


def test_a_phone_keeps_its_kind_its_key_and_how_it_is(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, "pixel", 1).id
    tables.phones.came_by(phone, "smsgate", "k1")
    tables.phones.note_health(phone, Health(battery=83, charging=True, signal=3), 5)
    tables.phones.set_hint(phone, "Choose SSE only.")
    tables.phones.give_name(phone, "Till")
    tables.phones.describe(phone, name="Pixel", now=6)
    (found,) = tables.phones.of_org(org.id)
    assert (found.kind, found.key, found.hint) == ("smsgate", "k1", "Choose SSE only.")
    assert found.health == Health(battery=83, charging=True, signal=3)
    assert (found.health_at, found.last_seen) == (5, 6)
    assert (found.name, found.given_name) == ("Pixel", "Till")
    again = tables.phones.connect(org.id, "pixel", 7)
    assert (again.kind, again.key, again.given_name) == ("smsgate", "k1", "Till")


def test_a_key_goes_along_with_its_phone(tables: Tables, org: Org) -> None:
    def by_key() -> list[int]:
        return [phone.id for phone in tables.phones.by_key(org.id, "k1")]

    first = tables.phones.connect(org.id, "a", 1).id
    began = tables.phones.connect(org.id, None, 2).id
    tables.phones.came_by(began, "link", "k1")
    assert by_key() == [began]
    tables.phones.follow_key(began, first)
    assert by_key() == [first]
    assert not tables.phones.remove(org.id + 1, first)
    assert tables.phones.remove(org.id, first)
    assert by_key() == []


def test_the_phones_of_a_key_are_those_of_its_org_the_last_seen_first(
    tables: Tables, org: Org, other: Org
) -> None:
    phones = [tables.phones.connect(org.id, name, at).id for at, name in enumerate("abc")]
    elsewhere = tables.phones.connect(other.id, "a", 9).id
    for phone in (phones[0], phones[2], elsewhere):
        tables.phones.came_by(phone, "link", "k1")
    assert [one.id for one in tables.phones.by_key(org.id, "k1")] == [phones[2], phones[0]]
    assert tables.phones.by_key(org.id, "k2") == []


def test_a_number_that_its_owner_gave_outlives_reports_without_one(
    tables: Tables, org: Org
) -> None:
    phone = tables.phones.connect(org.id, "pixel", 1).id
    blank = [Sim(slot=0), Sim(slot=1, carrier="AT&T")]
    tables.phones.report_sims(org.id, phone, blank, 2)
    tables.phones.give_number(org.id, phone, 1, "+1 (555) 000-0001")
    named = Sim(slot=1, number="+1 (555) 000-0001", carrier="AT&T", phone=phone, given=True)
    assert tables.phones.holding(org.id, ["+15550000001"]) == [named]
    for sims in (blank, [*blank, Sim(slot=2)], [Sim(slot=0)], blank, [Sim(slot=0), named]):
        known = tables.phones.report_sims(org.id, phone, sims, 3)
        assert known == tables.phones.sims_of(phone)
    assert known == [Sim(slot=0, phone=phone), named]
    # It is known by what its owner said, which is no number of its own.
    assert [row.numbered for row in tables.phones.of_org(org.id)] == [False]
    tables.phones.give_number(org.id, phone, 1, None)
    assert _numbers(tables, phone) == [None, None]
    tables.phones.report_sims(org.id, phone, blank, 4)
    assert _numbers(tables, phone) == [None, None]


def test_a_number_that_a_phone_reports_wins_over_what_owners_gave(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, "pixel", 1).id
    other = tables.phones.connect(org.id, "other", 1).id
    tables.phones.report_sims(org.id, phone, [Sim(slot=0), Sim(slot=1)], 2, most=3)
    for slot, number in ((0, "+1550"), (1, "+1551")):
        tables.phones.give_number(org.id, phone, slot, number)
    # Another phone has the SIM: this one's is without a number again, and is not gone.
    tables.phones.report_sims(org.id, other, [Sim(slot=0, number="+1550")], 3, most=3)
    assert _numbers(tables, phone) == [None, "+1551"]
    # It has learned another number, and what was given is forgotten for good.
    tables.phones.report_sims(org.id, phone, [Sim(slot=0), Sim(slot=1, number="+1552")], 4)
    tables.phones.report_sims(org.id, phone, [Sim(slot=0), Sim(slot=1)], 5)
    assert _numbers(tables, phone) == [None, None]
    # It reports in another slot what was given to this one.
    tables.phones.give_number(org.id, phone, 0, "+1553")
    moved = [Sim(slot=0), Sim(slot=1, number="1553")]
    known = tables.phones.report_sims(org.id, phone, moved, 6)
    assert known == tables.phones.sims_of(phone)
    assert _numbers(tables, phone) == [None, "1553"]
    # It reports just what was given, and is silent about it later.
    tables.phones.give_number(org.id, other, 1, "+1554")
    tables.phones.report_sims(org.id, other, [Sim(slot=0), Sim(slot=1, number="+1554")], 7)
    tables.phones.report_sims(org.id, other, [Sim(slot=0), Sim(slot=1)], 8)
    assert _numbers(tables, other) == [None, "+1554"]


def test_a_number_given_twice_is_the_last_one_s(tables: Tables, org: Org) -> None:
    first, second = (tables.phones.connect(org.id, name, 1).id for name in ("a", "b"))
    for phone in (first, second):
        tables.phones.report_sims(org.id, phone, [Sim(slot=0)], 2)
        tables.phones.give_number(org.id, phone, 0, "+1550")
    assert (_numbers(tables, first), _numbers(tables, second)) == ([None], ["+1550"])
    # What its phone reports is not replaced.
    tables.phones.report_sims(org.id, first, [Sim(slot=0, number="+1551")], 3)
    tables.phones.give_number(org.id, first, 0, "+1559")
    assert _numbers(tables, first) == ["+1551"]


def test_a_removed_phone_reports_nothing(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, "pixel", 1).id
    tables.phones.report_sims(org.id, phone, [Sim(slot=0, number="+1550")], 2)
    assert tables.phones.remove(org.id, phone)
    assert not tables.phones.remove(org.id, phone)
    assert not tables.phones.seen(phone, 3)
    assert tables.phones.report_sims(org.id, phone, [Sim(slot=0)], 3) == []
    assert tables.phones.known_sims(org.id) == []
