"""The extras: declared, documented, named where they are missed, and of what the code imports."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_USERS = {"telnyx", "tls", "apprise"}
FOR_MAKERS = {"bench", "dev", "docs"}

IMPORT = re.compile(
    r"^\s*(?:import (\w+)[\w.]*(?: as \w+)?(?:  #.*)?$|from (\w+)[\w.]* import )", re.MULTILINE
)
NAMED = re.compile(r"(?:phonegate|\.)\[([a-z,]+)\]")


def named(paths: Iterator[Path]) -> set[str]:
    return {
        extra
        for path in paths
        for each in NAMED.findall(path.read_text())
        for extra in each.split(",")
    }


def test_each_extra_is_for_users_or_for_makers() -> None:
    assert set(EXTRAS) == FOR_USERS | FOR_MAKERS


def test_the_document_describes_the_extras_for_users_with_what_they_bring() -> None:
    install = (ROOT / "docs" / "install.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", install, re.MULTILINE)
    assert dict(rows) == {name: Requirement(EXTRAS[name][0]).name for name in FOR_USERS}


def test_messages_and_documents_name_extras_that_there_are() -> None:
    program = named((ROOT / "phonegate").rglob("*.py"))
    assert program == FOR_USERS
    assert named((ROOT / "docs").rglob("*.md")) <= set(EXTRAS)


def test_what_the_program_imports_is_pinned_or_of_an_extra() -> None:
    pins = (ROOT / "release" / "requirements.txt").read_text()
    lines = [line for name in FOR_USERS for line in EXTRAS[name]]
    names = {
        *re.findall(r"^([\w.-]+)==", pins, re.MULTILINE),
        *(Requirement(x).name for x in lines),
    }
    known = {name.replace("-", "_") for name in names} - {"phonenumberslite"} | {"phonenumbers"}
    unknown = {
        name
        for path in (ROOT / "phonegate").rglob("*.py")
        for pair in IMPORT.findall(path.read_text())
        for name in pair
        if name and name not in known | sys.stdlib_module_names | {"phonegate"}
    }
    assert unknown == set()
