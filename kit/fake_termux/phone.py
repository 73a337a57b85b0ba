"""The phone behind the fake commands: its texts, and what is to go wrong."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import attrs

from kit.fake_termux import program

PROGRAM = Path(program.__file__)


@attrs.frozen(kw_only=True)
class Broadcast:
    """An SMS that the network has. `time` is ms since 1970, UTC."""

    time: int
    to: str
    body: str
    slot: int


@attrs.frozen(kw_only=True)
class Call:
    """One call of a command."""

    program: str
    arguments: tuple[str, ...]


class FakeTermux:
    """A phone in a folder, which any number of programs may use at once, also after a kill.

    `bin` is the folder to put first in PATH. Times are the real ones.
    """

    def __init__(self, folder: Path, **knobs: Any) -> None:
        """Makes the phone, or opens it again. `knobs` are as for `set`."""
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True, exist_ok=True)
        for name in (*program.NEEDS, *program.ALONE):
            self._install(name)
        self.set(**knobs)

    def _install(self, name: str) -> None:
        words = [sys.executable, "-I", "-S", str(PROGRAM), str(self.folder), name]
        # As on the phone, a shell that waits for its child: to kill it alone leaves the child.
        text = f'#!/bin/sh\n{shlex.join(words)} "$@"\nexit $?\n'
        script = self.bin / name
        script.write_text(text)
        script.chmod(0o755)

    def remove(self, name: str) -> None:
        """Removes a command, as on a phone without the package termux-api."""
        (self.bin / name).unlink()

    def set(self, **knobs: Any) -> None:
        """Changes how the phone behaves from now on. What is not named stays as it is.

        Args:
            knobs: Any of these.
                frozen: The app Termux:API never answers.
                hang, hang_after: Commands that never end: before or after their work.
                fail, error, garbage: Commands that end with a status, print an error (and end
                    with 0), or print no JSON.
                denied: Permissions that are missing, without `android.permission.`.
                slow_s: What each call takes.
                row_after_s: What the network takes: until then the sent box does not show it.
                lose_rows: Send, but show nothing in the sent box.
                radio_fails: Send nothing. Nothing that an app may see tells of it.
                slots: The SIMs: `sub_id` by slot.
                sim_state, battery, charging: What the phone says of itself.

        Raises:
            TypeError: There is no such knob.
        """
        if strange := knobs.keys() - program.KNOBS:
            raise TypeError(f"no such knob: {', '.join(strange)}")
        known = program.knobs(self.folder)
        # Other programs read it at the same time.
        beside = self.folder / "knobs.new"
        beside.write_text(json.dumps({**known, **knobs}))
        beside.replace(self.folder / "knobs.json")

    def receive(
        self,
        address: str | None,
        body: str | None,
        *,
        sub_id: int = 1,
        date: int | None = None,
    ) -> int:
        """Makes an SMS arrive. Returns its `_id`."""
        when = program.now_ms() if date is None else date
        with program.opened(self.folder) as base:
            return program.add(base, 1, address, body, date=when, sub_id=sub_id, creator=None)

    def add_sent(self, to: str, body: str, *, creator: str, sub_id: int = 1) -> int:
        """Puts an SMS into the sent box that another app has sent. Returns its `_id`."""
        with program.opened(self.folder) as base:
            return program.add(
                base, 2, to, body, date=program.now_ms(), sub_id=sub_id, creator=creator
            )

    def delete(self, *numbers: int) -> None:
        """Deletes texts, as the phone's owner does. All, if none is named."""
        with program.opened(self.folder) as base:
            if not numbers:
                base.execute("DELETE FROM sms")
            base.executemany("DELETE FROM sms WHERE _id = ?", [[one] for one in numbers])

    def air(self) -> list[Broadcast]:
        """Returns what went on the air, in order."""
        with program.opened(self.folder) as base:
            rows = base.execute("SELECT time, address, body, slot FROM air ORDER BY rowid")
            return [
                Broadcast(time=when, to=to, body=body, slot=slot) for when, to, body, slot in rows
            ]

    def calls(self, name: str | None = None) -> list[Call]:
        """Returns the calls of all commands or of one, in order."""
        with program.opened(self.folder) as base:
            rows = base.execute("SELECT program, arguments FROM calls ORDER BY rowid").fetchall()
        return [
            Call(program=called, arguments=tuple(json.loads(words)))
            for called, words in rows
            if name in {None, called}
        ]
