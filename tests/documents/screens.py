"""Takes the pictures of the documents anew: `python -m tests.documents.screens`.

All that they show is invented (`console_world`), and the same each time but for the clock. They are
taken when a screen has changed, and not with the other made documents: no two pictures of a browser
are the same to the byte.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from kit.gateway import GatewayProcess, environment
from tests.documents.made import ROOT
from tests.documents.terminal_picture import picture
from tests.end_to_end.chromium import Browser
from tests.end_to_end.console_screens import Photographer, take_all
from tests.end_to_end.console_world import ORG, SECRET
from tests.patience import PATIENCE_S

FOLDER: Final = ROOT / "docs" / "screens"

QUALITY: Final = 78
"""Of WebP. Letters stay sharp, and a screen of 1440 px takes 20 to 50 KB."""

MOST_BYTES: Final = 1_000_000
"""Of all pictures together: a clone of the repository has each that there ever was."""

COLUMNS: Final = 100

BOTH: Final = (
    "new-1440",
    "set-up-1440",
    "thread-1440",
    "compose-1440",
    "phones-1440",
    "invitation-1440",
    "figures-1440",
    "operator-1440",
)
"""Screens by day and by night, with their widths in px."""

SINGLE: Final = (
    "first-steps-360-light",
    "conversations-360-dark",
    "thread-360-dark",
    "compose-360-light",
    "phone-768-light",
    "dialects-1440-light",
)

SCREENS: Final = frozenset(
    {*SINGLE, *(f"{name}-{scheme}" for name in BOTH for scheme in ("light", "dark"))}
)

TERMINALS: Final[Mapping[str, str]] = {
    "demo": "phonegate demo --once",
    "status": "phonegate status",
    "messages": "phonegate messages --limit 8",
}
"""Pictures of a terminal, with the command that it shows."""

PICTURES: Final = frozenset(
    {*(f"{name}.webp" for name in SCREENS), *(f"terminal-{name}.svg" for name in TERMINALS)}
)
"""All of docs/screens."""


def printed(command: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Returns what a command prints on a wide terminal with colours.

    Its gateway is shown at the port that it has by itself.
    """
    words = command.split()[1:]
    if words[0] == "demo":
        words += ["--port", "0"]  # another program may have the usual one
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        cwd=folder,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:8080", done.stdout)


def draw(name: str, folder: Path, variables: Mapping[str, str], out: Path = FOLDER) -> None:
    """Draws one picture of a terminal."""
    command = TERMINALS[name]
    shown = picture(command, printed(command, folder, variables), COLUMNS)
    (out / f"terminal-{name}.svg").write_text(shown)


def draw_all(gateway: GatewayProcess) -> None:
    """Draws all pictures of a terminal, beside a gateway that serves."""
    settings = {"DATABASE_PATH": gateway.database, "URL": gateway.url, "ORG": ORG, "SECRET": SECRET}
    for name in TERMINALS:
        draw(name, gateway.database.parent, environment(settings))


def main() -> None:
    """Takes all of them, and removes those that no document has any more."""
    with tempfile.TemporaryDirectory(prefix="screens-") as name:
        browser = Browser(Path(name) / "profile")
        try:
            camera = Photographer(browser, FOLDER, SCREENS.__contains__, QUALITY)
            take_all(camera, Path(name), draw_all)
        finally:
            browser.driver.quit()
    for path in FOLDER.iterdir():
        if path.name not in PICTURES:
            path.unlink()
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    click.echo(f"{len(sizes)} pictures, {sum(sizes) // 1000} KB")


if __name__ == "__main__":
    main()
