"""What can be known of a gateway that is not running, and done to it, by its database file."""

import os
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import trio

from phonegate.api.endpoint import Request
from phonegate.api.pipeline import Pipeline
from phonegate.assembly import Core
from phonegate.bind_address import parse_bind
from phonegate.config.settings import HttpSettings, Settings, TlsSettings
from phonegate.domain.registration import MODES, Registration
from phonegate.events.bus import Bus
from phonegate.model.storage_errors import BackupFailed
from phonegate.model.times import now_ms
from phonegate.operations import schema_steps
from phonegate.operations.control_client import (
    OwnerRequest,
    Progress,
    read_answer,
    reports_progress,
)
from phonegate.operations.moving_api import moving_endpoints
from phonegate.operations.owner import AUTHORIZATION, owner_pipeline
from phonegate.operations.owner_api import OwnerEndpoints
from phonegate.own_addresses import OwnUrls
from phonegate.store import backup, data_file
from phonegate.store.database import Database
from phonegate.store.offline_view import look


def check_sqlite() -> None:
    """Checks that the SQLite of this Python can do what the store needs.

    Raises:
        DatabaseUnusable: It can't.
    """
    data_file.check_sqlite(Path("SQLite"))


def has_database(path: Path) -> bool:
    """Tells whether there is a database already, or one will be made at the first start.

    Raises:
        DatabaseUnusable: No gateway can serve from this path.
    """
    return data_file.inspect(path)


def registration(settings: Settings, path: Path) -> tuple[Registration, tuple[str, ...]]:
    """Finds who could make an org by a first call, and the orgs that have a published secret."""
    seen, rule = look(path), Registration.configured(settings)
    rule.chosen = next((mode for mode in MODES if mode == seen.registration), None)
    return rule, seen.published


def orgs(path: Path) -> frozenset[str]:
    """Returns the names of all orgs of a gateway that is not running."""
    return look(path).orgs


def carry_out(
    settings: Settings, path: Path, request: OwnerRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Carries out a command of the owner on the database of a gateway that is not running.

    Args:
        settings: What the gateway would run by.
        path: The database file, which is made where there is none.
        request: What to do.
        progress: Called with what is done of a long command, and of how much.

    Returns:
        The fields of the answer.

    Raises:
        StoreError: The database can't be used, or another process uses it.
        ControlRefused: The command can't be carried out.
    """
    if (request.method, request.target) == ("POST", "/backups") and _is_of_before(path):
        # This may be the last copy that the earlier version can use.
        fields = request.body or {}
        return back_up(path, Path(fields["file"]), fields.get("keep"), progress)
    replies: list[tuple[int, bytes]] = []

    async def answer() -> None:
        bus = Bus()
        database = Database.open(path, publish=bus.publish, first_id=settings.database.first_id)
        try:
            async with trio.open_nursery() as store:
                await store.start(database.run_writer)
                services = Core.assemble(settings, database, bus).services
                await services.accounts.load()
                services.reached_at[:] = _urls(settings.http, settings.tls).every()
                owners = (
                    *OwnerEndpoints(database).endpoints(),
                    *moving_endpoints(database, services.accounts.moves, services.now_ms),
                )
                owner = owner_pipeline(services, owners)
                replies.append(await _answer_owner(owner, request, progress))
                database.stop_writing()
        finally:
            database.close()

    trio.run(answer)
    ((status, content),) = replies
    return read_answer(status, content)


def back_up(
    path: Path, target: Path, keep: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Copies the database of a gateway that is not running, as it is.

    `carry_out` brings it to this version first, which an earlier program can't use.

    Args:
        path: The database file.
        target: The new file, or the folder in which it gets a name with the time.
        keep: How many dated copies stay in the folder. None: all.
        progress: Called with what is done, and of how much.

    Returns:
        The fields of the answer to an order of a copy.

    Raises:
        StoreError: There is no copy, or an old one can't be removed.
    """
    into_folder = target.is_dir()
    file = backup.dated(path, target, now_ms()) if into_folder else target
    removed = list[Path]()
    descriptor = data_file.lock(path)
    try:
        trio.run(trio.to_thread.run_sync, backup.copy, path, file, progress)
        _give(file, path.stat())
        if into_folder and keep is not None:
            removed = backup.prune(path, target, keep)
    finally:
        os.close(descriptor)
    pruned = {} if keep is None else {"removed": [str(one) for one in removed]}
    return {"file": str(file), "bytes": file.stat().st_size, **pruned}


def _is_of_before(path: Path) -> bool:
    """Tells whether the database is as an earlier version has left it."""
    try:
        steps = schema_steps.of_file(path)
    except OSError:
        return False  # what is wrong with it, opening it says
    return steps is not None and 0 < steps < schema_steps.KNOWN


def _give(copy: Path, owner: os.stat_result) -> None:
    """Gives a copy to the owner of its source.

    Root makes it in a folder of the gateway's user, who could have put a link to another file in
    its place meanwhile.

    Raises:
        BackupFailed: Something else has its name.
    """
    descriptor = os.open(copy, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        made = os.fstat(descriptor)
        if made.st_uid == owner.st_uid:
            return
        if made.st_uid != os.geteuid() or made.st_nlink != 1 or not stat.S_ISREG(made.st_mode):
            raise BackupFailed(copy, "something else has its name by now", "Look at its folder")
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _urls(http: HttpSettings, tls: TlsSettings) -> OwnUrls:
    """Returns the URLs that the gateway will have once it serves."""
    return OwnUrls(
        scheme="https" if tls.certificate else "http",
        public_url=http.public_url,
        prefix=http.prefix,
        bound=[(host, port) for host, port in map(parse_bind, http.bind) if port],
    )


async def _answer_owner(
    owner: Pipeline, request: OwnerRequest, progress: Progress | None
) -> tuple[int, bytes]:
    """Returns the status and the body of an answer, of a streamed one its last line."""
    path, _, query = request.target.partition("?")
    asked = Request(
        method=request.method,
        path=path,
        query=query,
        headers={"authorization": AUTHORIZATION, "content-type": "application/json"},
        client="127.0.0.1",
    )
    reply = await owner.reply(asked, request.content)
    if reply.stream is None:
        return reply.status, reply.body
    last = b""

    async def keep(line: bytes) -> None:
        nonlocal last
        if not reports_progress(line, progress):
            last = line

    with closing(reply.stream) as stream:
        await stream.run(keep)
    return reply.status, last
