"""Short form of `trials.phone_kills`."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from kit.ledger import BrokenPromise
from trials import phone_kills
from trials.killed_phones import PHONES


def test_kill_9_of_gateway_and_phone_breaks_no_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = phone_kills.PhoneTrial(
        folder=tmp_path, seed=7, rounds=2, seconds=0.5, make=PHONES["simulate"]
    )
    asyncio.run(trial.run())
    assert "1 kills of the gateway and 1 of the phone" in capsys.readouterr().out


ROWS = {
    1: {"body": "a", "direction": "out", "status": "sent"},
    2: {"body": "b", "direction": "out", "status": "uncertain"},
    3: {"body": "c", "direction": "out", "status": "failed"},
    4: {"body": "mail", "direction": "in", "status": "received"},
}


@pytest.mark.parametrize(
    ("on_air", "arrived", "kills", "complaint"),
    [
        ("aa", ["mail"], 1, "more than once"),
        ("b", ["mail"], 1, "not over the air"),
        ("ac", ["mail"], 1, "said not to be"),
        ("ad", ["mail"], 1, "never asked for"),
        ("a", ["mail"], 0, "in doubt"),
        ("a", ["mail", "mail"], 1, "not stored"),
        ("a", [], 1, "more often"),
    ],
)
def test_each_broken_promise_is_seen(
    on_air: str, arrived: list[str], kills: int, complaint: str
) -> None:
    ledger = phone_kills.PhoneLedger(rows=ROWS, phone_kills=kills)
    with pytest.raises(BrokenPromise, match=complaint):
        ledger.compare(Counter(on_air), Counter(arrived))


def test_kept_promises_are_a_line() -> None:
    ledger = phone_kills.PhoneLedger(rows=ROWS, phone_kills=1)
    assert "1 uncertain" in ledger.compare(Counter("ab"), Counter(["mail"]))
