"""The set-up of an empty gateway: a one-time link by which its owner makes the first org.

The link lives in memory alone, from a start until there is an org. Each start makes another one.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

from phonegate.domain.caller import Caller
from phonegate.domain.credential_check import Checks
from phonegate.domain.credentials import PUBLISHED_SECRETS
from phonegate.domain.orgs import Orgs
from phonegate.domain.throttle import Throttle
from phonegate.model.orgs import Org
from phonegate.model.refusals import BadInput, Conflict, FieldProblem, NotFound, Throttled

PATH: Final = "/console/set-up"
"""Where the link leads. Its token follows."""

_TOKEN_BYTES: Final = 16
"""128 bits can't be guessed, and make a link that fits a line of a terminal."""

_GUESSERS: Final = 1_024
"""Addresses whose wrong links are remembered. Beside the throttle this bounds the memory."""

_UNKNOWN: Final = (
    "This set-up link is not the one of this start of the gateway: each start prints another. "
    "On its machine, `phonegate setup` shows the one that works now."
)
_DONE: Final = (
    "This gateway is set up already: there is an org, so the link has ended. Sign in with the org "
    "and its secret. If you did not set it up, `phonegate org list` on its machine shows who has."
)


class SetUp:
    """The set-up link of this start.

    Args:
        orgs: Makes the org.
        checks: Knows whether there is one.
        now_ms: The clock, ms.
    """

    def __init__(self, orgs: Orgs, checks: Checks, *, now_ms: Callable[[], int]) -> None:
        self._orgs = orgs
        self._checks = checks
        self._now_ms = now_ms
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._throttle = Throttle(memory=_GUESSERS)

    @property
    def is_open(self) -> bool:
        """Whether there is no org yet, so that the link works."""
        return not self._checks.has_orgs

    @property
    def path(self) -> str | None:
        """The path of the link. None where there is none, since the gateway is set up."""
        return f"{PATH}/{self._token}" if self.is_open else None

    def admit(self, token: str, caller: Caller) -> None:
        """Lets a caller in who has the link.

        Raises:
            Throttled: The caller's address has tried too many wrong links.
            NotFound: It is another link.
            Conflict: The gateway is set up already.
        """
        wait = self._throttle.wait_ms(caller.address, "", self._now_ms())
        if wait:
            raise Throttled("Too many wrong set-up links; wait, then try again.", -(-wait // 1000))
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            self._throttle.failed(caller.address, "", self._now_ms())
            raise NotFound(_UNKNOWN)
        if not self.is_open:
            raise Conflict(_DONE)

    async def make_org(
        self, token: str, caller: Caller, name: str, secret: str | None = None
    ) -> tuple[Org, str]:
        """Makes the first org. Of two callers who try at once, one does.

        Returns:
            The org, and its secret: a new one where none was given.

        Raises:
            BadInput: The name or the secret has a wrong form.
            Refused: As `admit`.
        """
        self.admit(token, caller)
        if secret in PUBLISHED_SECRETS:
            problem = "stands in the documents, for all to know: choose another"
            raise BadInput(f"secret_key {problem}.", [FieldProblem("secret_key", problem)])
        return await self._orgs.add(name, secret, unless_any=_DONE)
