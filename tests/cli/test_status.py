"""What `phonegate status` shows."""

from typing import Any

import pytest

from phonegate.cli import status


@pytest.mark.parametrize(
    ("storage", "end"),
    [
        ({"failing": False}, "free on the disk"),
        ({"failing": False, "in_place": True}, "free on the disk"),
        ({"failing": True, "in_place": True}, "; THE DISK TAKES NO WRITES"),
        ({"failing": True, "in_place": False}, "; THE DATABASE FILE IS GONE"),
    ],
)
def test_the_storage_line_names_its_trouble(storage: dict[str, Any], end: str) -> None:
    sizes = {"database_bytes": 1, "log_bytes": 1, "free_bytes": 1}
    told = {
        "version": "1",
        "pid": 1,
        "uptime_s": 1,
        "phones_online": 0,
        "connections": 0,
        "waiting": {},
        "lately": {"seconds": 60},
        "storage": {**sizes, **storage},
        "alarms": [],
    }
    (line,) = (line for line in status.lines(told) if line.startswith("storage"))
    assert line.endswith(end)
