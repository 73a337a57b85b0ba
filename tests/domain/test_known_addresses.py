from phonegate.domain.known_addresses import (
    LIFETIME_MS,
    NETWORKS_EACH,
    NOTED_MS,
    KnownAddresses,
)

NOW = 1_700_000_000_000
HERE = "203.0.113.5"


def test_it_knows_where_an_org_was_and_no_other() -> None:
    known = KnownAddresses()
    assert not known.knows("myorg", HERE, NOW)
    assert known.meet("myorg", HERE, NOW)
    assert known.knows("myorg", HERE, NOW)
    assert not known.knows("other", HERE, NOW)
    assert not known.knows("myorg", "203.0.113.6", NOW)
    known.forget("myorg")
    assert not known.knows("myorg", HERE, NOW)


def test_it_is_worth_writing_down_once_a_day() -> None:
    known = KnownAddresses()
    known.load([("myorg", HERE, NOW)])
    assert not known.meet("myorg", HERE, NOW + NOTED_MS - 1)
    assert known.meet("myorg", HERE, NOW + NOTED_MS)
    # A clock that was set back is no reason to forget.
    assert known.meet("myorg", HERE, NOW - NOTED_MS)
    assert known.knows("myorg", HERE, NOW - NOTED_MS)


def test_it_ends_after_a_quarter_of_a_year() -> None:
    known = KnownAddresses()
    known.load([("myorg", HERE, NOW)])
    assert known.knows("myorg", HERE, NOW + LIFETIME_MS - 1)
    assert not known.knows("myorg", HERE, NOW + LIFETIME_MS)


def test_an_org_is_known_at_so_many_places() -> None:
    known = KnownAddresses()
    known.meet("other", HERE, NOW)
    for number in range(NETWORKS_EACH * 3):
        known.meet("myorg", f"198.51.100.{number}", NOW)
    assert len(known) == NETWORKS_EACH + 1
    assert known.knows("other", HERE, NOW)
    assert known.knows("myorg", f"198.51.100.{NETWORKS_EACH * 3 - 1}", NOW)
    assert not known.knows("myorg", "198.51.100.0", NOW)
