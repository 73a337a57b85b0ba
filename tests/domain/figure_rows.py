"""Rows of figures, as if that much had happened."""

from zoneinfo import ZoneInfo

from phonegate.model.figures import COUNTED
from phonegate.store.tables import Tables

ZONE = ZoneInfo("UTC")


def add_figures(tx: Tables, org: int, hour: int, sender: str, **counts: int) -> None:
    """Adds a row for an hour and a SIM. `counts` are columns of the table."""
    assert set(counts) <= {*COUNTED, *(n for n in counts if n.startswith("to_"))}
    marks = ", ".join("?" * (3 + len(counts)))
    tx.figures._connection.execute(
        f"INSERT INTO figures (org, hour, sender, {', '.join(counts)}) VALUES ({marks})",
        (org, hour, sender, *counts.values()),
    )
