"""Webhooks of an org: made, shown, changed, enabled and removed."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeVar

import attrs

from phonegate import log
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.webhook_form import (
    Change,
    NewWebhook,
    changed_columns,
    new_secret,
    require_form,
)
from phonegate.model.callbacks import Method
from phonegate.model.principal import Principal, allows
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    FieldProblem,
    Forbidden,
    NotFound,
    OrgFull,
)
from phonegate.model.webhooks import Webhook
from phonegate.store.database import Database
from phonegate.store.tables import Tables

ROTATION_MS: Final = 24 * 3_600 * 1000
"""For how long the secret before signs too, so that a receiver can be given the new one."""

CheckUrl = Callable[[str], None]
"""Takes a URL. It raises `BadInput` or `AddressRefused` for one that the gateway won't call."""

_log = log.get("webhooks")

HASTENED_AT_ONCE: Final = 200
"""Deliveries that one write has tried at once: some 2 ms of the writer's time."""

T = TypeVar("T")


@attrs.frozen
class Standing:
    """A webhook, and how many events wait for it."""

    webhook: Webhook
    waiting: int

    @classmethod
    def of(cls, tx: Tables, webhook: Webhook) -> Self:
        """Returns how a webhook stands."""
        return cls(webhook, tx.deliveries.waiting(webhook.id))


