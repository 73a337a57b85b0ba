"""Every kind of abuse in its short form: no timing, only that what must hold does.

The long form, which also measures what honest users notice, is `python -m bench.abuse`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.abuse import trial
from bench.abuse.__main__ import verdict
from bench.abuse.attacks import KINDS
from bench.abuse.ground import Ground, Lacking
from bench.abuse.kind import StageName
from bench.abuse.stages import STAGES

SECONDS = 0.3
CALM_S = 0.25

Grounds = Callable[[StageName], Ground]

BY_STAGE = sorted(KINDS.values(), key=lambda kind: list(STAGES).index(kind.stage))


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """One gateway for each stage; skips, with the reason, what this machine lacks."""
    made: dict[StageName, Ground] = {}
    with ExitStack() as stack:

        def ground(stage: StageName) -> Ground:
            if stage not in made:
                folder = tmp_path_factory.mktemp(stage.replace(" ", "-"))
                try:
                    made[stage] = stack.enter_context(STAGES[stage](Path(folder)))
                except Lacking as lacking:
                    pytest.skip(str(lacking))
            return made[stage]

        yield ground


@pytest.mark.parametrize("name", [kind.name for kind in BY_STAGE])
async def test_the_gateway_bears(name: str, grounds: Grounds) -> None:
    kind = KINDS[name]
    try:
        report = await trial.run(
            kind, grounds(kind.stage), seconds=SECONDS, calm_s=CALM_S, timed=False
        )
    except Lacking as lacking:
        pytest.skip(str(lacking))
    assert report.faults == ()
    assert report.facts


@pytest.mark.parametrize("stage", STAGES)
def test_honest_users_lost_nothing_meanwhile(stage: StageName, grounds: Grounds) -> None:
    assert verdict(grounds(stage)) == []
