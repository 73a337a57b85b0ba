import pytest

from phonegate.config.settings import LimitSettings
from phonegate.domain.rate_limits import (
    FIRST_ORGS,
    FOUND_PROBLEMS,
    HEARD_BYTES,
    KINDS,
    Bounds,
    RateLimits,
)
from phonegate.model.refusals import RateExceeded, Throttled


def test_without_bounds_nothing_is_refused() -> None:
    rate_limits = RateLimits()
    for _ in range(10_000):
        assert rate_limits.connect("203.0.113.1")
        rate_limits.count_unauthenticated("203.0.113.1", 0.0)
        rate_limits.register("203.0.113.1", 0.0)
        assert rate_limits.request(1, 0.0) is None
        assert not rate_limits.handshake("203.0.113.1", 0.0)
        assert not rate_limits.frames(7, 1, 100, 0.0)
    assert not rate_limits.refused


def test_the_defaults_are_all_limits_of_the_settings() -> None:
    defaults = LimitSettings()
    assert all(getattr(defaults, field) > 0 for field in Bounds.__annotations__)


def test_connections_are_counted_by_address_until_they_end() -> None:
    rate_limits = RateLimits(Bounds(address_connections=2))
    assert rate_limits.connect("203.0.113.1")
    assert rate_limits.connect("203.0.113.1")
    assert not rate_limits.connect("203.0.113.1")
    assert rate_limits.connect("203.0.113.2")
    rate_limits.disconnect("203.0.113.1")
    assert rate_limits.connect("203.0.113.1")
    assert rate_limits.refused == {"address_connections": 1}


def test_a_network_of_ipv6_is_one_address() -> None:
    rate_limits = RateLimits(Bounds(address_connections=1))
    assert rate_limits.connect("2001:db8::1")
    assert not rate_limits.connect("2001:db8::ffff:2")
    assert rate_limits.connect("2001:db8:0:1::1")


def test_an_unknown_client_spends_and_a_known_org_does_not() -> None:
    rate_limits = RateLimits(Bounds(address_requests_per_s=1))
    for _ in range(5):
        assert not rate_limits.is_exhausted("203.0.113.1", 0.0)
        rate_limits.count_unauthenticated("203.0.113.1", 0.0)
        rate_limits.request(1, 0.0)
    assert rate_limits.is_exhausted("203.0.113.1", 0.0)
    with pytest.raises(RateExceeded) as caught:
        rate_limits.count_unauthenticated("203.0.113.1", 0.0)
    assert (caught.value.policy, caught.value.retry_after_s) == ("address", 1)
    assert not rate_limits.is_exhausted("203.0.113.1", 1.0)


def test_a_body_counts_by_its_size_unless_its_caller_turns_out_to_be_known() -> None:
    rate_limits = RateLimits(Bounds(address_requests_per_s=1))
    cost = rate_limits.count_unauthenticated("203.0.113.1", 0.0, body_bytes=3 * HEARD_BYTES)
    assert cost == 4
    rate_limits.pardon("203.0.113.1", 0.0, cost)
    assert rate_limits.count_unauthenticated("203.0.113.1", 0.0, body_bytes=8 * HEARD_BYTES) == 9
    assert rate_limits.is_exhausted("203.0.113.1", 4.0)
    assert not rate_limits.is_exhausted("203.0.113.1", 5.0)
    assert not rate_limits.is_exhausted("203.0.113.2", 0.0)


def test_wrong_fields_count_as_what_it_takes_to_find_them() -> None:
    rate_limits = RateLimits(Bounds(address_requests_per_s=1))
    rate_limits.count_unauthenticated("203.0.113.1", 0.0)
    rate_limits.found_wrong("203.0.113.1", 0.0, 4 * FOUND_PROBLEMS)
    assert rate_limits.is_exhausted("203.0.113.1", 0.0)


def test_without_a_limit_no_body_counts() -> None:
    rate_limits = RateLimits()
    assert rate_limits.count_unauthenticated("203.0.113.1", 0.0, body_bytes=1 << 40) == 0
    rate_limits.pardon("203.0.113.1", 0.0, 1)
    rate_limits.found_wrong("203.0.113.1", 0.0, 100)
    assert not rate_limits.is_exhausted("203.0.113.1", 0.0)


