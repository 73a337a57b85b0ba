"""One way of being a phone, which an option chooses."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import click

from phonegate.cli.phone.connection import Connection


@attrs.frozen(kw_only=True)
class Way:
    """One way of being a phone, with the options that only it takes."""

    choice: click.Option
    """The option that chooses this way."""
    options: tuple[click.Option, ...]
    job: Callable[[Connection, dict[str, Any]], Callable[[], Awaitable[None]]]
    """Makes the work of this way from the values of its options, by name.

    Raises:
        click.UsageError: The options make no sense together.
    """
    shares: frozenset[str] = frozenset()
    """The parameters that it takes as other ways do, such as `journal`."""

    @property
    def parameters(self) -> frozenset[str]:
        """The names of all parameters that belong to this way."""
        own = (self.choice, *self.options)
        return self.shares | {option.name for option in own if option.name is not None}
