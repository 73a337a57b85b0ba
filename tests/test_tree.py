"""What may import what among the folders of the repository."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "phonegate": {"phonegate"},
    "kit": {"kit", "phonegate"},
    "bench": {"bench", "kit", "phonegate"},
    "trials": {"trials", "kit", "phonegate"},
    "release": {"release", "phonegate"},
    "tests": {"tests", "kit", "phonegate"},
    "tests/bench": {"tests", "bench", "kit", "phonegate"},
    "tests/release": {"tests", "release", "kit", "phonegate"},
    "tests/trials": {"tests", "trials", "kit", "phonegate"},
}
"""The longest name of a file's folders decides."""

OURS = {"phonegate", "kit", "bench", "trials", "release", "tests"}


def _imported(path: Path, named: set[str]) -> Iterator[str]:
    """The top-level packages that a module imports, or nothing where it names none of these."""
    text = path.read_text()
    if re.search(rf"\b({'|'.join(named)})\b", text) is None:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def _allowed(folder: str) -> set[str]:
    return ALLOWED[max((f for f in ALLOWED if f"{folder}/".startswith(f"{f}/")), key=len)]


@pytest.mark.parametrize("top", sorted(OURS))
def test_folders_import_only_what_they_may(top: str) -> None:
    paths = sorted((ROOT / top).rglob("*.py"))
    assert paths
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for others in [OURS - _allowed(path.parent.relative_to(ROOT).as_posix())]
        for name in _imported(path, others)
        if name in others
    ]
    assert not wrong


def test_the_folder_of_a_file_decides() -> None:
    assert "bench" in _allowed("tests/bench")
    assert "bench" not in _allowed("tests/benchmarks")
    assert "bench" not in _allowed("tests/trials")
