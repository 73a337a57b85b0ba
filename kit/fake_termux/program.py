"""What every fake command of Termux does, as one program without imports of ours.

    python -I -S program.py FOLDER COMMAND ARGUMENTS...

It starts in a few hundredths of a second, for a phone calls it at each look into its inbox. The
folder holds the phone's texts (`phone.db`, whose conditions are real SQL as on Android) and what
is to go wrong (`knobs.json`).
"""

import contextlib
import getopt
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

API = "com.termux.api"
NEEDS: dict[str, tuple[str, ...]] = {
    "termux-sms-send": ("READ_PHONE_STATE", "SEND_SMS"),
    "termux-sms-list": ("READ_SMS", "READ_CONTACTS"),
    "termux-telephony-deviceinfo": ("READ_PHONE_STATE",),
    "termux-telephony-cellinfo": ("ACCESS_FINE_LOCATION",),
    "termux-battery-status": (),
}
"""The commands that the app Termux:API answers, with the permissions that each asks for."""

ALONE = ("termux-wake-lock", "termux-wake-unlock", "getprop")
"""The commands that need no app."""

KNOBS: dict[str, Any] = {
    "frozen": False,
    "hang": [],
    "hang_after": [],
    "fail": {},
    "error": {},
    "denied": [],
    "garbage": [],
    "slow_s": 0.0,
    "row_after_s": 0.05,
    "lose_rows": False,
    "radio_fails": False,
    "slots": {"0": 1},
    "sim_state": "ready",
    "battery": 83,
    "charging": False,
}
"""A phone that works. `FakeTermux.set` says what each does."""

_BLANK = "".join(map(chr, range(0x21)))
_TYPES = {"all": None, "inbox": 1, "sent": 2, "draft": 3, "outbox": 4, "failed": 5, "queued": 6}
_NAMES = {1: "inbox", 2: "sent"}
_SEEN = (1, 2)
"""The types that an app sees which is not the phone's SMS app."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sms (
    _id INTEGER PRIMARY KEY, thread_id INTEGER, type INTEGER, read INTEGER, address TEXT,
    body TEXT, date INTEGER, date_sent INTEGER, sub_id INTEGER, creator TEXT);
CREATE TABLE IF NOT EXISTS under_way (
    due REAL, type INTEGER, address TEXT, body TEXT, sub_id INTEGER);
CREATE TABLE IF NOT EXISTS air (time INTEGER, address TEXT, body TEXT, slot INTEGER);
CREATE TABLE IF NOT EXISTS calls (time INTEGER, program TEXT, arguments TEXT);
"""


class Hung(Exception):
    """The command goes on for ever."""


class Answer(NamedTuple):
    """How a command ends: its exit status, and what it writes to its outputs."""

    status: int = 0
    output: str = ""
    complaint: str = ""


class Call(NamedTuple):
    """One call of a command. `text` reads its standard input."""

    folder: Path
    program: str
    arguments: tuple[str, ...]
    text: Callable[[], str]
    knobs: dict[str, Any]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """Yields the phone's texts, in one transaction, after what is due by now has happened."""
    base = sqlite3.connect(folder / "phone.db", timeout=30, isolation_level=None)
    try:
        base.execute("PRAGMA synchronous=OFF")
        base.executescript(_SCHEMA)
        base.execute("BEGIN IMMEDIATE")
        _happen(base)
        yield base
        base.execute("COMMIT")
    finally:
        base.close()


def _happen(base: sqlite3.Connection) -> None:
    due = base.execute(
        "SELECT rowid, due, type, address, body, sub_id FROM under_way WHERE due <= ? ORDER BY due",
        [time.time()],
    ).fetchall()
    for rowid, when, kind, address, body, sub_id in due:
        add(base, kind, address, body, date=int(when * 1000), sub_id=sub_id, creator=API)
        base.execute("DELETE FROM under_way WHERE rowid = ?", [rowid])


def add(
    base: sqlite3.Connection,
    kind: int,
    address: str | None,
    body: str | None,
    *,
    date: int,
    sub_id: int,
    creator: str | None,
) -> int:
    """Adds a text to the phone's list. Returns its `_id`, which may be that of a deleted one."""
    number = base.execute(
        "INSERT INTO sms (type, read, address, body, date, date_sent, sub_id, creator) "
        "VALUES (?, 0, ?, ?, ?, ?, ?, ?)",
        [kind, address, body, date, date, sub_id, creator],
    ).lastrowid
    assert number is not None
    return number


def knobs(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError):
        return {**KNOBS, **json.loads((folder / "knobs.json").read_text())}
    return KNOBS


def run(folder: Path, program: str, arguments: tuple[str, ...], text: Callable[[], str]) -> Answer:
    """Does what a command does. `text` reads its standard input.

    Raises:
        Hung: It never ends.
    """
    call = Call(folder, program, arguments, text, knobs(folder))
    with opened(folder) as base:
        base.execute(
            "INSERT INTO calls VALUES (?, ?, ?)", [now_ms(), program, json.dumps(arguments)]
        )
    answer = _trouble(call)
    if answer is None:
        answer = _WORK[program](call)
    if program in call.knobs["hang_after"]:
        raise Hung
    return answer


