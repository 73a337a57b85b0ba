"""The pictures of the documents: each is there, is explained in words, and can be taken anew."""

import re
from pathlib import Path

import pytest

from tests.documents import screens
from tests.end_to_end import chromium
from tests.end_to_end.console_screens import Photographer, take_new
from tests.test_links import DOCUMENTS, ROOT

MARKDOWN = re.compile(r"!\[([^]]*)\]\(([^)]+)\)")
TAG = re.compile(r"<img\b[^>]*>")
SOURCE = re.compile(r'<source\b[^>]*srcset="([^"]+)"')


def shown(path: Path) -> dict[str, str | None]:
    """The pictures of a document, with what is said in place of each where it can't be seen."""
    text = (ROOT / path).read_text()
    found: dict[str, str | None] = {address: alt for alt, address in MARKDOWN.findall(text)}
    for tag in TAG.findall(text):
        words = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found[words["src"]] = words.get("alt")
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_picture_is_explained_in_words(path: Path) -> None:
    assert [name for name, alt in shown(path).items() if not alt or len(alt) < 10] == []


def test_the_documents_have_all_pictures_and_no_others() -> None:
    used = {
        Path(address).name
        for path in DOCUMENTS
        for address in (*shown(path), *SOURCE.findall((ROOT / path).read_text()))
        if "screens/" in address
    }
    assert used == screens.PICTURES
    assert {path.name for path in screens.FOLDER.iterdir()} == used


def test_the_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in screens.FOLDER.iterdir()}
    assert sum(sizes.values()) < screens.MOST_BYTES
    assert [name for name, size in sizes.items() if size > screens.MOST_BYTES / 10] == []


@chromium.needed
def test_a_screen_is_taken_anew(tmp_path: Path) -> None:
    browser = chromium.Browser(tmp_path / "profile")
    try:
        camera = Photographer(browser, tmp_path / "out", lambda shot: shot == "new-360-light", 50)
        take_new(camera, tmp_path)
    finally:
        browser.driver.quit()
    (taken,) = (tmp_path / "out").iterdir()
    assert taken.name == "new-360-light.webp"
    data = taken.read_bytes()
    assert (data[:4], data[8:12]) == (b"RIFF", b"WEBP")
    assert len(data) > 5_000, "an empty page takes less"


def test_a_terminal_is_drawn_anew(tmp_path: Path) -> None:
    screens.draw("demo", tmp_path, {}, tmp_path)
    drawn = (tmp_path / "terminal-demo.svg").read_text()
    assert "Both ways work." in drawn
    assert "http://127.0.0.1:8080" in drawn
