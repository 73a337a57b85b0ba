"""Lists of addresses: each pattern is an address as written, or the beginning of some and a `*`."""

from collections.abc import Sequence

END = "\U0010ffff"
"""Sorts behind every character that an address may hold."""


def fits(patterns: Sequence[str], address: str) -> bool:
    """Tells whether an address fits one of the patterns. Any does where there are none."""
    return not patterns or any(
        address.startswith(pattern[:-1]) if pattern.endswith("*") else address == pattern
        for pattern in patterns
    )


def condition(column: str, count: int) -> str:
    """Returns the SQL for it, of so many patterns, which are its parameters `seen0` and on.

    GLOB reads them as they are: they hold none of its special characters but a `*` at the end.
    """
    return f"({' OR '.join(f'{column} GLOB :seen{at}' for at in range(count))})"
