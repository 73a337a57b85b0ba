"""What another version of phonegate brings, as it can be read without running any of it. Pure."""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from phonegate.cli.upgrade.version_number import VersionNumber

INIT: Final = "phonegate/__init__.py"
MIGRATIONS: Final = "phonegate/store/migrations.py"
SETTINGS: Final = "phonegate/config/settings.py"
CHANGELOG: Final = "CHANGELOG.md"

_FILE_NAME: Final = re.compile(
    r"phonegate[-_]v?([0-9][0-9A-Za-z.~+]*?)(?:-py3|_all|\.tar|-[0-9]|$)"
)
_HEADING: Final = re.compile(r"^## \[?v?([0-9][^\]\s]*)\]?.*$", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Offer:
    """A version that could be installed.

    Args:
        version: Which one.
        steps: How many steps its database has seen. None: that is not known.
        settings: Its settings by section. None: they are not known.
        changelog: The text of its changelog, empty where there is none.
    """

    version: VersionNumber
    steps: int | None = None
    settings: Mapping[str, frozenset[str]] | None = None
    changelog: str = attrs.field(default="", repr=False)


def of_program(read: Callable[[str], str | None]) -> Offer | None:
    """Returns what a program is, from its own files.

    Args:
        read: Gives the text of a file by its path, such as `phonegate/__init__.py`. None: there is
            no such file.

    Returns:
        None where it is no phonegate.
    """
    version = _version(read(INIT) or "")
    if version is None:
        return None
    return Offer(
        version=version,
        steps=_steps(read(MIGRATIONS) or ""),
        settings=_settings(read(SETTINGS) or ""),
        changelog=read(CHANGELOG) or "",
    )


def of_text(text: str) -> Offer | None:
    """Returns the latest version that a text names.

    It may be a version, the JSON of a page of releases or of a registry, SHA256SUMS, or a
    changelog. Returns None where it is none of these.
    """
    try:
        document = json.loads(text)
    except ValueError:
        found = [*_plain(text)]
        changelog = text if _HEADING.search(text) else ""
    else:
        found, changelog = [*_listed(document)], ""
    versions = [one for one in map(VersionNumber.read, found) if one is not None]
    if not versions:
        return None
    return Offer(version=max(versions), changelog=changelog)


def _plain(text: str) -> Iterator[str]:
    """Yields what may be versions: all of the text, headings, and names of files of a release."""
    yield text.strip().removeprefix("phonegate ")
    yield from _HEADING.findall(text)
    for line in text.splitlines():
        words = line.split()
        if words and (name := _FILE_NAME.match(words[-1].lstrip("*").rpartition("/")[2])):
            yield name[1]


def _listed(document: Any) -> Iterator[str]:
    """Yields the versions of JSON: of one release, of a list of them, or of a registry."""
    for one in document if isinstance(document, list) else [document]:
        if isinstance(one, str):
            yield one
        # What is a draft, or for those who try, is not offered.
        if not isinstance(one, dict) or one.get("draft") or one.get("prerelease"):
            continue
        info = one.get("info")
        for fields in (one, info if isinstance(info, dict) else {}):
            for name in ("tag_name", "version"):
                if isinstance(fields.get(name), str):
                    yield fields[name]


def _tree(source: str) -> ast.Module:
    """Parses a source. Nothing of it is run."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return value
            case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == name:
                return value
    return None


def _version(source: str) -> VersionNumber | None:
    match _assigned(_tree(source), "__version__"):
        case ast.Constant(value=str() as text):
            return VersionNumber.read(text)
    return None


def _steps(source: str) -> int | None:
    match _assigned(_tree(source), "STEPS"):
        case ast.Tuple(elts=elements):
            return len(elements)
    return None


def _settings(source: str) -> Mapping[str, frozenset[str]] | None:
    """Returns the names of the settings: the fields of the class of each field of `Settings`."""
    classes = {node.name: node for node in _tree(source).body if isinstance(node, ast.ClassDef)}
    whole = classes.get("Settings")
    if whole is None:
        return None
    found: dict[str, frozenset[str]] = {}
    for section, kind in _fields(whole):
        if isinstance(kind, ast.Name) and kind.id in classes:
            found[section] = frozenset(name for name, _ in _fields(classes[kind.id]))
    return found or None


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for one in node.body:
        match one:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
                yield name, kind


def news(changelog: str, since: VersionNumber, until: VersionNumber) -> str:
    """Returns what a changelog says of the versions after `since`, up to `until`."""
    headings = [*_HEADING.finditer(changelog)]
    parts = []
    for at, heading in enumerate(headings):
        version = VersionNumber.read(heading[1])
        if version is not None and since < version <= until:
            end = headings[at + 1].start() if at + 1 < len(headings) else len(changelog)
            parts.append(changelog[heading.start() : end].strip())
    return "\n\n".join(parts)
