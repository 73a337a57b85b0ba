"""Orgs: made, given another secret and removed, by their owner or by a first call."""

from collections.abc import Callable
from typing import Final, get_args

from phonegate import log
from phonegate.domain.authentication import Authentication
from phonegate.domain.credentials import PUBLISHED_SECRETS, make_secret, require_forms
from phonegate.domain.registration import Mode, Registration
from phonegate.model.orgs import Org
from phonegate.model.refusals import Conflict, NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables

_REGISTRATION: Final = "registration"
"""The name under which the owner's choice is kept."""

_log = log.get("accounts")


class Orgs:
    """Makes and ends orgs, and says who may make one by a first call."""

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        *,
        registration: Registration,
        now_ms: Callable[[], int],
    ) -> None:
        self.registration: Final = registration
        self._database = database
        self._authentication = authentication
        self._checks = authentication.checks
        self._now_ms = now_ms

    async def all(self) -> list[Org]:
        """Lists every org."""
        return await self._database.read(lambda tx: tx.orgs.all())

    async def find(self, org: int) -> Org | None:
        """Finds the org of this id."""
        return await self._database.read(lambda tx: tx.orgs.by_id(org))

    async def named(self, name: str) -> Org:
        """Returns the org of this name.

        Raises:
            NotFound: There is none.
        """
        return await self._database.read(lambda tx: org_named(tx, name))

    async def changeable(self, name: str) -> Org:
        """Returns the org of this name, of which something is about to be changed.

        Raises:
            NotFound: There is none.
            Conflict: It is suspended.
        """
        return await self._database.read(lambda tx: _changeable(tx, name))

    async def with_published_secrets(self) -> list[str]:
        """Returns the names of the orgs whose secret stands in the documents."""
        return list(await self._database.read(lambda tx: tx.orgs.published()))

    async def add(
        self, name: str, secret: str | None = None, *, unless_any: str | None = None
    ) -> tuple[Org, str]:
        """Creates an org, whatever `registration` says.

        Args:
            name: Its OrgId.
            secret: Its SecretKey. Without one it is generated.
            unless_any: Why there may be no other org yet, as a sentence. None: there may be.

        Returns:
            The org, and its secret.

        Raises:
            BadInput: The name or the secret has a wrong form.
            Conflict: There is an org of this name, or any where there may be none.
        """
        secret = make_secret() if secret is None else secret
        require_forms(name, secret)
        stored = await self._checks.hash(secret)
        now = self._now_ms()

        def add(tx: Tables) -> Org:
            if unless_any is not None and tx.orgs.exist():
                raise Conflict(unless_any)
            if tx.orgs.get(name) is not None:
                raise Conflict(f"There is an org named {name} already.")
            org = tx.orgs.add(name, stored, now)
            if secret in PUBLISHED_SECRETS:
                tx.orgs.publish(org.id)
            return org

        org = await self._database.write(add)
        self._checks.made()
        _log.info("org_added", org=org.name, by="owner")
        return org, secret

    async def rotate(self, name: str, secret: str | None = None) -> tuple[Org, str]:
        """Gives an org another secret. The old one ends at once. The org's API keys go on.

        Returns:
            The org, and its secret: a new one where none was given.

        Raises:
            BadInput: The secret has a wrong form.
            NotFound: There is no such org.
            Conflict: It is suspended.
        """
        secret = make_secret() if secret is None else secret
        require_forms(name, secret)
        stored = await self._checks.hash(secret)

        def rotate(tx: Tables) -> Org:
            org = _changeable(tx, name)
            tx.orgs.rotate(name, stored)
            tx.sessions.end_of_secret(org.id)
            tx.dialect_tokens.end_of_secret(org.id)
            if secret in PUBLISHED_SECRETS:
                tx.orgs.publish(org.id)
            # From now on it is the owner's, also if a first call has made it.
            tx.storage_quota.forget(org.id)
            return org

        org = await self._authentication.change(rotate)
        self._authentication.changed(org.id)
        _log.info("org_rotated", org=org.name)
        return org, secret

    async def remove(self, name: str) -> None:
        """Removes an org with its keys, phones and messages.

        A first call with its old secret does not make it again: the name is kept for the owner.

        Raises:
            NotFound: There is no such org.
        """

        def remove(tx: Tables) -> Org:
            org = org_named(tx, name)
            tx.sessions.end_of_org(org.id)
            tx.dialect_tokens.end_of_org(org.id)
            tx.orgs.remove(name)
            return org

        org = await self._authentication.change(remove)
        self._authentication.changed(org.id)
        self._checks.removed(name)
        _log.info("org_removed", org=name)

    async def read_registration(self) -> Registration:
        """Reads the rule about new orgs, with what the owner chose last."""
        chosen = await self._database.read(lambda tx: tx.registrations.choice(_REGISTRATION))
        self.registration.chosen = next((one for one in get_args(Mode) if one == chosen), None)
        return self.registration

    async def choose_registration(self, mode: Mode) -> None:
        """Sets another rule about new orgs, for now and after a restart.

        Raises:
            Conflict: The configuration sets the rule.
        """
        rule = self.registration
        if rule.forced is not None:
            raise Conflict(
                f'registration = "{rule.forced}" is set by {rule.forced_by}, which wins over this '
                "command: change it there and restart, or take it out to use this command."
            )
        await self._authentication.change(lambda tx: tx.registrations.choose(_REGISTRATION, mode))
        rule.chosen = mode
        self._checks.admit_more()
        _log.info("registration_changed", mode=mode)


def org_named(tx: Tables, name: str) -> Org:
    """Returns the org of this name.

    Raises:
        NotFound: There is none.
    """
    org = tx.orgs.get(name)
    if org is None:
        raise NotFound(f"There is no org named {name}. `phonegate org list` shows those there are.")
    return org


def _changeable(tx: Tables, name: str) -> Org:
    org = org_named(tx, name)
    if org.suspended_at is not None:
        raise Conflict(
            f"{name} is suspended, and what is changed now may be missing in the file by which it "
            f"moves. Change it where it is served, or first: phonegate org resume {name}"
        )
    return org