def test_an_org_is_told_once_half_is_used_and_refused_at_the_end() -> None:
    rate_limits = RateLimits(Bounds(org_requests_per_s=2))
    standings = [rate_limits.request(1, 0.0) for _ in range(10)]
    assert standings[:5] == [None] * 5
    assert [one and one.left for one in standings[5:]] == [4, 3, 2, 1, 0]
    with pytest.raises(RateExceeded, match="2 a second is the limit"):
        rate_limits.request(1, 0.0)
    assert rate_limits.request(2, 0.0) is None
    assert rate_limits.request(1, 5.0) is None
    assert rate_limits.refused == {"org_requests": 1}


def test_new_orgs_are_bounded_by_address_and_in_all() -> None:
    rate_limits = RateLimits(Bounds(address_orgs_per_hour=2, orgs_per_hour=3))
    rate_limits.register("203.0.113.1", 0.0)
    rate_limits.register("203.0.113.1", 0.0)
    with pytest.raises(Throttled) as caught:
        rate_limits.register("203.0.113.1", 0.0)
    assert caught.value.retry_after_s == 1800
    rate_limits.register("203.0.113.2", 0.0)
    with pytest.raises(Throttled):
        rate_limits.register("203.0.113.3", 0.0)
    assert rate_limits.refused == {"address_orgs": 1, "all_orgs": 1}
    rate_limits.register("203.0.113.3", 1201.0)


def test_frames_are_slowed_and_never_refused() -> None:
    rate_limits = RateLimits(Bounds(phone_frames_per_s=10))
    assert rate_limits.frames(7, 1, 50, 0.0) == 0
    assert rate_limits.frames(7, 1, 20, 0.0) == pytest.approx(2.0)
    assert rate_limits.frames(7, 2, 1, 0.0) == 0
    assert rate_limits.refused == {"phone_frames": 1}


def test_all_phones_of_an_org_share_its_frames() -> None:
    rate_limits = RateLimits(Bounds(phone_frames_per_s=100, org_frames_per_s=200))
    assert [rate_limits.frames(7, phone, 100, 0.0) for phone in (1, 2)] == [0, 0]
    assert rate_limits.frames(7, 3, 200, 0.0) == pytest.approx(1.0)
    assert rate_limits.frames(8, 4, 50, 0.0) == 0
    assert (rate_limits.is_short_of_frames(7, 0.0), rate_limits.is_short_of_frames(8, 0.0)) == (
        True,
        False,
    )
    assert not RateLimits().is_short_of_frames(7, 0.0)
    assert rate_limits.refused == {"phone_frames": 0, "org_frames": 1}


def test_a_refusal_of_another_part_is_counted() -> None:
    rate_limits = RateLimits()
    rate_limits.note("bodies")
    assert rate_limits.refused["bodies"] == 1
    assert "bodies" in KINDS


def test_a_few_hosts_can_t_use_up_the_orgs_of_an_hour() -> None:
    rate_limits = RateLimits(Bounds(address_orgs_per_hour=100, orgs_per_hour=1_000))
    made = 0
    for second in range(120):
        for host in range(12):
            try:
                rate_limits.register(f"198.51.100.{host}", float(second))
            except Throttled:
                continue
            made += 1
    assert made <= 500 + FIRST_ORGS + 1_000 * 120 // 3_600
    # Others still come in, and those of the own networks in any case.
    for network in range(50):
        rate_limits.register(f"203.0.{network}.5", 120.0)
    for _ in range(100):
        rate_limits.register("192.168.1.7", 120.0, local=True)


def test_local_orgs_are_bounded_too() -> None:
    rate_limits = RateLimits(Bounds(orgs_per_hour=10))
    for number in range(10):
        rate_limits.register(f"192.168.1.{number}", 0.0, local=True)
    with pytest.raises(Throttled):
        rate_limits.register("192.168.1.77", 0.0, local=True)
    rate_limits.register("203.0.113.5", 0.0)
