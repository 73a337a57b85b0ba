"""Short form of `bench.webhooks`."""

from pathlib import Path

import uvloop

from bench import webhooks


def test_a_webhook_is_timed_beside_dead_ones(tmp_path: Path) -> None:
    lines = uvloop.run(webhooks.measure(tmp_path, 0.3, ("one", "refusing"), settle_s=0.5))
    one, refusing = (line.split("|") for line in lines[2:])
    assert "/" in one[3]
    assert "/" in refusing[3]
