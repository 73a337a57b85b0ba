"""What the owner of a gateway does to it: orgs, API keys, assistants, backups.

The same commands run in a gateway that is serving, asked through its control socket, and on the
file of one that is stopped. Requests and answers are plain JSON data.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trio

from phonegate.api.convert import CONVERTER
from phonegate.api.limits_types import NewLimits, limits_json, limits_of
from phonegate.carriers.credentials import masked
from phonegate.carriers.registry import (
    PROVIDERS,
    alternatives,
    check_credentials,
    unsigned,
    unusable_credentials,
)
from phonegate.config.settings import Settings
from phonegate.domain.accounts import Accounts
from phonegate.domain.assistants import Assistants
from phonegate.domain.credentials import PUBLISHED_SECRETS, is_key_like
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import MODES, Registration
from phonegate.model.assistants import Assistant
from phonegate.model.bounds import MAX_COPIES, MAX_ID
from phonegate.model.orgs import KeyLimits, Org
from phonegate.model.principal import usable
from phonegate.model.refusals import BadInput, FieldProblem, NotFound
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import iso_seconds, now_ms
from phonegate.operations.control import Command, Report
from phonegate.store.database import Database

PROGRESS_S = 0.2
"""Between two reports of a backup's progress: as often as a person's eye follows a bar."""


class Administration:
    """The owner's commands over one open database."""

    def __init__(self, accounts: Accounts, assistants: Assistants, database: Database) -> None:
        self._accounts = accounts
        self._assistants = assistants
        self._database = database

    def commands(self) -> Mapping[str, Command]:
        """Every command by its name on the control socket."""
        return {
            "org_add": self.org_add,
            "org_list": self.org_list,
            "org_rotate": self.org_rotate,
            "org_remove": self.org_remove,
            "registration": self.registration,
            "key_add": self.key_add,
            "key_list": self.key_list,
            "key_limit": self.key_limit,
            "key_revoke": self.key_revoke,
            "assistant_add": self.assistant_add,
            "assistant_list": self.assistant_list,
            "assistant_show": self.assistant_show,
            "assistant_remove": self.assistant_remove,
            "assistant_unsigned": self.assistant_unsigned,
            "backup": self.backup,
        }

    async def org_add(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Adds an org; the answer holds its secret, which is kept nowhere in the clear."""
        org, secret = await self._accounts.orgs.add(
            _text(request, "org"), _text_or_none(request, "secret")
        )
        return {"org": org.name, "secret": secret, "published": secret in PUBLISHED_SECRETS}

    async def org_list(self, _: Mapping[str, Any], __: Report) -> Mapping[str, Any]:
        """Every org."""
        orgs = await self._accounts.orgs.all()
        return {"orgs": [{"org": o.name, "created_at": _moment(o.created_at)} for o in orgs]}

    async def org_rotate(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Gives an org another secret. The old one ends at once. Names the keys that go on."""
        org, secret = await self._accounts.orgs.rotate(
            _text(request, "org"), _text_or_none(request, "secret")
        )
        keys = await self._accounts.keys.of_org(org.id)
        return {
            "org": org.name,
            "secret": secret,
            "published": secret in PUBLISHED_SECRETS,
            "keys": [{"id": key.id, "name": key.name} for key in keys],
        }

    async def org_remove(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Removes an org with its phones, messages, keys and assistants."""
        org = await self._org(request)
        assistants = await self._assistants.of_org(org.id)
        await self._accounts.orgs.remove(org.name)
        self._assistants.ended(assistants)
        return {"org": org.name}

    async def registration(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Tells who may make an org by a first call, and changes it where `mode` is given."""
        mode = request.get("mode")
        if mode is not None:
            if mode not in MODES:
                known = ", ".join(MODES)
                raise BadInput(f"mode is not one of {known}.", [FieldProblem("mode", "unknown")])
            await self._accounts.orgs.choose_registration(mode)
        rule = await self._accounts.orgs.read_registration()
        published = await self._database.read(lambda tx: tx.orgs.published())
        return {"registration": rule.mode, "source": rule.source, "published_secrets": published}

    async def key_add(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Adds an API key; the answer holds it, and nothing else ever will."""
        org = await self._org(request)
        scopes = request.get("scopes") or None
        if not (scopes is None or isinstance(scopes, list)) or any(
            not isinstance(scope, str) for scope in scopes or ()
        ):
            raise BadInput("scopes is not a list of texts.", [FieldProblem("scopes", "no list")])
        limits = _limits(request.get("limits") or {})
        key, text = await self._accounts.keys.add(org.id, _text(request, "name"), scopes, limits)
        return {
            "id": key.id,
            "key": text,
            "name": key.name,
            "scopes": list(key.scopes),
            "limits": _shown_limits(key.limits),
        }

    async def key_list(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """The API keys of an org, without the part that is secret."""
        org = await self._org(request)
        keys = await self._accounts.keys.of_org(org.id)
        return {
            "keys": [
                {
                    "id": key.id,
                    "name": key.name,
                    "scopes": list(usable(key)),
                    "limits": _shown_limits(key.limits),
                    "created_at": _moment(key.created_at),
                    "last_used_at": _moment(key.last_used_at),
                }
                for key in keys
            ]
        }

    async def key_revoke(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Ends an API key at once. What it has queued is cancelled unless `keep_queued` is true."""
        org = await self._org(request)
        key, keep = _text(request, "id"), request.get("keep_queued") is True
        cancelled = await self._accounts.keys.revoke(org.id, key, keep_queued=keep)
        if cancelled is None:
            raise _no_key(org, key)
        return {"id": key, "cancelled": cancelled}

    async def key_limit(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Changes limits of an API key: sets those in `limits`, takes away those in `lift`."""
        org = await self._org(request)
        given, lift = request.get("limits") or {}, request.get("lift") or []
        if not isinstance(given, dict):
            raise BadInput("limits is not an object.", [FieldProblem("limits", "no object")])
        if not isinstance(lift, list):
            raise BadInput("lift is not a list.", [FieldProblem("lift", "no list")])

        def change(present: KeyLimits) -> KeyLimits:
            asked = {**(_shown_limits(present) or {}), **dict.fromkeys(map(str, lift)), **given}
            return _limits(asked)

        key = await self._accounts.keys.limit(org.id, _text(request, "id"), change)
        if key is None:
            raise _no_key(org, _text(request, "id"))
        return {"id": key.id, "limits": _shown_limits(key.limits)}

    async def assistant_add(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Adds an assistant; `credentials` are an object, and come back masked."""
        org = await self._org(request)
        provider, credentials = request.get("provider"), request.get("credentials")
        numbers = request.get("phone_numbers")
        if not isinstance(provider, str) or provider not in PROVIDERS:
            problem = FieldProblem("provider", "unknown")
            raise BadInput(f"provider is not {alternatives(PROVIDERS)}.", [problem])
        if not isinstance(numbers, list) or not all(isinstance(one, str) for one in numbers):
            problem = FieldProblem("phone_numbers", "no list")
            raise BadInput("phone_numbers is not a list of texts.", [problem])
        if not isinstance(credentials, dict):
            problem = FieldProblem("credentials", "no object")
            raise BadInput("credentials is not an object.", [problem])
        added = await self._assistants.add(
            org.id,
            name=_text(request, "name"),
            provider=provider,
            phone_numbers=numbers,
            credentials=credentials,
        )
        return self._shown(added)

    async def assistant_list(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """The assistants of an org, their credentials masked."""
        found = await self._assistants.of_org((await self._org(request)).id)
        return {"assistants": [self._shown(one) for one in found]}

    async def assistant_show(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """One assistant, its credentials masked."""
        org = await self._org(request)
        return self._shown(await self._assistants.get(org.id, _whole(request, "id")))

    async def assistant_remove(self, request: Mapping[str, Any], _: Report) -> Mapping[str, Any]:
        """Removes an assistant; its messages stay."""
        org = await self._org(request)
        await self._assistants.remove(org.id, _whole(request, "id"))
        return {"id": request["id"]}

    async def assistant_unsigned(self, _: Mapping[str, Any], __: Report) -> Mapping[str, Any]:
        """The assistants of all orgs whose carrier's callbacks are taken without a signature."""
        found = [
            {"org": one.org_name, "name": one.name, "reason": reason}
            for one in await self._assistants.every()
            if (reason := unsigned(one.provider, one.credentials))
        ]
        return {"assistants": found}

    def _shown(self, assistant: Assistant) -> Mapping[str, Any]:
        return {
            "id": assistant.id,
            "org": assistant.org_name,
            "name": assistant.name,
            "provider": assistant.provider,
            "phone_numbers": list(assistant.phone_numbers),
            "credentials": masked(assistant.credentials),
            "created_at": _moment(assistant.created_at),
            "callback_url": self._assistants.callback_url(assistant),
            "from_file": assistant.from_file,
        }

    async def backup(self, request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """Copies the database to `file`, an absolute path, while everything goes on.

        Where that is a folder, the copy's name has the time, and `keep` says how many such copies
        stay there.
        """
        target = Path(_text(request, "file"))
        if not target.is_absolute():
            raise BadInput("file is not an absolute path.", [FieldProblem("file", "relative")])
        keep = _keep(request)
        folder = await trio.Path(target).is_dir()
        if keep is not None and not folder:
            raise BadInput(f"{target} is no folder: copies are kept in one that is there.")
        removed: list[Path] = []
        seen, done, failures = [(0, 0)], trio.Event(), list[Exception]()

        async def tell() -> None:
            told = seen[0]
            while not done.is_set():
                with trio.move_on_after(PROGRESS_S):
                    await done.wait()
                if seen[0] != told:
                    told = seen[0]
                    await report(*told)

        def progress(copied: int, total: int) -> None:
            # Only noted here: a slow reader of the reports must not slow the copying.
            seen[0] = (copied, total)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell)
            try:
                if folder:
                    target, removed = await self._database.backup_dated(
                        target, now_ms(), keep=keep, progress=progress
                    )
                else:
                    await self._database.backup(target, progress)
            except (StoreError, OSError) as error:
                failures.append(error)
            finally:
                done.set()
        for failure in failures:
            raise failure
        size = (await trio.Path(target).stat()).st_size
        pruned = {} if keep is None else {"removed": [str(path) for path in removed]}
        return {"file": str(target), "bytes": size, **pruned}

    async def _org(self, request: Mapping[str, Any]) -> Org:
        name = _text(request, "org")
        org = await self._database.read(lambda tx: tx.orgs.get(name))
        if org is None:
            raise NotFound(f"There is no org named {name}.")
        return org


def offline(
    path: Path,
    command: str,
    fields: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
    *,
    settings: Settings | None = None,
) -> Mapping[str, Any]:
    """Carries out a command on the file of a gateway that is not running, but would by `settings`.

    Raises:
        StoreError: the database can't be used, or another process uses it.
        Refused: the command can't be carried out.
    """
    settings = Settings() if settings is None else settings

    async def report(done: int, total: int) -> None:
        if progress is not None:
            progress(done, total)

    async def carry_out() -> list[Mapping[str, Any] | Exception]:
        outcome: list[Mapping[str, Any] | Exception] = []
        database = Database.open(path)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(database.run_writer)
                rate_limits = RateLimits()
                accounts = Accounts(
                    database,
                    registration=registration_of(settings),
                    now_ms=now_ms,
                    rate_limits=rate_limits,
                )
                assistants = Assistants(
                    database,
                    check=check_credentials,
                    unusable=unusable_credentials,
                    now_ms=now_ms,
                    public_url=settings.http.public_url,
                    rate_limits=rate_limits,
                )
                try:
                    administration = Administration(accounts, assistants, database)
                    handler = administration.commands()[command]
                    outcome.append(await handler(fields, report))
                except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
                    outcome.append(error)
                finally:
                    database.stop_writing()
        finally:
            database.close()
        return outcome

    (outcome,) = trio.run(carry_out)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def registration_of(settings: Settings) -> Registration:
    """The rule about new orgs, as far as the configuration says."""
    source = settings.sources.get("orgs.registration")
    if source is None:
        return Registration()
    return Registration(forced=settings.orgs.registration, forced_by=source)


def _limits(asked: object) -> KeyLimits:
    """KeyLimits of a key, by the rules of the HTTP API."""
    return limits_of(CONVERTER.structure(asked, NewLimits))


def _shown_limits(limits: KeyLimits | None) -> dict[str, Any] | None:
    """KeyLimits as the HTTP API writes them."""
    if limits is None:
        return None
    shown: dict[str, Any] = json.loads(CONVERTER.encode(limits_json(limits)))
    return shown


def _no_key(org: Org, key: str) -> NotFound:
    # A key's text in place of its id must not be shown again.
    shown = "of that id" if is_key_like(key) else key
    return NotFound(f"{org.name} has no API key {shown}.")


def _text(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    # Lone surrogates come from arguments that are not UTF-8; no database takes them.
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadInput(f"{field} is not a text.", [FieldProblem(field, "is not a text")])
    return value


def _whole(request: Mapping[str, Any], field: str) -> int:
    value = request.get(field)
    if type(value) is not int or not 0 < value <= MAX_ID:
        raise BadInput(f"{field} is not a whole number.", [FieldProblem(field, "no number")])
    return value


def _keep(request: Mapping[str, Any]) -> int | None:
    keep = request.get("keep")
    if keep is not None and (type(keep) is not int or not 1 <= keep <= MAX_COPIES):
        problem = f"must be a whole number from 1 to {MAX_COPIES}"
        raise BadInput(f"keep {problem}.", [FieldProblem("keep", problem)])
    return keep


def _text_or_none(request: Mapping[str, Any], field: str) -> str | None:
    return None if request.get(field) is None else _text(request, field)


def _moment(ms: int | None) -> str | None:
    return None if ms is None else iso_seconds(ms)
