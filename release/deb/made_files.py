"""The files of the package that phonegate itself says: units, man pages, completions, settings.

It is run with the packages of the build to be packed, not with those of the builder:
`python -m release.deb.made_files FOLDER DAY VERSION`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class

from phonegate.cli import group
from phonegate.cli.command_tree import described
from phonegate.cli.service.unit import (
    BACKUP_TIMER_NAME,
    BACKUP_UNIT_NAME,
    UNIT_NAME,
    ServiceUnit,
)
from phonegate.config.setting_texts import example, section_texts
from release.deb import configuration, manual

UNIT: Final = ServiceUnit(
    program=("/usr/bin/phonegate",),
    unpacks=False,
    backups="/var/backups/phonegate",
    documentation=("man:phonegate(1)", "file:///usr/share/doc/phonegate/README.Debian"),
)
DATABASE: Final = UNIT.state / "phonegate.db"

FILES: Final = (
    (str(UNIT.config), "The configuration, see `gateway.toml`(5)."),
    (str(DATABASE), "All messages, orgs and keys. Only the user `phonegate` reads it."),
    (str(UNIT.backups), "Copies of it, by `phonegate-backup.timer` once that is enabled."),
    ("/usr/share/doc/phonegate/README.Debian", "How the service of this system is set up."),
)

COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/phonegate",
    "zsh": "usr/share/zsh/vendor-completions/_phonegate",
    "fish": "usr/share/fish/vendor_completions.d/phonegate.fish",
}


def made(day: str, version: str) -> Iterator[tuple[str, str]]:
    """Yields the path of each file in the package, with its text."""
    sections = tuple(section_texts())
    program = described(group)
    for name, text in manual.pages(program, sections, FILES, day=day, version=version):
        yield f"usr/share/man/man{name[-1]}/{name}", text
    for shell, path in COMPLETIONS.items():
        yield path, completion(shell, group)
    yield f"lib/systemd/system/{UNIT_NAME}", UNIT.text()
    yield f"lib/systemd/system/{BACKUP_UNIT_NAME}", UNIT.backup_text()
    yield f"lib/systemd/system/{BACKUP_TIMER_NAME}", UNIT.backup_timer_text()
    yield "usr/share/doc/phonegate/examples/gateway.toml", example()
    given = {"database.path": str(DATABASE)}
    yield str(UNIT.config).removeprefix("/"), configuration.text(sections, given)


def completion(shell: str, program: click.Command) -> str:
    """Returns click's script for a shell, without the look at which version of it is here."""
    kind = get_completion_class(shell)
    if kind is None:
        raise KeyError(shell)
    script = kind(program, {}, "phonegate", "_PHONEGATE_COMPLETE")
    return (script.source_template % script.source_vars()).strip() + "\n"


def main(folder: str, day: str, version: str) -> None:
    """Writes the files below the folder."""
    for path, text in made(day, version):
        file = Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
