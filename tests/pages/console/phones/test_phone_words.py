"""What the console says of a phone."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.phone_course import course
from phonegate.model.phone_history import Presence
from phonegate.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from phonegate.pages.console.phones.phone_words import band, length_words, share_words, signal_words

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (MINUTE_MS - 1, "less than a minute"),
        (59 * MINUTE_MS, "59 min"),
        (2 * HOUR_MS + 5 * MINUTE_MS, "2 h 5 min"),
        (3 * HOUR_MS, "3 h"),
        (2 * DAY_MS + HOUR_MS, "2 d 1 h"),
        (2 * DAY_MS, "2 d"),
    ],
)
def test_a_length_is_said_in_two_units(ms: int, words: str) -> None:
    assert length_words(ms) == words


@given(st.floats(0, 1))
def test_only_all_of_it_is_a_hundred_percent(share: float) -> None:
    assert (share_words(share) == "100 %") == (share == 1)


def test_a_signal_is_said_as_the_phone_gives_it() -> None:
    assert [signal_words(one) for one in (None, 0, 1, 4, -71)] == [
        None, "0 bars", "1 bar", "4 bars", "-71 dBm",
    ]  # fmt: skip


@given(
    st.lists(
        st.builds(
            lambda came, length: Presence(came_at=came, went_at=came + length),
            st.integers(NOW - 2 * DAY_MS, NOW),
            st.integers(0, DAY_MS),
        ),
        max_size=6,
    ),
    st.none() | st.integers(NOW - 2 * DAY_MS, NOW),
)
def test_the_band_is_the_known_time(presences: list[Presence], since: int | None) -> None:
    made = course(presences, (), known_since=since, end=NOW, period="24h")
    drawn = band(made, zone=ZoneInfo("UTC"))
    # Each moment is drawn once, from the time on since when it is known.
    room = 0.1 * (len(drawn) + 1)
    by_ms = 1000 / DAY_MS
    away = sum((one.end or NOW) - one.begin for one in made.absences)
    shown = {kind: sum(one.width for one in drawn if one.online is kind) for kind in (True, False)}
    assert shown[False] == pytest.approx(away * by_ms, abs=room)
    assert shown[True] == pytest.approx((NOW - made.known - away) * by_ms, abs=room)
    assert made.known == (NOW if since is None else max(since, NOW - DAY_MS))
    assert all(one.width >= 0 and one.x >= 0 for one in drawn)
