"""Every link of the documents leads somewhere, in the repository as on the site."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent

DOCUMENTS = [
    path.relative_to(ROOT) for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
]
"""All documents for people, by their paths in the repository."""

OTHERS = [
    path.relative_to(ROOT)
    for folder in (".github", "bench", "deploy", "release", "trials")
    for path in sorted((ROOT / folder).rglob("*.md"))
]
"""What stands beside the code that it is about."""

BLOCK = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
MARKDOWN_LINK = re.compile(r"\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)")
HTML_LINK = re.compile(r'(?:src|srcset|href)="([^"]*)"')


def anchors(text: str) -> set[str]:
    """The anchors of a document, as the hosts of repositories make them of its headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.*?) *#*$", BLOCK.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found) | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def targets(text: str) -> Iterator[str]:
    """Where the links and pictures of a document lead."""
    plain = CODE.sub("", BLOCK.sub("", text))
    yield from MARKDOWN_LINK.findall(plain)
    yield from HTML_LINK.findall(plain)


def fault(target: str, path: Path) -> str | None:
    """What is wrong with a link of a document, if anything is."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        parts = urlsplit(target)
        good = parts.scheme == "mailto" or (parts.scheme == "https" and parts.hostname)
        return None if good else "is no address by https"
    name, _, anchor = target.partition("#")
    file = (ROOT / path).parent / name if name else ROOT / path
    if not file.exists():
        return "leads to no file"
    if not file.resolve().is_relative_to(ROOT):
        return "leads out of the repository"
    if anchor and anchor not in anchors(file.read_text()):
        return "leads to no heading"
    return None


@pytest.mark.parametrize("path", [*DOCUMENTS, *OTHERS], ids=str)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = (ROOT / path).read_text()
    assert [(target, wrong) for target in targets(text) if (wrong := fault(target, path))] == []


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("[a](docs/phones.md#termux)", None),
        ("[a](docs/phones.md#nothing)", "leads to no heading"),
        ("[a](docs/nothing.md)", "leads to no file"),
        ("[a](#what-next)", None),
        ("[a](#nothing)", "leads to no heading"),
        ('<img src="docs/screens/nothing.webp">', "leads to no file"),
        ("[a](https://example.org/x)", None),
        ("[a](http://example.org/x)", "is no address by https"),
        ("[a](../elsewhere)", "leads to no file"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, wrong: str | None) -> None:
    (target,) = targets(link)
    assert fault(target, Path("README.md")) == wrong


def test_links_in_code_are_none() -> None:
    assert list(targets("`[a](b)`\n\n```sh\n[a](b)\n```\n")) == []


def test_two_headings_of_one_name_have_two_anchors() -> None:
    assert anchors("# A `b`, c\n## … d\n## … d\n```sh\n# no\n```\n") == {"a-b-c", "-d", "-d-1"}
