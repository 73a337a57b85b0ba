"""The words of a search are marked, and nothing else of a text becomes markup."""

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from phonegate.pages.console.conversations.found_words import excerpt, marked_words


def test_words_are_marked_without_regard_to_case_and_accents() -> None:
    assert marked_words("Café <b>CAFE</b> cafeteria", "cafe") == (
        "<mark>Café</mark> &lt;b&gt;<mark>CAFE</mark>&lt;/b&gt; cafeteria"
    )
    assert marked_words("cafeteria", "cafe*") == "<mark>cafeteria</mark>"


def test_an_excerpt_begins_near_the_word() -> None:
    shown = excerpt("before " * 100 + "needle\n" + "after " * 100, "needle")
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert "<mark>needle</mark> after" in shown
    assert len(shown.striptags()) < 250


@given(st.text(), st.text(max_size=50))
def test_a_text_stays_what_it_is(text: str, search: str) -> None:
    marked = str(marked_words(text, search))
    assert marked.replace("<mark>", "").replace("</mark>", "") == str(escape(text))
    assert excerpt(text, search).count("<mark>") == excerpt(text, search).count("</mark>")