class Webhooks:
    """Makes, shows, changes and removes webhooks."""

    def __init__(
        self,
        database: Database,
        *,
        check_url: CheckUrl,
        now_ms: Callable[[], int],
        rate_limits: RateLimits,
    ) -> None:
        self._database = database
        self._check_url = check_url
        self._now_ms = now_ms
        self._rate_limits = rate_limits

    async def add(
        self,
        caller: Principal,
        new: NewWebhook,
        *,
        signing_state: bytes | None = None,
        method: Method = "POST",
    ) -> Standing:
        """Makes a webhook, which gets what happens from now on.

        Args:
            caller: Who makes it.
            new: What it is.
            signing_state: What signs, of shape `twilio`, in place of a secret: a state of
                `http/hmac_state.py`. None makes a secret.
            method: How it is called. GET is of shape `twilio` alone.

        Raises:
            BadInput: Fields are wrong. All are named, and no header's value is.
            AddressRefused: The URL may not be called.
            Forbidden: The caller's API key may not read.
            NotFound: There is no such org any more.
            OrgFull: The org has as many webhooks as it may.
        """
        _require_reader(caller)
        self._check_url(new.url)
        headers = tuple(new.headers.items())
        require_form(
            name=new.name,
            headers=headers,
            events=new.events,
            address=new.address,
            sim=new.sim,
            shape=new.shape,
            method=method,
            signing_state=signing_state,
        )
        secret = new_secret(new.shape) if signing_state is None else ""
        now = self._now_ms()

        def op(tx: Tables) -> Standing:
            if tx.orgs.by_id(caller.org) is None:
                raise NotFound("There is no such org any more.")
            if new.client_id and tx.webhooks.by_client_id(caller.org, new.client_id):
                raise Conflict("There is a webhook with this id already.")
            most = self._rate_limits.bounds.org_webhooks
            if most and tx.webhooks.count_of_org(caller.org) >= most:
                self._rate_limits.note("org_webhooks")
                raise OrgFull(most, "webhooks")
            _require_phone(tx, caller.org, new.phone)
            made = tx.webhooks.add(
                caller.org,
                url=new.url,
                events=tuple(dict.fromkeys(new.events)),
                address=new.address,
                sim=new.sim,
                phone=new.phone,
                headers=headers,
                shape=new.shape,
                method=method,
                name=new.name,
                secret=_secret_of(tx, caller.org, new.shape, secret),
                signing_state=signing_state,
                key=caller.key_id,
                created_at=now,
                client_id=new.client_id,
                client_event=new.client_event,
            )
            return Standing(made, 0)

        made = await self._database.write(op)
        _log.info("webhook_added", org=caller.org_name, webhook=made.webhook.id)
        return made

    def require_url(self, url: str) -> None:
        """Makes sure that a URL may be called, before anything is changed that comes with it.

        Raises:
            BadInput, AddressRefused: It may not.
        """
        self._check_url(url)

    async def put(self, caller: Principal, new: NewWebhook) -> Standing:
        """Makes a webhook, or changes the one with its client id to what the new one would be.

        Raises:
            Refused: As `add`.
        """
        client_id = new.client_id
        if client_id is None:
            return await self.add(caller, new)
        found = await self._database.read(
            lambda tx: tx.webhooks.by_client_id(caller.org, client_id)
        )
        if found is None:
            return await self.add(caller, new)
        changed = await self.change(
            caller,
            found.id,
            Change(url=new.url, events=new.events, phone=new.phone or 0),
            client_event=new.client_event,
        )
        return (
            changed if changed.webhook.disabled_at is None else await self.enable(caller, found.id)
        )

    async def remove_called(self, caller: Principal, client_id: str) -> bool:
        """Removes the webhook that a program calls so, with what waits for it.

        Returns:
            Whether there was one.
        """

        def op(tx: Tables) -> bool:
            found = tx.webhooks.by_client_id(caller.org, client_id)
            return found is not None and tx.webhooks.remove(caller.org, found.id)

        removed = await self._database.write(op)
        if removed:
            _log.info("webhook_removed", org=caller.org_name, client_id=client_id)
        return removed

    async def signing_key(self, org: int) -> str:
        """Returns what signs the calls of shape `smsgate` of an org. All have the same."""
        new = new_secret("smsgate")
        return await self._database.write(lambda tx: tx.webhooks.signing_key(org, new))

    async def change_signing_key(self, caller: Principal, key: str) -> None:
        """Has another key sign the calls of shape `smsgate` of an org, at once."""
        await self._database.write(lambda tx: tx.webhooks.change_signing_key(caller.org, key))
        _log.info("signing_key_changed", org=caller.org_name)

    async def of_org(self, org: int) -> list[Webhook]:
        """Lists the webhooks of an org, oldest first."""
        return await self._database.read(lambda tx: tx.webhooks.of_org(org))

    async def show(self, org: int, show: Callable[[Sequence[Standing]], T]) -> T:
        """Returns what `show` makes of the webhooks of an org, oldest first.

        It runs in the thread that reads them.
        """
        return await self._database.read(
            lambda tx: show([Standing.of(tx, one) for one in tx.webhooks.of_org(org)])
        )

    async def get(self, org: int, id: int) -> Standing:  # noqa: A002 - the record's own name
        """Gets a webhook.

        Raises:
            NotFound: The org has no such webhook.
        """
        return await self._database.read(lambda tx: Standing.of(tx, found_webhook(tx, org, id)))

    async def change(
        self,
        caller: Principal,
        id: int,  # noqa: A002 - the record's own name
        change: Change,
        *,
        signing_state: bytes | None = None,
        method: Method | None = None,
        client_event: str | None = None,
    ) -> Standing:
        """Changes a webhook. What waits for it goes to the new URL.

        One whose URL an API key changes is that key's from then on: it is bound by the limits of
        the key, and ends with it.

        Args:
            caller: Who changes it.
            id: Which.
            change: What its owner changes of it.
            signing_state: As of a new one. None leaves what signs as it is.
            method: As of a new one. None leaves it as it is.
            client_event: What it is for in the words of its shape. None leaves it as it is.

        Raises:
            BadInput: Fields are wrong. All are named, and no header's value is.
            AddressRefused: The URL may not be called.
            Forbidden: The caller's API key may not read.
            NotFound: The org has no such webhook.
            Conflict: It is for status callbacks.
        """
        _require_reader(caller)
        if change.url is not None:
            self._check_url(change.url)

        def op(tx: Tables) -> Standing:
            old = own_webhook(tx, caller.org, id)
            columns = changed_columns(old, change, signing_state=signing_state, method=method)
            if change.phone:
                _require_phone(tx, caller.org, change.phone)
            if change.url not in (None, old.url) and caller.key_id is not None:
                columns["key"] = caller.key_id
            if client_event is not None:
                columns["client_event"] = client_event
            if columns.get("shape", old.shape) != old.shape:
                columns["secret"] = _secret_of(tx, caller.org, columns["shape"], old.secret)
                columns["client_event"] = None
            if columns:
                tx.webhooks.set(id, **columns)
            return Standing.of(tx, found_webhook(tx, caller.org, id))

        changed = await self._database.write(op)
        _log.info("webhook_changed", org=caller.org_name, webhook=id)
        return changed

    async def remove(self, caller: Principal, id: int) -> None:  # noqa: A002
        """Removes a webhook, with what waits for it.

        Raises:
            NotFound: The org has no such webhook.
        """

        def op(tx: Tables) -> None:
            if not tx.webhooks.remove(caller.org, id):
                raise _unknown()

        await self._database.write(op)
        _log.info("webhook_removed", org=caller.org_name, webhook=id)

    async def rotate(self, caller: Principal, id: int) -> Standing:  # noqa: A002
        """Gives a webhook another secret. For a day the one before signs too.

        Those of shape `smsgate` have one secret in common, and one signature: all get the new one.
        One that something else has signed has a secret from then on.

        Raises:
            NotFound: The org has no such webhook.
            Conflict: It is for status callbacks.
        """
        now = self._now_ms()

        def op(tx: Tables) -> Standing:
            old = own_webhook(tx, caller.org, id)
            if old.shape == "smsgate":
                tx.webhooks.change_signing_key(caller.org, new_secret(old.shape))
                return Standing.of(tx, found_webhook(tx, caller.org, id))
            tx.webhooks.set(
                id,
                secret=new_secret(old.shape),
                old_secret=old.secret or None,
                old_secret_until=now + ROTATION_MS if old.secret else None,
                signing_state=None,
            )
            return Standing.of(tx, found_webhook(tx, caller.org, id))

        rotated = await self._database.write(op)
        _log.info("webhook_rotated", org=caller.org_name, webhook=id)
        return rotated

    async def enable(self, caller: Principal, id: int) -> Standing:  # noqa: A002
        """Has a webhook called again, at once with what waits for it.

        One whose API key is gone is the caller's from then on.

        Raises:
            Forbidden: The caller's API key may not read.
            NotFound: The org has no such webhook.
        """
        _require_reader(caller)
        # Before it is called again: who is called finds all of it due.
        await self._hasten(caller.org, id, self._now_ms())

        def op(tx: Tables) -> Standing:
            old = found_webhook(tx, caller.org, id)
            columns: dict[str, Any] = dict.fromkeys(
                ("failing_since", "disabled_at", "disabled_reason")
            )
            if old.key is not None and not tx.keys.exists(old.key):
                columns["key"] = caller.key_id
            tx.webhooks.set(id, **columns)
            return Standing.of(tx, found_webhook(tx, caller.org, id))

        enabled = await self._database.write(op)
        _log.info("webhook_enabled", org=caller.org_name, webhook=id)
        return enabled

    async def _hasten(self, org: int, id: int, now: int) -> None:  # noqa: A002
        """Has what waits for a webhook tried at once, in steps that hold up no other writer."""
        after: int | None = 0

        def op(tx: Tables) -> int | None:
            webhook, beyond = found_webhook(tx, org, id).id, after or 0
            return tx.deliveries.hasten(webhook, now, after=beyond, limit=HASTENED_AT_ONCE)

        while after is not None:
            after = await self._database.write(op)


