"""The page of metrics, made from what a gateway exposes."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import Metric

from phonegate.histogram import Histogram
from phonegate.operations.exposition import families
from tests.documents.markdown import code, table
from tests.documents.reference.beginning import beginning
from tests.operations.conftest import make

_PROCESS: Final = """\
On Linux there are also the usual `process_…` of Prometheus: memory, descriptors, processor time and
start.
"""

_EMPTY: Final = make(version="", requests={}, dialects={}, carriers={})
"""A gateway of which nothing has been asked: its labels have the values that are always there."""

_SECONDS: Final = {("POST", "/send/{org}"): Histogram((1.0,))}


def page() -> str:
    """Returns the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield beginning("metrics")
    known = {one.name: one for one in families(_EMPTY)}
    found = sorted(families(make(seconds=_SECONDS)), key=lambda family: family.name)
    yield from table(
        ("metric", "type", "meaning"),
        (
            (code(_name(one)), one.type, f"{one.documentation} {_labels(one, known[one.name])}")
            for one in found
        ),
    )
    yield _PROCESS


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(family: Metric, empty: Metric) -> str:
    """Says which labels there are, and the values of those that have the same in every gateway."""
    always = _values(empty)
    found = ((label, ", ".join(map(code, always.get(label, ())))) for label in _values(family))
    parts = [f"`{label}` ({values})" if values else code(label) for label, values in found]
    return f"Labels: {', '.join(parts)}." if parts else ""


def _values(family: Metric) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for sample in family.samples:
        for label, value in sample.labels.items():
            if label != "le":
                values.setdefault(label, [])
                values[label] += [value] if value and value not in values[label] else []
    return values
