"""Text in man pages: what is written comes out as it was, whatever it holds."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release.deb.roff import bold, entry, escaped, header, running


def shown(source: str) -> str:
    """A page as it is read, on one line."""
    done = subprocess.run(
        ["groff", "-k", "-ww", "-man", "-Tutf8", "-P-cbou"],
        input=f".TH X 1\n.SH Y\n.nh\n.ad l\n{source}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    lines = done.stdout.splitlines()
    return " ".join(line.strip() for line in lines[lines.index("Y") + 1 : -1]).strip()


@pytest.fixture(scope="module", autouse=True)
def _groff() -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not here (Debian: groff-base)")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.sampled_from(".'-\\`~^\"abc[]é€*|%"), min_size=1), min_size=1))
def test_any_text_comes_out_as_it_went_in(words: list[str]) -> None:
    text = " ".join(words)
    assert shown(escaped(text)) == text


def test_names_between_backticks_are_bold_and_lose_them() -> None:
    assert running("Ask `phonegate setup` for it.") == "Ask \\fBphonegate setup\\fR for it."
    assert shown(running("`.` and\n  `--since-id`")) == ". and --since-id"


def test_an_entry_has_its_paragraphs_below_it() -> None:
    assert entry(bold("a"), "One.", "Two.") == [".TP", "\\fBa\\fR", "One.", ".IP", "Two."]
    assert entry(bold("a")) == [".TP", "\\fBa\\fR"]


def test_the_header_names_page_section_and_version() -> None:
    line = header("phonegate-send", 1, "2026-11-30", "phonegate 1.0", "User Commands")
    assert line == '.TH PHONEGATE\\-SEND 1 "2026-11-30" "phonegate 1.0" "User Commands"'
