"""The map of the folders in docs/architecture.md, made from the modules' own first sentences."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- map: begin -->\n", "<!-- map: end -->"


def first_sentence(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.partition("\n")[0]


def _packages(folder: Path) -> Iterator[Path]:
    yield folder
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            yield from _packages(path)


def drawn() -> str:
    """Every package with its modules, as Markdown."""
    lines: list[str] = []
    for package in _packages(ROOT / "phonegate"):
        name = package.relative_to(ROOT).as_posix()
        lines += [f"### `{name}/`", "", first_sentence(package / "__init__.py"), ""]
        modules = sorted(path for path in package.glob("*.py") if path.stem != "__init__")
        lines += [f"- `{path.name}`: {first_sentence(path)}" for path in modules]
        lines += [""] if modules else []
    return "\n".join(lines)


def kept(text: str) -> str:
    """The map that a document holds."""
    return text.partition(BEGIN)[2].partition(END)[0]


def with_map(text: str) -> str:
    """Puts the map as it should be into a document."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{drawn()}{END}{rest.partition(END)[2]}"


def named_modules(text: str) -> set[str]:
    """The modules that a document names in backticks, such as `domain/pacing.py`."""
    return set(re.findall(r"`((?:\w+/)+\w+\.py)`", text.replace(kept(text), "")))