def _secret_of(tx: Tables, org: int, shape: str, own: str) -> str:
    """Returns what signs the calls of a webhook: its own secret, or that of all of its shape."""
    return tx.webhooks.signing_key(org, new_secret("smsgate")) if shape == "smsgate" else own


def _require_reader(caller: Principal) -> None:
    """Refuses an API key that may not read: by a webhook it would."""
    if not allows(caller.scopes, "read"):
        raise Forbidden("Your key lacks read, so it can't have events delivered.")


def _require_phone(tx: Tables, org: int, phone: int | None) -> None:
    if phone is None:
        return
    found = tx.phones.get(phone)
    if found is None or found.org != org:
        problem = "is none of this org's phones"
        raise BadInput(f"phone {problem}.", [FieldProblem("phone", problem)])


def found_webhook(tx: Tables, org: int, id: int) -> Webhook:  # noqa: A002 - the record's own name
    """Returns a webhook of an org.

    Raises:
        NotFound: The org has no such webhook.
    """
    found = tx.webhooks.get(org, id)
    if found is None:
        raise _unknown()
    return found


def own_webhook(tx: Tables, org: int, id: int) -> Webhook:  # noqa: A002 - the record's own name
    """Returns a webhook that its org has made.

    Raises:
        NotFound: The org has no such webhook.
        Conflict: It is for status callbacks.
    """
    found = found_webhook(tx, org, id)
    if found.is_for_callbacks:
        raise Conflict(
            "This webhook brings messages' status callbacks to their URLs, and is made from them: "
            "it can be enabled and removed, and its deliveries read and made again."
        )
    return found


def _unknown() -> NotFound:
    return NotFound("No such webhook in this org.")
