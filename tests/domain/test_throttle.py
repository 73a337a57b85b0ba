import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.throttle import ADDRESS, FAMILIAR, ORG, PAIR, WIDER_PAIRS, Throttle

NOW = 1_700_000_000_000
HERE, THERE = "203.0.113.5", "203.0.113.6"


def fail(
    throttle: Throttle, address: str, times: int, *, org: str = "myorg", familiar: bool = False
) -> None:
    for _ in range(times):
        throttle.failed(address, org, NOW, familiar=familiar)


def many(count: int) -> list[str]:
    return [f"198.51.{i // 256}.{i % 256}" for i in range(count)]


def test_a_new_client_may_try() -> None:
    throttle = Throttle()
    assert throttle.wait_ms(HERE, "myorg", NOW) == 0
    assert len(throttle) == 0


def test_an_address_waits_at_an_org_after_ten_failures_there() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 9)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 0
    fail(throttle, HERE, 1)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 30_000
    assert throttle.wait_ms(HERE, "other", NOW) == 0
    assert throttle.wait_ms(THERE, "myorg", NOW) == 0


def test_an_address_waits_everywhere_after_forty_failures_anywhere() -> None:
    throttle = Throttle()
    for number in range(40):
        assert throttle.wait_ms(HERE, "other", NOW) == 0
        throttle.failed(HERE, f"org-{number}", NOW)
    assert throttle.wait_ms(HERE, "other", NOW) == 7_500
    assert throttle.wait_ms(THERE, "other", NOW) == 0


def test_it_may_try_once_more_every_thirty_seconds() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 10)
    assert throttle.wait_ms(HERE, "myorg", NOW + 29_999) == 1
    assert throttle.wait_ms(HERE, "myorg", NOW + 30_000) == 0
    throttle.failed(HERE, "myorg", NOW + 30_000)
    assert throttle.wait_ms(HERE, "myorg", NOW + 30_000) == 30_000


def test_where_an_org_is_known_guesses_at_others_and_from_elsewhere_count_for_nothing() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 100)
    fail(throttle, HERE, 100, org="other")
    for address in many(100):
        throttle.failed(address, "myorg", NOW)
    assert throttle.wait_ms(HERE, "myorg", NOW) > 0
    assert throttle.wait_ms(HERE, "myorg", NOW, familiar=True) == 0


def test_where_an_org_is_known_guesses_at_it_are_bounded_too() -> None:
    throttle = Throttle()
    fail(throttle, HERE, FAMILIAR.burst, familiar=True)
    assert throttle.wait_ms(HERE, "myorg", NOW, familiar=True) == FAMILIAR.refill_ms
    assert throttle.wait_ms(HERE, "other", NOW, familiar=True) == 0
    # They make nobody else at that address wait.
    assert throttle.wait_ms(HERE, "newcomer", NOW) == 0


def test_all_is_forgotten_after_the_refill() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 10)
    later = NOW + 10 * 30_000
    assert throttle.wait_ms(HERE, "myorg", later) == 0
    fail_again = Throttle()
    fail_again.failed(HERE, "myorg", NOW)
    assert fail_again.wait_ms(HERE, "myorg", NOW + 30_000) == 0


def test_failures_that_were_under_way_together_are_all_paid_for() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 15)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 6 * 30_000


def test_no_debt_outlasts_ten_minutes() -> None:
    throttle = Throttle()
    fail(throttle, HERE, 1_000)
    assert throttle.wait_ms(HERE, "myorg", NOW) <= 600_000
    assert PAIR.horizon_ms == ADDRESS.horizon_ms == ORG.horizon_ms == 600_000


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
        throttle.failed(f"2001:db8:0:1::{i + 1:x}", "myorg", NOW)
    assert throttle.wait_ms("2001:db8:0:1:ffff::1", "myorg", NOW) == 30_000
    assert throttle.wait_ms("2001:db8:0:2::1", "myorg", NOW) == 0


@pytest.mark.parametrize(("prefix", "places"), [("2001:db8:0:1", 256), ("2001:db8:0:", 65_536)])
def test_who_has_a_whole_ipv6_network_gets_few_guesses(prefix: str, places: int) -> None:
    throttle, passed = Throttle(), 0
    for number in range(4_000):
        # 40 a second from ever other places, each at another org.
        now = NOW + number * 25
        address = f"{prefix}{number * 7 % places:02x}::1"
        if throttle.wait_ms(address, f"org-{number}", now) == 0:
            throttle.failed(address, f"org-{number}", now)
            passed += 1
    assert passed <= 120 + 4_000 * 25 // 2_500 + 1


def test_guesses_at_one_org_from_a_whole_ipv6_network_are_few() -> None:
    throttle, passed = Throttle(), 0
    for number in range(24_000):
        now = NOW + number * 25
        address = f"2001:db8:0:{number:x}::1"
        if throttle.wait_ms(address, "myorg", now) == 0:
            throttle.failed(address, "myorg", now)
            passed += 1
    assert passed <= WIDER_PAIRS[-1].burst + 24_000 * 25 // WIDER_PAIRS[-1].refill_ms + 1


def test_one_address_has_one_entry_however_it_is_written() -> None:
    throttle = Throttle()
    fail(throttle, f"::ffff:{HERE}", 10)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 30_000
    throttle = Throttle()
    fail(throttle, "fe80::1%eth0", 10)
    assert throttle.wait_ms("fe80::2%eth1", "myorg", NOW) == 30_000


def test_loopback_is_nothing_special() -> None:
    throttle = Throttle()
    fail(throttle, "127.0.0.1", 10)
    assert throttle.wait_ms("127.0.0.1", "myorg", NOW) == 30_000


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_an_address(address: str) -> None:
    throttle = Throttle()
    fail(throttle, address, 10)
    assert throttle.wait_ms(address, "myorg", NOW) == 30_000


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    throttle = Throttle(memory=100)
    fail(throttle, HERE, 10)
    for address in many(99):
        throttle.failed(address, "other", NOW)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 30_000
    throttle.failed(THERE, "other", NOW)
    assert throttle.wait_ms(HERE, "myorg", NOW) == 0
    for i in range(1_000):
        throttle.failed("2001:db8::1", f"org-{i}", NOW)
        throttle.failed("2001:db8::1", f"org-{i}", NOW, familiar=True)
    assert len(throttle) <= 8 * 100


def test_a_new_failure_keeps_an_entry_young() -> None:
    throttle = Throttle(memory=100)
    fail(throttle, HERE, 10)
    for address in many(99):
        throttle.failed(address, "other", NOW)
    throttle.failed(HERE, "myorg", NOW)
    throttle.failed(THERE, "other", NOW)
    assert throttle.wait_ms(HERE, "myorg", NOW) > 0


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
