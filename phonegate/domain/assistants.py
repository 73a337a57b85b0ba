"""Assistants of an org: which sender numbers it has at which carrier, and with which account.

Some are made over the API or by command. Others are declared in the configuration file, and only
a change of the file changes those. Credentials are checked by a function that the gateway passes
in, because only a carrier's own code knows their form.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import attrs
import trio

from phonegate.config.settings import AssistantSettings
from phonegate.domain.assistant_form import (
    CheckCredentials,
    UnusableCredentials,
    kept_credentials,
    refusal,
)
from phonegate.domain.assistant_sync import make_token, require_usable, sync_declared
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.assistants import PHONE, Assistant
from phonegate.model.facts import AssistantChanged, Publish, unheard
from phonegate.model.refusals import (
    Conflict,
    FieldProblem,
    NotFound,
    OrgFull,
)
from phonegate.model.storage_errors import NumberTaken, StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables

CHANGE_DEADLINE_S: Final = 10.0
"""How long a change goes on after its client has left."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Change:
    """What to change of an assistant. None leaves a thing as it is."""

    name: str | None = None
    provider: str | None = None
    phone_numbers: Sequence[str] | None = None
    credentials: Mapping[str, object] | None = attrs.field(default=None, repr=False)
    """Only those that are named change. None takes an optional one away."""


