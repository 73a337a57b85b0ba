import unicodedata

import pytest
from hypothesis import given
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
