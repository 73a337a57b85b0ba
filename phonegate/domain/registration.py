"""The rule of which callers may make an org by a first call. Pure."""

from typing import Final, Literal, Self, get_args

import attrs

from phonegate.config.settings import Settings

Mode = Literal["local", "open", "closed"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)

DEFAULT: Final[Mode] = "local"
"""Phones and apps in the gateway's own networks may make orgs. The rest of the internet may not."""


@attrs.define(kw_only=True)
class Registration:
    """The rule that holds now, and where it comes from."""

    forced: Mode | None = None
    """The mode that the configuration sets, which nothing else can change."""
    forced_by: str = "the configuration"
    chosen: Mode | None = None
    """The mode that the owner chose by command."""

    @classmethod
    def configured(cls, settings: Settings) -> Self:
        """Returns the rule as far as the configuration sets it."""
        source = settings.sources.get("orgs.registration")
        if source is None:
            return cls()
        return cls(forced=settings.orgs.registration, forced_by=source)

    @property
    def mode(self) -> Mode:
        """The mode that holds."""
        return self.forced or self.chosen or DEFAULT

    @property
    def source(self) -> str:
        """Where the mode comes from, as a phrase for the owner."""
        if self.forced is not None:
            return self.forced_by
        return "the default" if self.chosen is None else "phonegate registration"

    def admits(self, *, local: bool) -> bool:
        """Tells whether a caller, in the gateway's own networks or not, may make an org."""
        return self.mode == "open" or (self.mode == "local" and local)
