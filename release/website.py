"""What mkdocs does to the documents before it makes a site of them (`hooks` of mkdocs.yml).

The documents are written as the hosts of repositories show them: Markdown by CommonMark, with links
to any file of the repository. Python-Markdown, which makes the site, indents lists by four, and a
site knows no file outside docs/. Both are translated here, so that one text is right in both.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File

ROOT: Final = Path(__file__).parent.parent

PAGES: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security-policy.md",
    "LICENSE": "license.md",
    "bench/RESULTS.md": "results.md",
}
"""Files outside docs/ that are pages of the site."""

OTHERS: Final = "files/"
"""Where the site has the other files that a document links to."""

FAVICON: Final = "phonegate/pages/files/favicon.svg"
"""The gateway's own, which `theme.favicon` of mkdocs.yml names."""

LAST_FOUND: Final = frozenset({"architecture.md", "changelog.md", "contributing.md", "results.md"})
"""Pages for those who change the program. They name all of it, and are found after the guides."""

STYLE: Final = "release/website.css"
"""Changes of the theme, which `extra_css` of mkdocs.yml names."""

NOTE: Final = re.compile(r"\A\s*<!--.*?-->\s*", re.DOTALL)
"""A comment above the heading, in which mkdocs would else not find the title of the page."""

FENCE: Final = re.compile(r"```+|~~~+")
MARKER: Final = re.compile(r"(?:[-*+]|\d{1,9}[.)]) +(?=\S)")
INDENT: Final = 4
"""What Python-Markdown wants before each block within an item of a list."""


def site_path(path: str) -> str:
    """Returns where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PAGES.get(path, OTHERS + path)


def linked(text: str, path: str) -> Iterator[str]:
    """Yields the files of the repository that a document links to."""
    for part, code in parts(text):
        if not code:
            for target in LINK.findall(part):
                if (found := in_repository(target, path)) is not None:
                    yield found[0]


LINK: Final = re.compile(r"""(?<=\]\()[^()\s]+(?=\))|(?<=src=")[^"]+|(?<=srcset=")[^"]+""")
"""The target of a link or picture, as Markdown or in a tag of HTML."""

CODE: Final = re.compile(
    r"(^ *(```+|~~~+).*?^ *\2 *$|(?<!`)(`+)(?!`).*?(?<!`)\3(?!`))", re.MULTILINE | re.DOTALL
)


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a text in their order, each with whether it is code."""
    end = 0
    for found in CODE.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False


def in_repository(target: str, path: str) -> tuple[str, str] | None:
    """Returns the file and the anchor that a link of a document means, or None elsewhere."""
    name, mark, anchor = target.partition("#")
    if not name or re.match(r"[a-z]+:", name):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name)), mark + anchor


def relinked(text: str, path: str) -> str:
    """Returns a document whose links lead to where the site has their files.

    Args:
        text: Its Markdown.
        path: Its own path in the repository.
    """
    here = posixpath.dirname(site_path(path)) or "."

    def link(match: re.Match[str]) -> str:
        found = in_repository(match[0], path)
        if found is None:
            return match[0]
        return posixpath.relpath(site_path(found[0]), here) + found[1]

    return "".join(part if code else LINK.sub(link, part) for part, code in parts(text))


def indented(text: str) -> str:
    """Returns a document whose lists are indented as Python-Markdown reads them."""
    lines = _Lines()
    for line in text.split("\n"):
        lines.add(line)
    return "\n".join(lines.done)


class _Lines:
    """The lines of a document, one after the other."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._items: list[int] = []  # the columns at which the open items' texts begin
        self._fence: str | None = None
        self._paragraph = False
        self._of_item = False  # whether the paragraph is the first of an item

    def add(self, line: str) -> None:
        text = line.lstrip(" ")
        column = len(line) - len(text)
        if not text:
            self.done.append("")
            self._paragraph = self._paragraph and self._fence is not None
            return
        if self._fence is not None:
            self._put(line, column)
            if text.rstrip() == self._fence:
                self._fence = None
            return
        marker = MARKER.match(text)
        fence = FENCE.match(text)
        block = marker is not None or fence is not None or text[0] in "#|<"
        if block or not self._paragraph:
            while self._items and column < self._items[-1]:
                self._items.pop()
        if marker is not None:
            self._begin(column, text, marker)
            return
        # Of what stands beside a fence, Python-Markdown knows the language alone.
        self._put(line if fence is None else line[:column] + text.split(" ")[0], column)
        self._fence = fence[0] if fence is not None else None
        if not self._paragraph:
            self._of_item = False
        self._paragraph = not block

    def _begin(self, column: int, text: str, marker: re.Match[str]) -> None:
        """Begins an item of a list."""
        if self._paragraph and not self._of_item:
            self.done.append("")
        self.done.append(" " * INDENT * len(self._items) + text)
        self._items.append(column + marker.end())
        self._paragraph = self._of_item = True

    def _put(self, line: str, column: int) -> None:
        """Adds a line to the innermost item that is open."""
        inner = self._items[-1] if self._items else 0
        self.done.append(" " * INDENT * len(self._items) + line[min(column, inner) :])


def unescaped(text: str) -> str:
    """Returns a document whose pipes within code in tables are not escaped."""
    return re.sub(r"^\|.*$", lambda row: _map_code(row[0], _bare_pipes), text, flags=re.MULTILINE)


def _bare_pipes(code: str) -> str:
    return code.replace("\\|", "|")


def _map_code(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(part) if code else part for part, code in parts(text))


def for_site(text: str, path: str) -> str:
    """Returns a document as the site's Markdown."""
    return unescaped(indented(relinked(NOTE.sub("", text), path)))


def on_files(files: Any, config: Any) -> None:
    """Adds the pages and files from outside docs/."""
    for path, page in PAGES.items():
        if (ROOT / path).is_file():
            text = (ROOT / path).read_text()
            files.append(File.generated(config, page, content=text))
    texts = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    wanted = {other for path, text in texts.items() for other in linked(text, _origin(path))}
    for path in sorted(wanted | {FAVICON, STYLE}):
        if site_path(path).startswith(OTHERS) and (ROOT / path).is_file():
            content = (ROOT / path).read_bytes()
            files.append(File.generated(config, site_path(path), content=content))


def _origin(path: str) -> str:
    """Returns the path in the repository of a page of the site."""
    return {f"docs/{page}": file for file, page in PAGES.items()}.get(path, path)


def on_page_markdown(
    markdown: str,
    page: Any,
    config: Any,  # noqa: ARG001 - mkdocs passes it by name
    files: Any,  # noqa: ARG001 - as config
) -> str:
    """Translates a page."""
    if page.file.src_uri in LAST_FOUND:
        page.meta["search"] = {"boost": 0.1}
    return for_site(markdown, _origin(f"docs/{page.file.src_uri}"))
