"""What the operator's page asks for of copies of the database."""

from pathlib import Path
from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.model.bounds import MAX_COPIES
from phonegate.model.times import iso
from phonegate.operations.copying import CopyDesk
from phonegate.operations.owner_endpoint import MAX_PATH, owner_endpoint
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text, Whole

DONE_PERCENT: Final = 100


@attrs.frozen(kw_only=True)
class NewCopyOrder:
    """The copy to make."""

    closed: ClassVar[bool] = True

    folder: Annotated[str, Text(1, MAX_PATH, line=True)] = field(
        "An absolute path on the gateway's machine: a folder that is there.", private=True
    )
    keep: Annotated[int, Whole(1, MAX_COPIES)] | None = field(
        "How many dated copies stay in the folder. All, where this is left out.", default=None
    )


@attrs.frozen(kw_only=True)
class CopyJson:
    """A copy that was made. It may have been removed since."""

    at: str = field("When (ISO 8601, UTC).")
    file: str = field("Where it was put.", private=True)
    bytes: int = field("How large it is.", example=40_960)


@attrs.frozen(kw_only=True)
class CopiesAnswer:
    """The copies of the database."""

    ok: bool = field("Always true.", default=True)
    copies: tuple[CopyJson, ...] = field("The last ones, the newest first.")
    running: str | None = field("The folder for which one is being made.", private=True)
    percent: int = field("How much of it is done.", example=40)
    problem: str | None = field("Why the last order has led to no copy.", private=True)


def copies_endpoints(desk: CopyDesk) -> tuple[Endpoint, ...]:
    """Returns the endpoints by which copies are ordered and looked at."""

    async def shown() -> CopiesAnswer:
        # Before the list is read: a copy that is no longer being made is in it then.
        running, problem, (done, total) = desk.running, desk.problem, desk.progress
        copies = await desk.last()
        return CopiesAnswer(
            copies=tuple(CopyJson(at=iso(one.at), file=one.file, bytes=one.size) for one in copies),
            running=None if running is None else str(running.folder),
            percent=DONE_PERCENT * done // total if total else 0,
            problem=problem,
        )

    async def list_copies(_: Call) -> Answer:
        """Lists the copies that were made last, and tells how far one is that is being made."""
        return Answer(content=await shown())

    async def order_copy(call: Call) -> Answer:
        """Begins a copy of the database in a folder, while everything goes on."""
        await desk.order(Path(call.body.folder), call.body.keep)
        return Answer(status=202, content=await shown())

    return (
        owner_endpoint("GET", "/copies", list_copies, CopiesAnswer),
        owner_endpoint("POST", "/copies", order_copy, CopiesAnswer, body=NewCopyOrder, status=202),
    )
