"""Words and paths in units, read back by systemd's own rules, as its source has them."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phonegate.cli.service import unit_syntax
from phonegate.cli.service.unit import UNIT_NAME, ServiceUnit, UserUnit
from phonegate.cli.service.unit_syntax import NotForUnits
from tests.patience import PATIENCE_S

ODD = st.text(
    st.one_of(
        st.sampled_from(" \"'\\$%"),
        st.sampled_from("ab;#~-@:+!|=*?[]{}()<>&`"),
        st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc", "Zl", "Zp"]),
    )
)
PATHS = ODD.map(lambda text: str(PurePosixPath("/", text.replace("/", "_") or "_")))

NAMES = ("bl ank", "a$b", "$HOME", "per%cent", "o'brien", 'quo"ted', "back\\slash", "end\\", "end ")


def words_of(line: str) -> list[str]:
    """`extract_first_word` with its flags `UNQUOTE` and `CUNESCAPE`, then specifiers."""
    words: list[str] = []
    word: str | None = None
    quote, rest = "", list(line)
    while rest:
        one = rest.pop(0)
        if one == "\\":
            # Any other letter behind it would be an escape for something else.
            assert rest[0] in '\\"'
            word = (word or "") + rest.pop(0)
        elif quote:
            quote = "" if one == quote else quote
            word = (word or "") + (one if quote else "")
        elif one in "\"'":
            quote, word = one, word or ""
        elif one == " ":
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + one
    assert not quote
    return [undoubled(one, "%") for one in (*words, *([] if word is None else [word]))]


def undoubled(text: str, letter: str) -> str:
    """What is left where a letter stands twice for itself, and never alone."""
    assert letter not in text.replace(2 * letter, "")
    return text.replace(2 * letter, letter)


def started(line: str) -> list[str]:
    """The program that a command starts, and the arguments that it gets."""
    path, *arguments = words_of(line)
    # The path is taken as it stands, and refused with these.
    assert not set(path) & set("\"'\\")
    argv = [path, *(undoubled(one, "$") for one in arguments)]
    assert undoubled(path, "$") == path, "the name that the program sees"
    if argv[:3] == [*unit_syntax.SHELL]:
        return argv[3:]
    return argv


@example("/o'brien/bin/python", [])
@example("/a$b/bin/python", ["$HOME", "$$"])
@given(PATHS, st.lists(ODD))
def test_a_command_starts_the_program_with_its_arguments(program: str, words: list[str]) -> None:
    line = unit_syntax.command((program, *words))
    assert "\n" not in line
    assert started(line) == [program, *words]


@given(st.lists(ODD))
def test_words_are_read_back_as_they_were(texts: list[str]) -> None:
    assert words_of(" ".join(map(unit_syntax.word, texts))) == texts


@given(PATHS)
def test_a_path_is_read_back_as_it_was(text: str) -> None:
    line = unit_syntax.path(PurePosixPath(text))
    # What follows on the line is dropped, and a backslash joins the next line to it.
    assert line.rstrip(" \t\r\n") == line
    assert not line.endswith("\\")
    assert undoubled(line, "%").rstrip("/") == text.rstrip("/")


@pytest.mark.parametrize(
    "text", ["/a\nExecStartPre=/bad", "/a\rb", "/a\tb", "/a\x7fb", "/a\udcffb"]
)
def test_what_a_unit_can_not_hold_is_refused(text: str) -> None:
    for words in ((text,), ("/x", text)):
        with pytest.raises(NotForUnits, match="can't be written into a unit"):
            unit_syntax.command(words)
    with pytest.raises(NotForUnits):
        unit_syntax.word(text)
    with pytest.raises(NotForUnits):
        unit_syntax.path(PurePosixPath(text))


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_starts_a_program_of_any_name(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text('#!/bin/sh\nprintf \'%s\\n\' "$0" "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [*unit_syntax.SHELL, str(program), name, "serve"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout == f"{program}\n{name}\nserve\n"


@pytest.mark.parametrize("name", NAMES)
def test_systemd_takes_units_with_odd_paths(name: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    odd = tmp_path / name
    odd.mkdir()
    # It looks for the program.
    program = odd / "python"
    program.symlink_to("/bin/sh")
    own = UserUnit(
        program=(str(program), str(odd / "phonegate.pyz")),
        config=odd / "gateway.toml",
        folder=odd,
        cache=odd / "cache",
    )
    machine = ServiceUnit(
        program=own.program,
        config=PurePosixPath(odd, "gateway.toml"),
        backups=PurePosixPath(odd, "backups"),
    )
    for unit in (own, machine):
        path = tmp_path / UNIT_NAME
        path.write_text(unit.text())
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
