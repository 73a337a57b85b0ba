"""What only the owner of a gateway may do: orgs, registration, backups, status.

These endpoints are answered over the control socket, beside all others of the table.
"""

from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

import attrs
import trio

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.carriers.registry import unsigned
from phonegate.domain.credentials import PUBLISHED_SECRETS
from phonegate.domain.registration import MODES, Mode
from phonegate.model.bounds import MAX_CHARACTERS, MAX_COPIES, MAX_LABEL
from phonegate.model.orgs import Options, Org
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.model.times import iso
from phonegate.model.twilio_ids import account_sid
from phonegate.operations.copying import make_copy
from phonegate.operations.long_command import JSON_LINES, LongCommand, Progress
from phonegate.operations.owner_endpoint import MAX_PATH, owner_endpoint
from phonegate.store.database import Database
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Flag, OneOf, Text, Whole


class ReadStatus(Protocol):
    """Returns the gateway as it is now. With `phones`, how many each org has connected."""

    def __call__(self, *, phones: bool) -> Awaitable[Any]:
        """Returns it as plain JSON data."""


@attrs.frozen(kw_only=True)
class NewOrg:
    """The org to make."""

    closed: ClassVar[bool] = True

    org: Annotated[str, Text(0, 400)] = field("Its OrgId.", example="myorg")
    secret: Annotated[str, Text(0, 400)] | None = field(
        "Its SecretKey. One is generated where this is left out.", default=None, private=True
    )


@attrs.frozen(kw_only=True)
class NewSecret:
    """The secret to give an org."""

    closed: ClassVar[bool] = True

    secret: Annotated[str, Text(0, 400)] | None = field(
        "Its new SecretKey. One is generated where this is left out.", default=None, private=True
    )


@attrs.frozen(kw_only=True)
class NamedKey:
    """An API key by its names."""

    id: str = field("Names the key in /keys/{org}/{id}.", example="k3v9")
    name: str = field("What its owner called it.", example="billing")


@attrs.frozen(kw_only=True)
class NamedWebhook:
    """A webhook, and where it goes."""

    id: int = field("Names the webhook in /webhooks/{org}/{id}.", example=3)
    name: str | None = field("What its owner called it.", example="crm")
    url: str = field("What is called.", example="https://example.org/sms", private=True)


@attrs.frozen(kw_only=True)
class NamedHook:
    """A hook, which programs call by its own URL."""

    id: int = field("Names the hook in /hooks/of/{org}/{id}.", example=3)
    name: str = field("What its owner called it.", example="alertmanager")


