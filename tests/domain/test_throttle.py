from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.throttle import ADDRESS, ORG, Throttle

NOW = 1_700_000_000_000
HERE, THERE = "203.0.113.5", "203.0.113.6"


def fail(throttle: Throttle, address: str, times: int, *, org: str | None = "myorg") -> None:
    for _ in range(times):
        throttle.failed(address, org, NOW)


def many(count: int) -> list[str]:
    return [f"198.51.{i // 256}.{i % 256}" for i in range(count)]


def test_a_stranger_may_try() -> None:
    throttle = Throttle()
    assert throttle.wait_ms(HERE, "myorg", NOW) == 0
    assert len(throttle) == 0


def test_an_address_waits_after_ten_failures() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 9)
    assert throttle.wait_ms(HERE, "other", NOW) == 0
    fail(throttle, HERE, 1)
    assert throttle.wait_ms(HERE, "other", NOW) == 30_000
    assert throttle.wait_ms(HERE, None, NOW) == 30_000
    assert throttle.wait_ms(THERE, "other", NOW) == 0


def test_it_may_try_once_more_every_thirty_seconds() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 10)
    assert throttle.wait_ms(HERE, "other", NOW + 29_999) == 1
    assert throttle.wait_ms(HERE, "other", NOW + 30_000) == 0
    throttle.failed(HERE, "other", NOW + 30_000)
    assert throttle.wait_ms(HERE, "other", NOW + 30_000) == 30_000


def test_all_is_forgotten_after_the_refill() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 10)
    later = NOW + 10 * 30_000
    assert throttle.wait_ms(HERE, "myorg", later) == 0
    fail_again = Throttle()
    fail_again.failed(HERE, None, NOW)
    assert fail_again.wait_ms(HERE, None, NOW + 30_000) == 0
    assert len(fail_again) == 0


def test_failures_that_were_under_way_together_are_all_paid_for() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 15, org=None)
    assert throttle.wait_ms(HERE, None, NOW) == 6 * 30_000


def test_no_debt_outlasts_ten_minutes() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 1_000)
    assert throttle.wait_ms(HERE, None, NOW) <= ADDRESS.horizon_ms == 600_000
    assert ORG.horizon_ms == 600_000


def test_an_org_under_attack_still_lets_a_fresh_address_in() -> None:
    throttle = Throttle()
    attackers = many(30)
    for address in attackers:
        throttle.failed(address, "myorg", NOW)
    assert throttle.wait_ms(attackers[0], "myorg", NOW) == 10_000
    assert throttle.wait_ms(HERE, "myorg", NOW) == 0
    assert throttle.wait_ms(attackers[0], "other", NOW) == 0


def test_one_failure_bars_an_address_only_while_the_org_is_under_attack() -> None:
    throttle = Throttle()
    throttle.failed(HERE, "myorg", NOW)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 0
    for address in many(29):
        throttle.failed(address, "myorg", NOW)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 10_000
    assert throttle.wait_ms(HERE, "myorg", NOW + 10_000) == 0


def test_ipv6_is_counted_by_network() -> None:
    throttle = Throttle()
    for i in range(10):
        throttle.failed(f"2001:db8:0:1::{i + 1:x}", None, NOW)
    assert throttle.wait_ms("2001:db8:0:1:ffff::1", None, NOW) == 30_000
    assert throttle.wait_ms("2001:db8:0:2::1", None, NOW) == 0


def test_one_address_has_one_entry_however_it_is_written() -> None:
    throttle = Throttle()
    fail(throttle, f"::ffff:{HERE}", 10)
    assert throttle.wait_ms(HERE, None, NOW) == 30_000
    fail(throttle, "fe80::1%eth0", 10)
    assert throttle.wait_ms("fe80::2%eth1", None, NOW) == 30_000


def test_loopback_is_nothing_special() -> None:
    throttle = Throttle()
    fail(throttle, "127.0.0.1", 10)
    assert throttle.wait_ms("127.0.0.1", None, NOW) == 30_000


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_an_address(address: str) -> None:
    throttle = Throttle()
    fail(throttle, address, 10)
    assert throttle.wait_ms(address, None, NOW) == 30_000


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    throttle = Throttle(memory=100)
    fail(throttle, HERE, 10, org=None)
    for address in many(99):
        throttle.failed(address, None, NOW)
    assert throttle.wait_ms(HERE, None, NOW) == 30_000
    throttle.failed(THERE, None, NOW)
    assert throttle.wait_ms(HERE, None, NOW) == 0
    for i in range(1_000):
        throttle.failed(HERE, f"org-{i}", NOW)
    assert len(throttle) <= 200


def test_a_new_failure_keeps_an_entry_young() -> None:
    throttle = Throttle(memory=100)
    fail(throttle, HERE, 10, org=None)
    for address in many(99):
        throttle.failed(address, None, NOW)
    throttle.failed(HERE, None, NOW)
    throttle.failed(THERE, None, NOW)
    assert throttle.wait_ms(HERE, None, NOW) > 0


def test_a_clock_set_back_bars_nobody_for_long() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 10)
    yesterday = NOW - 86_400_000
    assert throttle.wait_ms(HERE, "myorg", yesterday) <= ADDRESS.horizon_ms
    assert throttle.wait_ms(HERE, "myorg", yesterday + ADDRESS.horizon_ms) == 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.sampled_from([HERE, THERE])), max_size=120),
)
def test_an_address_never_gets_more_tries_than_its_bucket(tries: list[tuple[int, str]]) -> None:
    throttle = Throttle()
    now, allowed = NOW, []
    for rest, address in tries:
        now += rest
        if throttle.wait_ms(address, "myorg", now) == 0:
            throttle.failed(address, "myorg", now)
            allowed.append((now, address))
    for address in (HERE, THERE):
        times = [t for t, a in allowed if a == address]
        for i, first in enumerate(times):
            for j, last in enumerate(times[i:], start=1):
                assert j <= 10 + (last - first) // 30_000 + 1
