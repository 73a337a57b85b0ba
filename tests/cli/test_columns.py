"""How many columns a text takes, and how it is broken to fit some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli import columns

TEXTS = st.text(
    st.sampled_from("ab ,é日한👩\u200d👧🏽❤\ufe0f\u093e\u0902e\u0301\u200c\xa0"), max_size=30
)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", 0),
        ("plain", 5),
        ("Grüße", 5),
        ("e\u0301", 1),
        ("銀行サービス通知", 16),
        ("👋", 2),
        ("👩\u200d👩\u200d👧\u200d👦", 2),
        ("👍🏽", 2),
        ("❤\ufe0f", 2),
        ("🇩🇪", 2),
        ("🏴\U000e0067\U000e0062\U000e007f", 2),
        ("می\u200cرود", 5),
        ("10\xa0€", 4),
        ("각", 2),
    ],
)
def test_columns_of_a_text(text: str, taken: int) -> None:
    assert columns.width(text) == taken


@given(TEXTS)
def test_letters_are_the_text(text: str) -> None:
    assert "".join(drawn for drawn, _ in columns.letters(text)) == text


@given(TEXTS, st.integers(1, 12))
def test_wrapped_lines_fit_and_lose_spaces_alone(text: str, room: int) -> None:
    lines = columns.wrap(text, room)
    for line in lines:
        assert columns.width(line) <= room or len(list(columns.letters(line))) == 1
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_lines_are_broken_where_people_break_them() -> None:
    assert columns.wrap("to +1555* 911, 10 an hour", 14) == ["to +1555* 911,", "10 an hour"]
    assert columns.wrap("send,read,manage", 10) == ["send,read,", "manage"]
    assert columns.wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert columns.wrap("日本語", 3) == ["日", "本", "語"]


def test_the_widest_columns_are_made_narrower() -> None:
    assert columns.fit([3, 40, 10], 80) == [3, 40, 10]
    assert columns.fit([3, 40, 10], 30) == [3, 13, 10]
    assert columns.fit([30, 30], 4) == [columns.NARROWEST] * 2
