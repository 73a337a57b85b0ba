"""The owner's commands that move an org: suspend, resume, export and import."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import attrs
import trio

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.domain.org_moves import OrgMoves
from phonegate.model.orgs import Org
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.model.times import iso
from phonegate.operations.long_command import JSON_LINES, LongCommand, Progress
from phonegate.operations.moving import OrgMover
from phonegate.operations.owner_endpoint import MAX_PATH, owner_endpoint
from phonegate.store.database import Database
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text

DRAIN_S: Final = 10.0
"""Seconds in which what an org has under way may end, once it is suspended. A request that waits
for a message takes longer, and stores nothing."""

PhonesLeft = Callable[[int], Awaitable[None]]
"""Returns when all that the phones of an org had sent is recorded, once they were sent away."""


@attrs.frozen(kw_only=True)
class StandingAnswer:
    """Whether an org is served."""

    ok: bool = field("Always true.", default=True)
    org: str = field("The OrgId.", example="myorg")
    suspended_at: str | None = field(
        "Since when it is not served (ISO 8601, UTC). null: it is.",
        example="2026-11-21T08:00:00.000Z",
    )


@attrs.frozen(kw_only=True)
class NewExport:
    """The file to write."""

    closed: ClassVar[bool] = True

    org: Annotated[str, Text(0, 400)] = field("The OrgId.", example="myorg")
    file: Annotated[str, Text(1, MAX_PATH)] = field(
        "An absolute path on the gateway's machine: a file that is not there yet.", private=True
    )
    credentials: bool = field(
        "Whether the file has what gives a right. Without that no gateway takes it in.",
        default=True,
    )
    only_look: bool = field("Only look whether the file can be made.", default=False)


@attrs.frozen(kw_only=True)
class NewImport:
    """The file to read."""

    closed: ClassVar[bool] = True

    file: Annotated[str, Text(1, MAX_PATH)] = field(
        "An absolute path on the gateway's machine.", private=True
    )
    large_ids: bool = field(
        "Whether ids of messages may need more than 32 bits from now on.", default=False
    )


@attrs.frozen(kw_only=True)
class MoveAnswer:
    """Lines of JSON: `progress` with what is done and of how much, and at last what came of it."""


def moving_endpoints(
    database: Database,
    moves: OrgMoves,
    now_ms: Callable[[], int],
    *,
    phones_left: PhonesLeft | None = None,
) -> tuple[Endpoint, ...]:
    """Returns the endpoints by which orgs move.

    Args:
        database: Where the orgs are.
        moves: What the domain does for that.
        now_ms: The clock.
        phones_left: Waits for the phones of a suspended org. None where no phones are served.
    """
    mover = OrgMover(database, moves, now_ms)

    async def suspend_org(call: Call) -> Answer:
        """Has an org served no more: its phones and callers are to come again later."""

        async def drain(org: int) -> None:
            with trio.move_on_after(DRAIN_S):
                if phones_left is not None:
                    await phones_left(org)
                await call.services.shares.idle(org)

        return Answer(content=_standing(await moves.suspend(call.path["org"], drain)))

    async def resume_org(call: Call) -> Answer:
        """Has an org served again that was suspended."""
        return Answer(content=_standing(await moves.resume(call.path["org"])))

    async def export_org(call: Call) -> Answer:
        """Writes an org with all that it has to a file, while everything goes on."""
        name, target, credentials = call.body.org, _path(call.body.file), call.body.credentials
        only_look = call.body.only_look

        async def work(progress: Progress) -> dict[str, Any]:
            if only_look:
                await mover.look_at_place(target)
                return {"file": str(target)}
            made = await mover.export(name, target, progress, credentials=credentials)
            return {
                "file": str(target),
                "bytes": made.size,
                "messages": made.head.messages,
                "suspended": made.head.suspended_at is not None,
                "resumed": made.resumed,
            }

        return Answer(stream=LongCommand(work).run, media=JSON_LINES)

    async def import_org(call: Call) -> Answer:
        """Takes an org in from a file, while everything goes on. It is served at the end."""
        source, large_ids = _path(call.body.file), call.body.large_ids

        async def work(progress: Progress) -> dict[str, Any]:
            made = await mover.take_in(source, progress, large_ids=large_ids)
            return {"org": made.name, "messages": made.messages, "shifted": dict(made.shifts)}

        return Answer(stream=LongCommand(work).run, media=JSON_LINES)

    suspension = "/orgs/{org}/suspension"
    return (
        owner_endpoint("PUT", suspension, suspend_org, StandingAnswer),
        owner_endpoint("DELETE", suspension, resume_org, StandingAnswer),
        owner_endpoint("POST", "/exports", export_org, MoveAnswer, body=NewExport),
        owner_endpoint("POST", "/imports", import_org, MoveAnswer, body=NewImport),
    )


def _standing(org: Org) -> StandingAnswer:
    return StandingAnswer(
        org=org.name, suspended_at=None if org.suspended_at is None else iso(org.suspended_at)
    )


def _path(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise BadInput("file is not an absolute path.", [FieldProblem("file", "relative")])
    return path
