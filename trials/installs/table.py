"""The table that the trial prints, in Markdown."""

from collections.abc import Iterable

from trials.installs.way import Measured

HEAD = (
    "| Way | Debian's packages, s | Install, s | First message, s | All, s "
    "| Downloaded, MB | On disk, MB | Memory, MB |"
)


def table(rows: Iterable[Measured]) -> str:
    """A line for each way."""
    return "\n".join([HEAD, "|---|" + "--:|" * 7, *map(_line, rows)])


def _line(row: Measured) -> str:
    whole = row.debian_s + row.install_s + row.demo_s
    seconds = (row.debian_s, row.install_s, row.demo_s, whole)
    sizes = (row.downloaded_mb, row.disk_mb, row.memory_mb)
    cells = [*(f"{value:.1f}" for value in seconds), *(f"{value:.0f}" for value in sizes)]
    return f"| {row.title} | " + " | ".join(cells) + " |"
