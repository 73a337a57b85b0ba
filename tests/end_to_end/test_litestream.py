"""The restore drill: replicated by Litestream, killed, restored elsewhere, served again.

The configuration and the commands are those of docs/operations.md.
"""

import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

GUIDE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SECRET = "my-secret-key-123"
BATCH = 50
FEWEST, MOST = 10, 400
HASTE = {
    "    replica:": "    monitor-interval: 100ms\n    min-checkpoint-page-count: 50\n    replica:",
    "sync-interval: 1s": "sync-interval: 100ms",
}


def litestream() -> str:
    found = shutil.which("litestream", path=f"{Path(sys.executable).parent}") or shutil.which(
        "litestream"
    )
    if found is None:
        pytest.skip("litestream is not installed; its package has no build for this machine")
    return found


def printed(language: str, mark: str) -> str:
    """The one code block of the guide's section on replication that holds a mark."""
    (section,) = re.findall(r"^## A copy elsewhere.*?(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(rf"^ *```{language}\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if mark in block)
    return textwrap.dedent(block)


def localized(text: str, folder: Path) -> str:
    """The guide's places, moved into a folder."""
    places = {
        "/var/lib/phonegate": folder / "var",
        "/mnt/backup/phonegate": folder / "replica",
        "/etc/litestream.yml": folder / "litestream.yml",
    }
    for place, local in places.items():
        text = text.replace(place, str(local))
    return text


@contextmanager
def replicating(program: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    config = folder / "litestream.yml"
    text = localized(printed("yaml", "dbs:"), folder)
    # As printed, but sooner: a test can't wait for the first megabytes.
    for old, new in HASTE.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    config.write_text(text)
    process = subprocess.Popen(
        [program, "replicate", "-config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
        assert "level=ERROR" not in output, output


def push(gateway: GatewayProcess, batch: int) -> None:
    messages = [
        {
            "address": "+15551112222",
            "body": f"{batch} {n} " + "x" * 700,
            "date": batch,
            "id": str(n),
        }
        for n in range(BATCH)
    ]
    body = {"org_id": "myorg", "secret_key": SECRET, "messages": messages}
    answer = httpx.post(f"{gateway.url}/webhook", json=body)
    assert answer.json()["stored"] == BATCH


def bodies(gateway: GatewayProcess) -> list[str]:
    found: list[str] = []
    since = 0
    while True:
        answer = httpx.get(
            f"{gateway.url}/messages/myorg",
            params={"since_id": since, "limit": 1000},
            headers={"X-Secret-Key": SECRET},
        ).json()["messages"]
        if not answer:
            return found
        found += [message["body"] for message in answer]
        since = answer[-1]["id"]


def test_what_was_replicated_is_served_again_after_the_machine_is_lost(tmp_path: Path) -> None:
    program = litestream()
    (tmp_path / "var").mkdir()
    database = tmp_path / "var" / "phonegate.db"
    (setting,) = re.findall(r'^checkpoint = "(\w+)"', printed("toml", "[database]"), re.MULTILINE)
    gateway = GatewayProcess(database, settings={"DATABASE_CHECKPOINT": setting})
    gateway.wait_until_ready()
    begun = database.stat().st_size
    try:
        with replicating(program, tmp_path) as replicator:
            batches = 0
            # The gateway does not checkpoint: the file grows once Litestream has done so.
            while batches < FEWEST or database.stat().st_size < 2 * begun:
                assert batches < MOST, "Litestream does not checkpoint"
                push(gateway, batches)
                batches += 1
            stored = bodies(gateway)
            assert replicator.poll() is None
            # As when the machine is lost, but for what Litestream still had to send.
            gateway.kill()
    finally:
        if gateway.process.poll() is None:
            gateway.kill()
    shutil.rmtree(tmp_path / "var")
    restore = localized(printed("sh", "litestream restore"), tmp_path)
    (tmp_path / "var").mkdir()
    for line in restore.strip().splitlines():
        words = shlex.split(line.split("#")[0])
        if words[:2] == ["litestream", "restore"]:
            subprocess.run(
                [program, *words[1:]], check=True, capture_output=True, timeout=PATIENCE_S
            )
    plain = sqlite3.connect(database)
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()
    settings = {"DATABASE_CHECKPOINT": setting}
    with GatewayProcess(database, settings=settings) as again:
        assert len(stored) == BATCH * batches
        assert bodies(again) == stored
        assert database.stat().st_mode & 0o777 == 0o600
        push(again, batches)


def test_litestream_s_own_sqlite_has_the_cure(tmp_path: Path) -> None:
    """The one that checkpoints must not have the fault which loses commits (before 3.51.3)."""
    binary = Path(litestream()).resolve().read_bytes()
    # SQLite's identification stands in every build: date, time and a hash; the date tells enough.
    dates = [
        date.decode()
        for date in re.findall(rb"(20\d\d-\d\d-\d\d) \d\d:\d\d:\d\d [0-9a-f]{64}", binary)
    ]
    assert dates
    assert min(dates) >= "2026-03-13", "before the release of SQLite 3.51.3"
