"""What the gateway asks of the system before it serves."""

import resource

import pytest

from phonegate import process
from tests.captured_logs import capture_logs


@pytest.mark.parametrize(
    ("hard", "wanted", "told"),
    [
        (resource.RLIM_INFINITY, 20_000, False),
        (1_048_576, 20_000, False),
        (20_000, 20_000, False),
        (4_096, 20_000, False),
        (1_024, 20_000, True),
        (1_024, 100, False),
        (64, 100, True),
    ],
)
def test_too_few_descriptors_are_a_line_only_where_it_matters(
    monkeypatch: pytest.MonkeyPatch, hard: int, wanted: int, *, told: bool
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))
    chosen: list[int] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: chosen.append(limits[0]))
    with capture_logs() as lines:
        process._allow_descriptors(wanted)
    assert [line["event"] for line in lines] == ["few_descriptors"] * told
    wanted += process.SPARE_DESCRIPTORS
    expected = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    assert chosen == [expected] * (expected > 64)
