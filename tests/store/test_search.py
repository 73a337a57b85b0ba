import unicodedata
from itertools import groupby
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phonegate.store import search


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("code: 123-456", ["code", "123", "456"]),
        ("snake_case", ["snake", "case"]),
        ("Köln KÖLN ko\u0308ln", ["koln", "koln", "koln"]),
        ("Straße", ["strasse"]),
        ("Ελλάδα", ["ελλαδα"]),
        ("ﬁne", ["fine"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("北京 ok", ["北", "京", "ok"]),
        ("don't", ["don", "t"]),
        ("—“quoted”—", ["quoted"]),
        ("👍🏽", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert search.words(text) == expected


def test_long_words_are_cut_the_same_on_both_sides() -> None:
    body = "x" * 200
    asked = search.terms(body)
    assert asked is not None
    assert search.matches(body, asked)


@given(st.text())
def test_words_hold_nothing_that_an_expression_could_trip_over(text: str) -> None:
    for word in search.words(text):
        assert word
        assert not set(word) & set(" \t\n\0\"'*():^-+{}")
        assert not any(unicodedata.category(char)[0] in "ZPSC" for char in word)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_form_of_accents_does_not_count(text: str) -> None:
    assert search.words(unicodedata.normalize("NFC", text)) == search.words(
        unicodedata.normalize("NFD", text)
    )


def test_terms_are_whole_words_unless_a_star_ends_them() -> None:
    assert search.terms("Your code is") == (("your", "code", "is"), None)
    assert search.terms("Your code is* ") == (("your", "code"), "is")
    assert search.terms("co*de") == (("co", "de"), None)
    assert search.terms("*") is None
    assert search.terms(" !? ") is None


def test_memory_of_code_points_is_bounded() -> None:
    search.words("".join(map(chr, range(0x100, 0xD800))))
    assert len(search._FOLD) <= search._KEPT_IN_MEMORY


Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

MARKS = st.characters(categories=["Mn", "Mc", "Me"]) | st.sampled_from(
    "\u0f73\u0f75\u0f81\uff9e\uff9f\u0345\u0315\u0344"
)
LETTERS = st.sampled_from("aβΐᾴé한가カญि️İŉß 1ﷺ")


def as_before(text: str) -> list[str]:
    """What the index held before the step `_BOUNDS` of `migrations`."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return [word[: search.MAX_WORD] for word in folded.translate(search._FOLD).split()]


FOLDED_BY_PARTS = st.sampled_from("\u1fab\u1fa2\u1ff3\u1f9e\u1fbc\u1f9a")
"""Letters with an iota below, which folding makes a letter beside them."""


@given(st.text(MARKS | LETTERS | FOLDED_BY_PARTS))
@example("\u1fbc\u0344\u2de4H")
@example("\u1fa2\uff9e\u0329")
@example("\u1fab\u0317\u0619")
@example("\u1ff3\U000101fd\u1dff")
def test_what_was_indexed_whole_can_be_taken_out_again(text: str) -> None:
    assert search.words(text, whole=True) == as_before(text)


@given(st.text(MARKS | LETTERS, max_size=search.MAX_MARKS))
def test_words_of_short_texts_are_those_of_before(text: str) -> None:
    assert search.words(text) == as_before(text)


@given(st.text(MARKS | LETTERS), st.integers(1, 300))
def test_what_is_indexed_is_bounded(text: str, times: int) -> None:
    found = search.words(text * times)
    assert sum(map(len, found)) <= search.MAX_FOLDED
    assert search.matches(text * times, (tuple(found), None))


@pytest.mark.parametrize(
    "marks", ["\u0345\u0315", "\u0315\u0327", "\u0f73", "\uff9e\u0315", "\u0f81\u0345"]
)
def test_no_long_run_of_marks_is_normalised(marks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    normalize = unicodedata.normalize

    def counted(form: Form, text: str) -> str:
        run = steps = 0
        for char in "".join(normalize("NFKD", one) for one in text):
            run = run + 1 if unicodedata.combining(char) else 0
            steps = max(steps, run)
        runs.append(steps)
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", counted)
    assert search.words("a" + marks * 30_000) == search.words("a" + marks * 60_000)
    assert runs
    assert max(runs) <= 2 * search.MAX_MARKS


@given(st.text(MARKS | LETTERS | FOLDED_BY_PARTS), st.integers(1, 50))
def test_what_was_indexed_whole_is_normalised_in_order(text: str, times: int) -> None:
    moves: list[int] = []
    normalize = unicodedata.normalize

    def counted(form: Form, text: str) -> str:
        apart = "".join(normalize("NFKD", one) for one in text)
        ranks = map(unicodedata.combining, apart)
        runs = [list(run) for marks, run in groupby(ranks, key=bool) if marks]
        # How many places a mark has to go to the front.
        orders = [sorted(range(len(run)), key=run.__getitem__) for run in runs]
        far = max((old - new for order in orders for new, old in enumerate(order)), default=0)
        moves.append(far)
        return normalize(form, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unicodedata, "normalize", counted)
        search.words(text * times, whole=True)
    assert max(moves, default=0) <= 4


def test_the_end_of_a_very_long_text_is_not_searched() -> None:
    body = "word " * 2_000 + "end"
    assert search.matches(body, (("word",), None))
    assert not search.matches(body, (("end",), None))
    assert "end" in search.words(body, whole=True)
