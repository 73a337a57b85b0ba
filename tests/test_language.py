"""The English of the code: docstrings and comments that are understood at first sight."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("phonegate", "kit", "trials", "bench", "release")

VAGUE = re.compile(
    r"\b(?:(?i:somebody|nobody|whoever|(un)?told|strangers?|wish(es|ed)?)|Says that)\b"
)
"""Words for which a plainer one says what is meant: a caller, a client, reported, logged, asked."""

CODE = re.compile(r"`[^`]*`")
"""A name that other programs may fix, such as a field of the log."""

SEED = re.compile(r"\bseed(s|ed|ing)?\b", re.IGNORECASE)
"""Means the start of random numbers, and nothing else."""

HALVES = re.compile(r"; (None|whether|returns|gives|how many|its|0)\b")
"""What a function returns, behind a semicolon: a sentence of its own says it better."""

WHETHER = re.compile(r"\bWhether\b")
"""Begins the docstring of a property, and of no other function."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields the docstrings of modules, classes, functions and attributes, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            if isinstance(value, str):
                yield node.lineno, value


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list)


def faults(source: str) -> Iterator[tuple[int, str]]:
    """Yields what is wrong with the English of a module, with the line."""
    # To parse a module takes long.
    if not any(words.search(source) for words in (VAGUE, SEED, HALVES, WHETHER)):
        return
    tree = ast.parse(source)
    random = re.search(r"\brandom\b", source, re.IGNORECASE) is not None
    for start, text in (*_docstrings(tree), *_comments(source)):
        for number, line in enumerate(text.splitlines(), start):
            for found in VAGUE.finditer(CODE.sub("", line)):
                yield number, f"say it without {found[0]!r}"
            if not random and (seed := SEED.search(line)):
                yield number, f"{seed[0]!r} is a word for random numbers"
    for node in ast.walk(tree):
        if not isinstance(node, FUNCTIONS):
            continue
        text = ast.get_docstring(node) or ""
        if text.startswith("Whether") and not _is_property(node):
            yield node.lineno, "say Tells whether, or Returns whether"
        if HALVES.search(text.partition("\n\n")[0]):
            yield node.lineno, "say Returns … in a sentence of its own"


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_and_comments_are_plain_english(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, fault in faults(path.read_text())
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""Takes what somebody sent."""\n', [1]),
        ('x = 1\n"""What a caller\nis told."""\n', [3]),
        ("x = 1  # for whoever asks\n", [1]),
        ("def f():\n    # Says that it is over.\n    return 1\n", [2]),
        ('def f():\n    """Whether it is."""\n', [1]),
        ('async def f():\n    """Whether it is."""\n', [1]),
        ('def f():\n    """Takes one; None if there is none."""\n', [1]),
        ('class A:\n    on: bool\n    """Whether it is on."""\n', []),
        ('class A:\n    @property\n    def on(self):\n        """Whether it is on."""\n', []),
        ('def f():\n    """Fills the seeds of the trial."""\n', [2]),
        ('import random\n\ndef f(seed):\n    """Draws by a seed."""\n', []),
        ('x = "somebody"\n', []),
    ],
)
def test_each_fault_is_found_at_its_line(source: str, lines: list[int]) -> None:
    assert [line for line, _ in faults(source)] == lines
