"""The code that people wrote into the documents: blocks between fences, and spans between ticks."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import attrs

from tests.test_links import DOCUMENTS, ROOT

TEXTS: Final = (*DOCUMENTS, Path("gateway.toml.example"))
"""The documents, and the file whose comments are one."""

_FENCED = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^`\n]*)\n(?P<text>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


@attrs.frozen(kw_only=True)
class Code:
    """A piece of code in a document."""

    path: Path
    line: int
    language: str
    """What stands beside the fence, and for a span nothing."""
    text: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


@cache
def blocks() -> tuple[Code, ...]:
    """All blocks between fences, without what their list indents them by."""
    return tuple(_blocks())


def _blocks() -> Iterator[Code]:
    for path in TEXTS:
        text = (ROOT / path).read_text()
        for found in _FENCED.finditer(text):
            yield Code(
                path=path,
                line=text.count("\n", 0, found.start()) + 2,
                language=found["info"].strip().partition(" ")[0],
                text=re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            )


@cache
def spans() -> tuple[Code, ...]:
    """All that stands between ticks, each on one line."""
    return tuple(_spans())


def _spans() -> Iterator[Code]:
    for path in TEXTS:
        text = (ROOT / path).read_text()
        plain = _FENCED.sub(lambda found: "\n" * found[0].count("\n"), text)
        for found in _SPAN.finditer(plain):
            words = re.sub(r"\s*\n[# ]*", " ", found[2])
            line = plain.count("\n", 0, found.start()) + 1
            yield Code(path=path, line=line, language="", text=words.replace("\\|", "|"))


_END = frozenset("|&;()<>")


def simple_commands(text: str) -> Iterator[list[str]]:
    """Yields the words of each simple command of a shell's text, without its redirections.

    What is substituted in double quotes stays within its word.
    """
    joined = text.replace("\\\n", " ")
    for line in _logical_lines(joined):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for word in lexer:
            if set(word) <= _END:
                yield command
                command = []
            else:
                command.append(word)
        yield command


def _logical_lines(text: str) -> Iterator[str]:
    """Yields lines, joined where a quote is open at their end."""
    waiting = ""
    for line in text.splitlines():
        waiting += line + "\n"
        try:
            shlex.split(waiting, comments=True)
        except ValueError:
            continue
        yield waiting
        waiting = ""
    if waiting.strip():
        raise ValueError(f"A quote is not closed: {waiting!r}")