class Assistants:
    """Makes, shows, changes and removes assistants.

    It publishes `AssistantChanged` after one was changed or removed: a client that was opened with
    its old credentials must not be used again.
    """

    def __init__(
        self,
        database: Database,
        *,
        check: CheckCredentials,
        unusable: UnusableCredentials,
        now_ms: Callable[[], int],
        public_url: str = "",
        rate_limits: RateLimits,
        publish: Publish = unheard,
        change_deadline_s: float = CHANGE_DEADLINE_S,
    ) -> None:
        self._publish = publish
        self._change_deadline_s = change_deadline_s
        self._database = database
        self._check = check
        self._unusable = unusable
        self._rate_limits = rate_limits
        self._now_ms = now_ms
        self._public_url = public_url.rstrip("/")

    def callback_url(self, assistant: Assistant) -> str | None:
        """Makes the address that the carrier of an assistant reports to.

        It holds the assistant's token, so that only its owner and its carrier may see it, and no
        log. None where there is no carrier, or it can't reach this gateway.
        """
        if not self._public_url or assistant.provider == PHONE:
            return None
        path = f"{assistant.provider}/{assistant.id}/{assistant.token}"
        return f"{self._public_url}/callbacks/{path}"

    async def of_org(self, org: int) -> list[Assistant]:
        """Lists the assistants of an org, oldest first."""
        return await self.show(org, list)

    async def show(self, org: int, show: Callable[[Sequence[Assistant]], T]) -> T:
        """Returns what `show` makes of the assistants of an org, oldest first.

        It runs in the thread that reads them: there may be hundreds.
        """
        return await self._database.read(lambda tx: show(tx.assistants.of_org(org)))

    async def find(self, id: int) -> Assistant | None:  # noqa: A002 - the record's own name
        """Finds the assistant of this id, whichever org it belongs to."""
        return await self._database.read(lambda tx: tx.assistants.get(id))

    async def get(self, org: int, id: int) -> Assistant:  # noqa: A002 - the record's own name
        """Gets an assistant.

        Raises:
            NotFound: The org has no such assistant.
        """
        return await self._database.read(lambda tx: _found(tx, org, id))

    async def by_number(self, org: int, number: str) -> Assistant | None:
        """Finds the assistant of the org that has a sender number."""
        return await self._database.read(lambda tx: tx.assistants.by_number(org, number))

    async def add(
        self,
        org: int,
        *,
        name: str,
        provider: str,
        phone_numbers: Sequence[str],
        credentials: Mapping[str, object],
    ) -> Assistant:
        """Makes an assistant.

        Raises:
            BadInput: Fields are wrong. All are named, and no credential's value is.
            Conflict: One of the numbers is another assistant's.
            NotFound: There is no such org any more.
            OrgFull: The org has as many assistants as it may.
        """
        kept = self._kept(name, provider, phone_numbers, credentials)
        token, now = make_token(), self._now_ms()

        def op(tx: Tables) -> Assistant:
            if tx.orgs.by_id(org) is None:
                raise NotFound("There is no such org any more.")
            most = self._rate_limits.bounds.org_assistants
            if most and tx.assistants.count_of_org(org) >= most:
                self._rate_limits.note("org_assistants")
                raise OrgFull(most, "assistants")
            made = tx.assistants.add(
                org,
                name=name,
                provider=provider,
                phone_numbers=phone_numbers,
                credentials=kept,
                token=token,
                from_file=False,
                now=now,
            )
            return _found(tx, org, made)

        return await self._write(op)

    async def change(self, org: int, id: int, change: Change) -> Assistant:  # noqa: A002 - as get
        """Changes an assistant. A message that is on its way goes on with the new credentials.

        The provider can't be changed: messages on their way could be found at no other carrier.

        Raises:
            BadInput: Fields are wrong. All are named, and no credential's value is.
            Conflict: One of the numbers is another assistant's, or the file declares this one.
            NotFound: The org has no such assistant.
        """

        def op(tx: Tables) -> Assistant:
            old = _found(tx, org, id)
            _require_own(old)
            if change.provider not in (None, old.provider):
                raise refusal(
                    [FieldProblem("provider", "can't be changed; add another assistant instead")]
                )
            name = old.name if change.name is None else change.name
            numbers = old.phone_numbers if change.phone_numbers is None else change.phone_numbers
            merged: Mapping[str, object] = {**old.credentials, **(change.credentials or {})}
            tx.assistants.change(
                old,
                name=name,
                provider=old.provider,
                phone_numbers=numbers,
                credentials=self._kept(name, old.provider, numbers, merged),
                from_file=False,
            )
            return _found(tx, org, id)

        return await self._write(op, id)

    async def remove(self, org: int, id: int) -> None:  # noqa: A002 - as get
        """Removes an assistant. Its messages stay.

        Raises:
            Conflict: The file declares it.
            NotFound: The org has no such assistant.
        """

        def op(tx: Tables) -> None:
            _require_own(_found(tx, org, id))
            tx.assistants.remove(org, id)

        await self._write(op, id)

    def ended(self, assistants: Sequence[Assistant]) -> None:
        """Publishes that assistants have ended with their org."""
        for one in assistants:
            self._changed(one.id)

    async def every(self) -> list[Assistant]:
        """Lists the assistants of all orgs."""
        return await self._database.read(
            lambda tx: [one for org in tx.orgs.all() for one in tx.assistants.of_org(org.id)]
        )

    async def sync(self, declared: Sequence[AssistantSettings]) -> None:
        """Makes the assistants of the configuration file what it says now: all or nothing.

        Raises:
            BadInput: An org is missing, a number is taken, something is wrong in itself, or the
                credentials of a stored assistant can't be used on this machine.
        """
        now = self._now_ms()

        def op(tx: Tables) -> list[int]:
            return sync_declared(tx, declared, self._check, now)

        for id_ in await self._write(op):
            self._changed(id_)
        require_usable(await self.every(), self._unusable)

    def _kept(
        self,
        name: str,
        provider: str,
        phone_numbers: Sequence[str],
        credentials: Mapping[str, object],
    ) -> dict[str, str]:
        return kept_credentials(
            self._check,
            name=name,
            provider=provider,
            phone_numbers=phone_numbers,
            credentials=credentials,
        )

    async def _write(self, op: Callable[[Tables], T], id: int | None = None) -> T:  # noqa: A002 - as get
        """Writes a change, and publishes it for `id` even if the client has left."""
        try:
            with trio.fail_after(self._change_deadline_s, shield=True):
                done = await self._database.write(op)
        except NumberTaken as error:
            raise Conflict(f"{error.number} belongs to another assistant of this org.") from None
        except trio.TooSlowError:
            # It may still be written after this.
            self._changed(id)
            raise StorageUnavailable("the change was not confirmed in time") from None
        self._changed(id)
        return done

    def _changed(self, id: int | None) -> None:  # noqa: A002 - as get
        if id is not None:
            self._publish((AssistantChanged(id),))


def _found(tx: Tables, org: int, id: int) -> Assistant:  # noqa: A002 - as Assistants.get
    assistant = tx.assistants.get(id)
    if assistant is None or assistant.org != org:
        raise NotFound("No such assistant in this org.")
    return assistant


def _require_own(assistant: Assistant) -> None:
    if assistant.from_file:
        raise Conflict(
            f"The assistant {assistant.name} is declared under [[assistants]] in the gateway's "
            "configuration file; change it there and restart the gateway."
        )
