import hashlib
import json
import stat
from pathlib import Path

import pytest

from phonegate.phone.errors import RadioLogUnusable
from phonegate.phone.radios.radio import Transmission
from phonegate.phone.radios.simulated import (
    RadioLog,
    RadioMemory,
    segments,
)

SMS = Transmission(phone="p", id=1, to="+1555", body="héllo", sim="+1", time=5)


def test_the_log_has_one_line_for_each_sms_and_no_body(tmp_path: Path) -> None:
    logs = [RadioLog(tmp_path / "r"), RadioLog(tmp_path / "r")]
    for log in logs:
        log.transmit(SMS)
        log.close()
    lines = (tmp_path / "r").read_text().splitlines()
    assert [json.loads(line) for line in lines] == 2 * [
        {
            "id": 1,
            "to": "+1555",
            "sha256": hashlib.sha256("héllo".encode()).hexdigest(),
            "sim": "+1",
            "time": 5,
            "phone": "p",
        }
    ]
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(RadioLogUnusable, match="directory"):
        RadioLog(tmp_path)
    full = RadioLog(Path("/dev/full"))
    with pytest.raises(RadioLogUnusable, match="space"):
        full.transmit(SMS)
    full.close()


def test_memory_keeps_what_was_sent_and_shows_no_text() -> None:
    radio = RadioMemory()
    radio.transmit(SMS)
    assert radio.sent == [SMS]
    assert "héllo" not in repr(radio.sent)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("{" * 80, 1),
        ("{" * 81, 2),
        ("é" * 70, 1),
        ("é" * 71, 2),
        ("`" * 71, 2),
        ("\N{GRINNING FACE}" * 35, 1),
        ("\N{GRINNING FACE}" * 36, 2),
        ("\ud800", 1),
    ],
)
def test_segments(body: str, count: int) -> None:
    assert segments(body) == count