@attrs.frozen(kw_only=True)
class OrgSecretAnswer:
    """An org with its secret, in the only answer that ever shows it."""

    ok: bool = field("Always true.", default=True)
    org: str = field("The OrgId.", example="myorg")
    secret: str = field("The SecretKey.", example="…", private=True)
    published: bool = field("Whether the secret stands in the documents, for all to know.")
    keys: tuple[NamedKey, ...] | None = field(
        "The API keys that go on where the secret was changed.", default=None, omit=True
    )
    webhooks: tuple[NamedWebhook, ...] | None = field(
        "The webhooks that go on, likewise.", default=None, omit=True
    )
    hooks: tuple[NamedHook, ...] | None = field(
        "The hooks that go on, likewise.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class OrgJson:
    """An org."""

    org: str = field("The OrgId.", example="myorg")
    created_at: str = field("ISO 8601, UTC.", example="2026-11-21T08:00:00.000Z")
    default_country: str | None = field(
        "The country of numbers that are written without one, or null.", example="DE"
    )
    max_characters: int = field("Most characters of a text that it sends.", example=1600)
    account_sid: str = field(
        "What it is called by programs made for Twilio.",
        example="AC00000000000000000000000000000001",
    )
    suspended_at: str | None = field(
        "Since when it is not served (ISO 8601, UTC). null: it is.", example=None
    )


@attrs.frozen(kw_only=True)
class OrgPatch:
    """What to change of an org. What is left out, or null, stays as it is."""

    closed: ClassVar[bool] = True

    default_country: Annotated[str, Text(0, MAX_LABEL)] | None = field(
        "The country of numbers that are written without one; empty: none.", default=None
    )
    max_characters: Annotated[int, Whole(1, MAX_CHARACTERS)] | None = field(
        "Most characters of a text that it sends.", default=None
    )


@attrs.frozen(kw_only=True)
class OrgAnswer:
    """One org."""

    ok: bool = field("Always true.", default=True)
    org: OrgJson = field("The org as it is now.")


@attrs.frozen(kw_only=True)
class OrgsAnswer:
    """Every org."""

    ok: bool = field("Always true.", default=True)
    orgs: tuple[OrgJson, ...] = field("By name.")


@attrs.frozen(kw_only=True)
class OrgRemovedAnswer:
    """An org that is no more."""

    ok: bool = field("Always true.", default=True)
    org: str = field("The OrgId.", example="myorg")


@attrs.frozen(kw_only=True)
class NewRegistration:
    """Who may make an org by a first call from now on."""

    closed: ClassVar[bool] = True

    mode: Annotated[Mode, OneOf(MODES)] = field("local, open or closed.", example="closed")


@attrs.frozen(kw_only=True)
class RegistrationAnswer:
    """Who may make an org by a first call."""

    ok: bool = field("Always true.", default=True)
    registration: str = field("local, open or closed.", example="local")
    source: str = field("What sets it.", example="the default")
    published_secrets: tuple[str, ...] = field(
        "The orgs whose secret stands in the documents.", example=[]
    )


@attrs.frozen(kw_only=True)
class UnsignedAssistant:
    """An assistant whose carrier's callbacks are taken without a signature."""

    org: str = field("The OrgId.", example="myorg")
    name: str = field("The assistant's name.", example="support")
    reason: str = field("What that means, and what to do.")


@attrs.frozen(kw_only=True)
class UnsignedAnswer:
    """The assistants of all orgs whose carrier's callbacks are taken without a signature."""

    ok: bool = field("Always true.", default=True)
    assistants: tuple[UnsignedAssistant, ...] = field("By org.")


@attrs.frozen(kw_only=True)
class NewBackup:
    """The copy to make."""

    closed: ClassVar[bool] = True

    file: Annotated[str, Text(1, MAX_PATH)] = field(
        "An absolute path: a file that is not there yet, or a folder that is.", private=True
    )
    keep: Annotated[int, Whole(1, MAX_COPIES)] | None = field(
        "How many dated copies stay in the folder.", default=None
    )


@attrs.frozen(kw_only=True)
class BackupAnswer:
    """Lines of JSON: `progress` with what is done and of how much, and at last the copy."""


@attrs.frozen(kw_only=True)
class StatusQuery:
    """How much to tell."""

    phones: Annotated[bool, Flag()] = field("Count the phones of each org too.", default=False)


@attrs.frozen(kw_only=True)
class StatusAnswer:
    """The gateway as it is now."""


class OwnerEndpoints:
    """The endpoints of scope `owner` over one open database.

    Args:
        database: Copied by backups.
        status: Returns the status. None for a gateway that does not run.
    """

    def __init__(self, database: Database, status: ReadStatus | None = None) -> None:
        self._database = database
        self._status = status

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Returns every one of them. The gateway's documents don't name them."""
        secret = "/orgs/{org}/secret"  # noqa: S105 - a path
        return (
            owner_endpoint("POST", "/orgs", self.add_org, OrgSecretAnswer, body=NewOrg, status=201),
            owner_endpoint("GET", "/orgs", self.list_orgs, OrgsAnswer),
            owner_endpoint("POST", secret, self.rotate_org, OrgSecretAnswer, body=NewSecret),
            owner_endpoint("PATCH", "/orgs/{org}", self.change_org, OrgAnswer, body=OrgPatch),
            owner_endpoint("DELETE", "/orgs/{org}", self.remove_org, OrgRemovedAnswer),
            owner_endpoint("GET", "/registration", self.registration, RegistrationAnswer),
            owner_endpoint(
                "PUT",
                "/registration",
                self.set_registration,
                RegistrationAnswer,
                body=NewRegistration,
            ),
            owner_endpoint("GET", "/unsigned_callbacks", self.list_unsigned, UnsignedAnswer),
            owner_endpoint("POST", "/backups", self.back_up, BackupAnswer, body=NewBackup),
            *self._of_running_gateways(),
        )

    def _of_running_gateways(self) -> tuple[Endpoint, ...]:
        read_status = self._status
        if read_status is None:
            return ()

        async def status(call: Call) -> Answer:
            """Returns the gateway as it is now."""
            return Answer(content=await read_status(phones=bool(call.query.phones)))

        return (owner_endpoint("GET", "/status", status, StatusAnswer, query=StatusQuery),)

    async def add_org(self, call: Call) -> Answer:
        """Adds an org. The answer holds its secret, which is stored as a hash alone."""
        org, secret = await call.services.accounts.orgs.add(call.body.org, call.body.secret)
        content = OrgSecretAnswer(
            org=org.name, secret=secret, published=secret in PUBLISHED_SECRETS
        )
        return Answer(status=201, content=content)

    async def list_orgs(self, call: Call) -> Answer:
        """Lists every org."""
        orgs = await call.services.accounts.orgs.all()
        shown = tuple(_org_json(org, call.services.org_options.of(org.id)) for org in orgs)
        return Answer(content=OrgsAnswer(orgs=shown))

    async def change_org(self, call: Call) -> Answer:
        """Sets the country of an org's national numbers, and how long its texts may be."""
        services, body = call.services, call.body
        org = await services.accounts.orgs.changeable(call.path["org"])
        options = await services.org_options.set(
            org.id, default_country=body.default_country, max_characters=body.max_characters
        )
        return Answer(content=OrgAnswer(org=_org_json(org, options)))

    async def rotate_org(self, call: Call) -> Answer:
        """Gives an org another secret. The old one ends at once. Says what goes on."""
        accounts = call.services.accounts
        org, secret = await accounts.orgs.rotate(call.path["org"], call.body.secret)
        keys = await accounts.keys.of_org(org.id)
        webhooks = await call.services.webhooks.of_org(org.id)
        hooks = await call.services.hooks.of_org(org.id)
        content = OrgSecretAnswer(
            org=org.name,
            secret=secret,
            published=secret in PUBLISHED_SECRETS,
            keys=tuple(NamedKey(id=key.id, name=key.name) for key in keys),
            webhooks=tuple(NamedWebhook(id=one.id, name=one.name, url=one.url) for one in webhooks),
            hooks=tuple(NamedHook(id=one.id, name=one.name) for one in hooks),
        )
        return Answer(content=content)

    async def remove_org(self, call: Call) -> Answer:
        """Removes an org with its phones, messages, keys, assistants, webhooks and hooks."""
        services, name = call.services, call.path["org"]
        org = await services.accounts.orgs.named(name)
        assistants = await services.assistants.of_org(org.id)
        await services.accounts.orgs.remove(name)
        services.assistants.ended(assistants)
        return Answer(content=OrgRemovedAnswer(org=name))

    async def registration(self, call: Call) -> Answer:
        """Says who may make an org by a first call."""
        orgs = call.services.accounts.orgs
        rule = await orgs.read_registration()
        content = RegistrationAnswer(
            registration=rule.mode,
            source=rule.source,
            published_secrets=tuple(await orgs.with_published_secrets()),
        )
        return Answer(content=content)

    async def set_registration(self, call: Call) -> Answer:
        """Changes who may make an org by a first call, at once and for good."""
        await call.services.accounts.orgs.choose_registration(call.body.mode)
        return await self.registration(call)

    async def list_unsigned(self, call: Call) -> Answer:
        """Lists the assistants whose carrier's callbacks nothing proves."""
        shown = tuple(
            UnsignedAssistant(org=one.org_name, name=one.name, reason=reason)
            for one in await call.services.assistants.every()
            if (reason := unsigned(one.provider, one.credentials))
        )
        return Answer(content=UnsignedAnswer(assistants=shown))

    async def back_up(self, call: Call) -> Answer:
        """Copies the database while everything goes on.

        Into a folder the copy goes under a name with the time, and `keep` says how many such
        copies stay there. The last line of the answer holds the copy, or why there is none.
        """
        target, keep = Path(call.body.file), call.body.keep
        if not target.is_absolute():
            raise BadInput("file is not an absolute path.", [FieldProblem("file", "relative")])
        folder = False
        with suppress(OSError):  # a path that is too long: copying says what is wrong with it
            folder = await trio.Path(target).is_dir()
        if keep is not None and not folder:
            problem = f"{target} is no folder: copies are kept in one that is there."
            raise BadInput(problem, [FieldProblem("file", "no folder")])
        now = call.services.now_ms()

        async def work(progress: Progress) -> dict[str, Any]:
            copy = await make_copy(
                self._database, target, now, keep=keep, into_folder=folder, progress=progress
            )
            pruned = {} if keep is None else {"removed": list(copy.removed)}
            return {"file": copy.file, "bytes": copy.size, **pruned}

        return Answer(stream=LongCommand(work).run, media=JSON_LINES)


def _org_json(org: Org, options: Options) -> OrgJson:
    return OrgJson(
        org=org.name,
        created_at=iso(org.created_at),
        default_country=options.default_country,
        max_characters=options.max_characters,
        account_sid=account_sid(org.id),
        suspended_at=None if org.suspended_at is None else iso(org.suspended_at),
    )
