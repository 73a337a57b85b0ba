import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import ignored_signals

SIGNALS = [signal.SIGINT, signal.SIGHUP]


@pytest.fixture(params=SIGNALS, ids=lambda number: number.name)
def ignored(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    number: signal.Signals = request.param
    before = signal.signal(number, signal.SIG_IGN)
    yield number
    signal.signal(number, before)


def test_programs_heed_what_was_ignored_here(ignored: signal.Signals) -> None:
    ignored_signals.keep_from_programs()
    signal.raise_signal(ignored)
    raising = f"import signal; signal.raise_signal({ignored:d})"
    done = subprocess.run([sys.executable, "-c", raising], check=False, stderr=subprocess.DEVNULL)
    assert done.returncode == -ignored


def test_what_was_not_ignored_stays_as_it_is() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    assert signal.SIG_IGN not in before
    ignored_signals.keep_from_programs()
    assert [signal.getsignal(number) for number in SIGNALS] == before
