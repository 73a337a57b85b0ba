"""Alarms: raised once, over once, and not for every swing about a threshold."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.alarms import (
    CALM_S,
    DAY_S,
    Alarms,
    AlarmThresholds,
    DeadWebhook,
    GatewayHealth,
    HintedPhone,
    News,
    Signal,
    WaitingMessages,
)

LIMITS = AlarmThresholds(
    phone_away_s=300,
    queue_age_s=900,
    disk_low_bytes=1_000,
    database_bytes=5_000,
    log_bytes=400,
    carrier_failures=3,
    certificate_days=14,
)
KEYS = [("disk_low", ""), ("phone_away", "myorg")]


@st.composite
def looks(draw: st.DrawFn) -> list[tuple[float, list[Signal]]]:
    """Looks at two things, some seconds apart, each bad, well, between, or not seen."""
    now, found = 0.0, []
    for _ in range(draw(st.integers(0, 25))):
        now += draw(st.sampled_from([1.0, 15.0, 40.0, CALM_S, 100.0]))
        signals = []
        for key in KEYS:
            how = draw(st.sampled_from(["bad", "well", "between", "absent"]))
            if how != "absent":
                signals.append(Signal(key, how == "bad", how == "well"))
        found.append((now, signals))
    return found


@given(looks())
def test_an_alarm_begins_when_it_turns_bad_and_is_over_after_a_calm(
    story: list[tuple[float, list[Signal]]],
) -> None:
    alarms = Alarms(LIMITS)
    on: set[Any] = set()
    # Since when each has been well without a break, by the plainest reckoning.
    calm: dict[Any, float | None] = dict.fromkeys(KEYS)
    for now, signals in story:
        news = alarms.heed(signals, now)
        by_key = {signal.key: signal for signal in signals}
        for key in KEYS:
            signal = by_key.get(key)
            begins = [one for one in news if one.key == key and one.begins]
            ends = [one for one in news if one.key == key and not one.begins]
            if signal is None or signal.well:
                calm[key] = now if calm[key] is None else calm[key]
            else:
                calm[key] = None
            since = calm[key]
            assert len(begins) == (key not in on and signal is not None and signal.bad)
            assert len(ends) == (key in on and since is not None and now - since >= CALM_S)
            on = (on | {one.key for one in begins}) - {one.key for one in ends}
            if key not in on:
                calm[key] = None
        assert set(alarms.on) == on


def names(news: list[News]) -> list[tuple[str, bool]]:
    return [(one.key[0], one.begins) for one in news]


def state(at: float, **changes: Any) -> GatewayHealth:
    """A state at a time by both clocks."""
    return GatewayHealth(now=at, up_s=at, **changes)


def waiting(**changes: Any) -> WaitingMessages:
    return attrs.evolve(WaitingMessages(org="myorg", count=2, since=0.0, away=True), **changes)


def test_what_an_orgs_owner_should_do_is_no_trouble_of_the_gateway() -> None:
    alarms = Alarms(LIMITS)
    advice = ("webhook_disabled", "phone_hint")
    alarms.heed([Signal((name, "1"), True, False) for name in advice], 0)
    assert len(alarms.on) == 2
    assert alarms.trouble is None
    alarms.heed([Signal(("disk_low", ""), True, False)], 1)
    assert alarms.trouble == "disk_low"


def test_a_phone_is_away_only_when_messages_wait_for_it_for_long() -> None:
    alarms = Alarms(LIMITS)
    assert alarms.look(state(0, waiting=(waiting(),))) == []
    assert alarms.look(state(299, waiting=(waiting(),))) == []
    (news,) = alarms.look(state(301, waiting=(waiting(), waiting(count=3, since=100))))
    assert (news.key, news.begins) == (("phone_away", "myorg"), True)
    assert news.fields == {"org": "myorg", "messages": 5, "waited_s": 301}
    assert alarms.look(state(400, waiting=(waiting(),))) == []
    # Back, and what had waited leaves; after a calm the alarm is over.
    assert alarms.look(state(410)) == []
    assert names(alarms.look(state(410 + CALM_S))) == [("phone_away", False)]


def test_a_phone_that_left_a_moment_ago_is_no_alarm_however_long_its_queue_is() -> None:
    alarms = Alarms(LIMITS)
    alarms.look(state(880, waiting=(waiting(away=False),)))
    assert alarms.look(state(890, waiting=(waiting(),))) == []
    assert names(alarms.look(state(1191, waiting=(waiting(),)))) == [("phone_away", True)]


def test_a_phone_that_comes_for_a_moment_ends_nothing() -> None:
    alarms = Alarms(LIMITS)
    alarms.look(state(0, waiting=(waiting(),)))
    alarms.look(state(301, waiting=(waiting(),)))
    for now in range(310, 800, 20):
        away = now % 40 == 10
        assert alarms.look(state(now, waiting=(waiting(away=away, since=now - 100),))) == []
    assert alarms.on == [("phone_away", "myorg")]


def test_a_phone_that_comes_back_to_an_old_queue_has_its_time_for_it() -> None:
    """As has a gateway that was started again: its messages are older than its wait."""
    alarms = Alarms(LIMITS)
    queue = waiting(away=False, since=-7_200.0)
    assert alarms.look(state(0, waiting=(attrs.evolve(queue, away=True),))) == []
    assert alarms.look(state(100, waiting=(queue,))) == []
    assert alarms.look(state(999, waiting=(queue,))) == []
    assert names(alarms.look(state(1_000, waiting=(queue,)))) == [("queue_ageing", True)]


def test_a_phone_that_comes_and_goes_and_sends_nothing_ages_its_queue() -> None:
    alarms = Alarms(LIMITS)
    told = []
    for now in range(0, 960, 15):
        queue = waiting(away=now % 60 in (30, 45))
        told += names(alarms.look(state(now, waiting=(queue,))))
    assert told == [("queue_ageing", True)]


def test_queues_of_an_org_are_seen_apart() -> None:
    alarms = Alarms(LIMITS)
    busy, old = waiting(away=False, since=990.0), waiting(away=False, queue=2)
    alarms.look(state(0, waiting=(busy,)))
    assert alarms.look(state(1_000, waiting=(busy, old))) == []


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_raises_nothing_and_keeps_nothing_on(jump: float) -> None:
    alarms = Alarms(LIMITS)
    full: dict[str, Any] = {"free_bytes": 1}
    queues = waiting(), waiting(away=False, queue=2)
    alarms.look(GatewayHealth(now=0, up_s=0, waiting=queues, **full))
    assert alarms.look(GatewayHealth(now=jump, up_s=15, waiting=queues, **full)) == []
    assert alarms.look(GatewayHealth(now=jump, up_s=30)) == []
    assert names(alarms.look(GatewayHealth(now=0, up_s=30 + CALM_S))) == [("disk_low", False)]


@pytest.mark.parametrize(
    ("name", "bad", "between", "well"),
    [
        ("disk_low", {"free_bytes": 999}, {"free_bytes": 1_050}, {"free_bytes": 1_100}),
        ("database_large", {"database_bytes": 5_000}, None, {"database_bytes": 4_999}),
        ("log_large", {"log_bytes": 400}, {"log_bytes": 200}, {"log_bytes": 199}),
        (
            "queue_ageing",
            {"waiting": (waiting(away=False, since=-900.0),)},
            {"waiting": (waiting(away=False, since=-450.0 + 200),)},
            {},
        ),
        (
            "carrier_failing",
            {"carrier_failures": {7: 3}},
            {"carrier_failures": {7: 2}},
            {"carrier_failures": {}},
        ),
        (
            "certificate_expires",
            {"certificate_s": 14 * DAY_S - 1},
            None,
            {"certificate_s": 14 * DAY_S},
        ),
    ],
)
def test_each_threshold_has_room_before_it_is_well(
    name: str, bad: dict[str, Any], between: dict[str, Any] | None, well: dict[str, Any]
) -> None:
    alarms = Alarms(LIMITS)
    if between is not None and name != "queue_ageing":
        assert alarms.look(state(0, **between)) == []
    if name == "queue_ageing":
        assert alarms.look(state(-900, **bad)) == []
    assert names(alarms.look(state(0, **bad))) == [(name, True)]
    if between is not None:
        for now in (200, 200 + CALM_S):
            assert alarms.look(state(now, **between)) == []
    assert alarms.look(state(500, **well)) == []
    assert names(alarms.look(state(500 + CALM_S, **well))) == [(name, False)]


def test_a_phone_that_its_owner_should_see_to_raises_an_alarm_until_it_is_well() -> None:
    hinted = HintedPhone(phone=5, org="myorg", hint="Choose SSE only.")
    alarms = Alarms(AlarmThresholds())
    health = GatewayHealth(now=0, up_s=0, hinted=(hinted,))
    (news,) = alarms.look(health)
    assert (news.key, news.begins) == (("phone_hint", "5"), True)
    assert news.fields == {"phone": 5, "org": "myorg", "hint": "Choose SSE only."}
    assert alarms.look(attrs.evolve(health, up_s=1)) == []
    assert alarms.look(GatewayHealth(now=0, up_s=2)) == []
    (news,) = alarms.look(GatewayHealth(now=0, up_s=2 + CALM_S))
    assert (news.key, news.begins) == (("phone_hint", "5"), False)


def test_a_modem_that_can_not_be_used_raises_an_alarm_until_it_works() -> None:
    alarms = Alarms(AlarmThresholds())
    (news,) = alarms.look(GatewayHealth(now=0, up_s=0, modem_problem="No bus."))
    assert (news.key, news.begins) == (("modem_away", ""), True)
    assert news.fields == {"problem": "No bus."}
    assert alarms.look(GatewayHealth(now=0, up_s=1)) == []
    (news,) = alarms.look(GatewayHealth(now=0, up_s=1 + CALM_S))
    assert (news.key, news.begins) == (("modem_away", ""), False)


def test_a_limit_of_nothing_watches_nothing() -> None:
    worst = state(
        1e9,
        waiting=(waiting(), waiting(away=False)),
        free_bytes=0,
        database_bytes=1 << 40,
        log_bytes=1 << 40,
        carrier_failures={1: 1_000},
        certificate_s=-1.0,
    )
    assert Alarms(AlarmThresholds()).look(worst) == []


def test_news_say_since_when_and_how_long_it_lasted() -> None:
    alarms = Alarms(LIMITS)
    alarms.look(state(0, waiting=(waiting(),)))
    (raised,) = alarms.look(state(310, waiting=(waiting(),)))
    assert (raised.org, raised.since, raised.lasted_s) == ("myorg", 0, 0)
    alarms.look(state(400, waiting=(waiting(count=7),)))
    assert alarms.fields(("phone_away", "myorg")) == {
        "org": "myorg",
        "messages": 7,
        "waited_s": 400,
    }
    (standing,) = alarms.standing
    assert (standing.begins, standing.since, standing.fields["messages"]) == (True, 0, 7)
    alarms.look(state(420))
    (over,) = alarms.look(state(420 + CALM_S))
    assert (over.org, over.since, over.lasted_s) == ("myorg", 0, 420)
    assert alarms.fields(("phone_away", "myorg")) is None


def test_a_webhook_that_is_called_no_more_is_an_alarm_of_its_org() -> None:
    dead = DeadWebhook(webhook=3, org="myorg", reason="It answered 410.", since=90.0)
    alarms = Alarms(AlarmThresholds())
    (news,) = alarms.look(state(100, dead_webhooks=(dead,)))
    assert (news.key, news.org, news.since) == (("webhook_disabled", "3"), "myorg", 90.0)
    assert news.fields == {"webhook": 3, "org": "myorg", "reason": "It answered 410."}


def test_a_target_that_takes_no_notices_is_an_alarm_of_the_operator() -> None:
    alarms = Alarms(AlarmThresholds())
    (news,) = alarms.look(state(0, mute={"webhook a": "HTTP 500"}))
    assert (news.key, news.org) == (("notices_failing", "webhook a"), None)
    assert news.fields == {"target": "webhook a", "reason": "HTTP 500"}


def test_a_carrier_that_fails_is_an_alarm_of_its_org() -> None:
    health = state(0, carrier_failures={7: 3}, assistant_orgs={7: "myorg"})
    (news,) = Alarms(LIMITS).look(health)
    assert news.org == "myorg"


def test_an_alarm_that_outlived_a_restart_is_over_when_all_is_well() -> None:
    before = Alarms(LIMITS)
    before.look(state(0, waiting=(waiting(),)))
    news = before.look(state(301, waiting=(waiting(),)))
    after = Alarms(LIMITS)
    after.restore(news, 0.0, 1_000.0)
    assert after.on == [("phone_away", "myorg")]
    # It waits for less than the threshold, by this gateway's clock, and is on all the same.
    assert after.look(GatewayHealth(now=1_001, up_s=1, waiting=(waiting(),))) == []
    assert after.look(GatewayHealth(now=1_010, up_s=10)) == []
    (over,) = after.look(GatewayHealth(now=1_010 + CALM_S, up_s=10 + CALM_S))
    assert (over.begins, over.since, over.lasted_s) == (False, 0, 1_010)
