"""The documents as a site: built, whole, the same as elsewhere, and loading nothing from afar."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import markdown
import pytest
from markdown_it import MarkdownIt

from release.website import PAGES, for_site, relinked
from tests.test_links import DOCUMENTS, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all tests of this file."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


class Reader(HTMLParser):
    """What a page is made of: its tags with their attributes, and its pieces of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shape: list[str] = []
        self._code: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in SHAPES:
            self.shape.append(tag)
        if tag == "code":
            self._code = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "code" and self._code is not None:
            self.shape.append(" ".join(self._code.split()))
            self._code = None

    def handle_data(self, data: str) -> None:
        if self._code is not None:
            self._code += data


SHAPES = {*("h1", "h2", "h3", "h4", "ul", "ol", "li", "table", "tr", "pre", "blockquote", "img")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_a_document_is_the_same_on_the_site_as_in_the_repository(path: Path) -> None:
    text = (ROOT / path).read_text()
    by_commonmark = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    by_site = markdown.markdown(
        for_site(text, path.as_posix()),
        extensions=["tables", "pymdownx.highlight", "pymdownx.superfences"],
        extension_configs={"pymdownx.highlight": {"use_pygments": False}},
    )
    assert Reader(by_site).shape == Reader(by_commonmark).shape


def test_every_document_is_a_page_of_the_site(site: Path) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    for path in DOCUMENTS:
        page = PAGES.get(path.as_posix(), path.as_posix().removeprefix("docs/"))
        page = re.sub(r"README\.md$", "index.md", page)
        assert page.removesuffix(".md") + ".html" in pages


def test_a_page_that_is_made_has_the_title_of_its_heading(site: Path) -> None:
    for path in (ROOT / "docs" / "reference").glob("[a-z]*.md"):
        heading = re.search(r"^# (.+)$", path.read_text(), re.MULTILINE)
        page = (site / "reference" / path.name).with_suffix(".html").read_text()
        assert heading is not None
        assert f"<title>{heading[1]} - phonegate</title>" in page


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    loaded = [
        (path.name, tag, target)
        for path in site.rglob("*.html")
        for tag, attributes in Reader(path.read_text()).tags
        for target in _loaded(tag, attributes)
    ]
    assert loaded
    assert [one for one in loaded if re.match(r"(?:[a-z]+:)?//", one[2])] == []
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)[\s\"']*(?:https?:)?//", path.read_text()), path


def _loaded(tag: str, attributes: dict[str, str | None]) -> Iterator[str]:
    """The addresses that a browser loads by itself for a tag."""
    if tag != "a":
        names = ("src", "srcset", "href", "poster", "data")
        yield from (value for name in names if (value := attributes.get(name)) is not None)


def test_the_site_is_searched_by_its_own_index(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text()
    assert "on_uncertain" in index
    pages = json.loads(index)["docs"]
    boosts = {
        page["location"]: page.get("boost", 1) for page in pages if "#" not in page["location"]
    }
    assert boosts["architecture.html"] < boosts["phones.html"]


@pytest.mark.parametrize(
    ("path", "link", "there"),
    [
        ("docs/phones.md", "[a](events.md#b)", "[a](events.md#b)"),
        ("docs/phones.md", "[a](../README.md#b)", "[a](index.md#b)"),
        ("docs/reference/api.md", "[a](../phones.md)", "[a](../phones.md)"),
        ("docs/reference/api.md", "[a](../../CHANGELOG.md)", "[a](../changelog.md)"),
        ("docs/phones.md", "[a](../bench/bare.py)", "[a](files/bench/bare.py)"),
        ("README.md", "[a](docs/phones.md#c)", "[a](phones.md#c)"),
        ("README.md", '<img src="docs/screens/x.webp">', '<img src="screens/x.webp">'),
        ("README.md", "[a](https://example.org/docs/x)", "[a](https://example.org/docs/x)"),
        ("README.md", "[a](#b)", "[a](#b)"),
        ("README.md", "`[a](docs/x.md)`", "`[a](docs/x.md)`"),
    ],
)
def test_a_link_leads_to_the_same_file(path: str, link: str, there: str) -> None:
    assert relinked(link, path) == there


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("1. a\n\n   b", "1. a\n\n    b"),
        ("- a\n  b\n  - c\n\n    d", "- a\n    b\n    - c\n\n        d"),
        ("a:\n- b", "a:\n\n- b"),
        (
            "10. a\n\n    ```sh\n    x\n      y\n    ```\n\nb",
            "10. a\n\n    ```sh\n    x\n      y\n    ```\n\nb",
        ),
        ("- a\nlazy\n\nb", "- a\n    lazy\n\nb"),
        ("```json phone\n- a\n  b\n```", "```json\n- a\n  b\n```"),
        ("| `a\\|b` |", "| `a|b` |"),
    ],
)
def test_lists_are_indented_as_the_site_reads_them(text: str, there: str) -> None:
    assert for_site(text, "docs/phones.md") == there