def _trouble(call: Call) -> Answer | None:
    """Returns the answer of a command that does not get as far as its work."""
    program, knobs = call.program, call.knobs
    if program in NEEDS:
        if knobs["frozen"] or program in knobs["hang"]:
            raise Hung
        if knobs["slow_s"]:
            time.sleep(knobs["slow_s"])
        denied = [one for one in NEEDS[program] if one in knobs["denied"]]
        if denied:
            names = ", ".join(f"android.permission.{one}" for one in denied)
            many = "s" if len(denied) > 1 else ""
            said = f"Please grant the following permission{many} to use this command: {names}"
            return Answer(output=json.dumps({"error": said}, indent=2))
    if program in knobs["error"]:
        return Answer(output=json.dumps({"error": knobs["error"][program]}))
    if program in knobs["fail"]:
        return Answer(knobs["fail"][program], complaint=f"{program}: something broke\n")
    return Answer(output="<html>") if program in knobs["garbage"] else None


def _list(call: Call) -> Answer:
    asked = {"-l": "10", "-o": "0", "-t": "all", "--message-sort-order": "date DESC"}
    names = ["message-selection=", "message-sort-order=", "message-return-no-order-reverse"]
    asked |= dict(getopt.getopt(list(call.arguments), "l:o:t:f:", names)[0])
    where = asked.get("--message-selection") or "1"
    if "select" in where.lower():
        # Android refuses it. The app shows that on the screen, and the command prints nothing.
        return Answer()
    kind = _TYPES[asked["-t"]]
    query = (
        f"SELECT _id, thread_id, type, read, address, body, date FROM (SELECT * FROM sms "
        f"WHERE type IN {_SEEN}) WHERE (type = ? OR ? IS NULL) AND ({where}) "
        f"ORDER BY {asked['--message-sort-order']} LIMIT ? OFFSET ?"
    )
    with opened(call.folder) as base:
        found = base.execute(query, [kind, kind, int(asked["-l"]), int(asked["-o"])]).fetchall()
    rows = [
        {
            "threadid": thread or 1,
            "type": _NAMES[kind],
            "read": bool(read),
            "address": address,
            "number": address,
            "received": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(date / 1000)),
            "body": body,
            "_id": number,
        }
        for number, thread, kind, read, address, body, date in found
    ]
    if "--message-return-no-order-reverse" not in asked:
        rows.reverse()
    return Answer(output=json.dumps(rows, ensure_ascii=False, indent=2))


def _send(call: Call) -> Answer:
    options, words = getopt.getopt(list(call.arguments), "n:s:")
    asked = dict(options)
    if "-n" not in asked:
        return Answer(1, "termux-sms-send: no recipient number given\n")
    body = (" ".join(words) if words else call.text()).strip(_BLANK)
    slots = call.knobs["slots"]
    slot = asked.get("-s", next(iter(slots), None))
    if slot is None or slot not in slots:
        return Answer()
    due = time.time() + call.knobs["row_after_s"]
    with opened(call.folder) as base:
        for recipient in asked["-n"].split(","):
            if not call.knobs["radio_fails"]:
                base.execute(
                    "INSERT INTO air VALUES (?, ?, ?, ?)", [now_ms(), recipient, body, int(slot)]
                )
            if not call.knobs["lose_rows"]:
                kind = 5 if call.knobs["radio_fails"] else 2
                row = [due, kind, recipient, body, slots[slot]]
                base.execute("INSERT INTO under_way VALUES (?, ?, ?, ?, ?)", row)
    return Answer()


def _device(call: Call) -> Answer:
    said = {
        "phone_count": max(1, len(call.knobs["slots"])),
        "phone_type": "gsm",
        "network_operator_name": "Fake Mobile",
        "network_type": "lte",
        "network_roaming": False,
        "sim_operator_name": "Fake Mobile",
        "sim_state": call.knobs["sim_state"],
        "device_id": None,
    }
    return Answer(output=json.dumps(said, indent=2))


def _battery(call: Call) -> Answer:
    charging = call.knobs["charging"]
    said = {
        "health": "GOOD",
        "percentage": call.knobs["battery"],
        "plugged": "PLUGGED_AC" if charging else "UNPLUGGED",
        "status": "CHARGING" if charging else "DISCHARGING",
        "temperature": 27.1,
    }
    return Answer(output=json.dumps(said, indent=2))


def _cells(_: Call) -> Answer:
    cells = [
        {"type": "lte", "registered": True, "asu": 40, "dbm": -99, "level": 3},
        {"type": "lte", "registered": False, "asu": 70, "dbm": -70, "level": 4},
    ]
    return Answer(output=json.dumps(cells))


def _lock(_: Call) -> Answer:
    return Answer()


def _property(_: Call) -> Answer:
    return Answer(output="Fake Phone 1\n")


_WORK: dict[str, Callable[[Call], Answer]] = {
    "termux-sms-list": _list,
    "termux-sms-send": _send,
    "termux-telephony-deviceinfo": _device,
    "termux-battery-status": _battery,
    "termux-telephony-cellinfo": _cells,
    "termux-wake-lock": _lock,
    "termux-wake-unlock": _lock,
    "getprop": _property,
}


def main(folder: str, program: str, *arguments: str) -> int:
    def text() -> str:
        return sys.stdin.buffer.read().decode(errors="replace")

    try:
        answer = run(Path(folder), program, arguments, text)
    except Hung:
        _hang()
    sys.stdout.buffer.write(answer.output.encode(errors="replace"))
    sys.stderr.write(answer.complaint)
    return answer.status


def _hang() -> NoReturn:
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
