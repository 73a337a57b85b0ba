"""Batches of an org: kept from the draft until the last message has its result.

A batch is sent in chunks, each by one call of the API under an Idempotency-Key of its own. So a
repeat sends nothing twice, and after a restart it goes on where it stood.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Final

import attrs
import trio

from phonegate.domain.batch_drafts import (
    BatchForm,
    digest,
    form_of,
    messages_of,
    packed,
    without_recipients,
)
from phonegate.domain.idempotency import KEPT_MS, kept_answer
from phonegate.domain.idempotency import kept_under as route_of
from phonegate.domain.message_access import may_see, without_codes
from phonegate.model.batches import Batch, StateCount
from phonegate.model.bounds import MAX_BODY, MAX_MESSAGES
from phonegate.model.messages import MessageView
from phonegate.model.principal import Principal, allows
from phonegate.model.refusals import Conflict, Forbidden, NotFound
from phonegate.model.states import EXPIRED, FAILED, OUTBOUND_STATES, QUEUED, SENDING
from phonegate.model.times import DAY_MS, HOUR_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST_DRAFTS: Final = 200
MOST_BATCHES: Final = 500
"""How many are kept of one org. The oldest are deleted first, and their messages stay."""

MOST_DRAFTS_EACH: Final = 20
"""Most drafts that are kept of one credential, so that no holder of a key writes those of all
others away."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Most that all batches of an org take, as they are kept. One of ten thousand long texts takes some
megabytes until it is sent."""

MOST_BYTES_EACH: Final = 16 * 1024 * 1024
"""The same of the drafts of one credential. None is larger than the form that it came by."""

RESUMED_MS: Final = KEPT_MS - 2 * HOUR_MS
"""How long a batch can go on. Afterwards the answers by which nothing is sent twice are gone."""

CHUNK_CHARACTERS: Final = MAX_MESSAGES * MAX_BODY
"""Most characters of the messages that are handed over at once: all of them are stored by one
transaction, for which others wait."""

SAME_MS: Final = DAY_MS
"""How far back it is looked for a batch that sent the same."""

UNSENT: Final = (FAILED, EXPIRED)
"""The states of messages that can be sent again without a doubt."""

OPEN: Final = (QUEUED, SENDING)
"""The states in which a message can still be withdrawn."""


@attrs.frozen(kw_only=True)
class BatchView:
    """A batch as its people see it."""

    token: str
    key: str | None
    created_at: int
    begun_at: int | None
    form: BatchForm
    """As it was written. Of one that is accepted as a whole, without its recipients."""
    total: int
    accepted: int
    counts: tuple[StateCount, ...] = ()
    resumable: bool = False
    """Whether the rest of it can still be sent."""

    def count(self, *states: str) -> int:
        """Returns how many messages are in one of these states."""
        return sum(one.count for one in self.counts if one.status in states)

    @property
    def held(self) -> int:
        """How many messages wait for approval."""
        return sum(one.held for one in self.counts)

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it is to leave."""
        return self.accepted >= self.total and not self.count(*OPEN)


@attrs.frozen(kw_only=True)
class Chunk:
    """The messages of a batch that are to be sent next."""

    start: int
    """How many come before them."""
    messages: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """The recipient and the text of each."""
    form: BatchForm
    idempotency_key: str


class Batches:
    """The batches of all orgs."""

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def save(self, owner: Principal, form: BatchForm) -> str:
        """Keeps a draft. Returns the token that names it.

        Raises:
            Forbidden: The owner may not send.
        """
        _require_sender(owner)
        token, now = secrets.token_urlsafe(12), self._now_ms()
        # As large as a form may be, that takes longer than others should wait.
        draft = await trio.to_thread.run_sync(packed, form)

        def op(tx: Tables) -> None:
            tx.batches.add(owner.org, owner.key_id, token, now, draft)
            tx.batches.prune_drafts(
                owner.org, owner.key_id, most=MOST_DRAFTS_EACH, size=MOST_BYTES_EACH
            )
            tx.batches.prune(owner.org, drafts=MOST_DRAFTS, begun=MOST_BATCHES, size=MOST_BYTES)

        await self._database.write(op)
        return token

    async def find(self, reader: Principal, token: str) -> BatchView:
        """Returns a batch with the states of its messages.

        Raises:
            NotFound: There is none that the reader may see.
        """
        now = self._now_ms()
        return await self._database.read(lambda tx: _view(tx, _found(tx, reader, token), now))

    async def begun(self, reader: Principal, limit: int = 50) -> list[BatchView]:
        """Returns the batches that were sent, newest first."""
        _require_sender(reader)
        now = self._now_ms()

        def op(tx: Tables) -> list[BatchView]:
            every = _sees_all(reader)
            found = tx.batches.begun(reader.org, key=reader.key_id, every=every, limit=limit)
            return [_view(tx, one, now) for one in found]

        return await self._database.read(op)

    async def sent_before(
        self, owner: Principal, form: BatchForm, messages: Sequence[tuple[str, str]]
    ) -> BatchView | None:
        """Returns the batch by which the same was sent within a day."""
        now = self._now_ms()

        def op(tx: Tables) -> BatchView | None:
            found = tx.batches.same(owner.org, digest(form, messages), now - SAME_MS)
            return None if found is None or not _sees(owner, found) else _view(tx, found, now)

        return await self._database.read(op)

    async def begin(
        self, owner: Principal, token: str, messages: Sequence[tuple[str, str]]
    ) -> None:
        """Fixes what a draft sends. One that was begun before stays as it was.

        Raises:
            NotFound: There is none that the owner made.
        """
        now = self._now_ms()

        def fix(tx: Tables) -> tuple[bytes, bytes]:
            form = form_of(_own(tx, owner, token).draft)
            # `messages` has the copies, in the form in which they are sent.
            bare = attrs.evolve(form, draft=attrs.evolve(form.draft, copies=()))
            return digest(form, messages), packed(bare, messages)

        # The form of a draft does not change. So the writer need not wait for this.
        same, fixed = await self._database.read(fix)

        def op(tx: Tables) -> None:
            batch = _own(tx, owner, token)
            if batch.begun_at is None:
                tx.batches.begin(batch.id, now, same, len(messages), fixed)

        await self._database.write(op)

    async def next_chunk(
        self, owner: Principal, token: str, *, kept_under: str | None = None
    ) -> Chunk | None:
        """Returns what is to be sent next of a batch. None where all is accepted.

        Args:
            owner: Who sends.
            token: Names the batch.
            kept_under: A route of the Idempotency-Key: only a chunk whose answer is kept under it.
                Such a chunk was sent, and the process or the request ended before that was noted.

        Raises:
            NotFound: There is none that the owner made.
            Conflict: It is too old to go on.
        """
        now = self._now_ms()

        def op(tx: Tables) -> Chunk | None:
            batch = _own(tx, owner, token)
            if batch.begun_at is None or batch.accepted >= batch.total:
                return None
            if now - batch.begun_at > RESUMED_MS:
                raise Conflict(
                    "This batch was begun too long ago to go on, since parts of it could be sent "
                    "twice. Send the rest as a new one."
                )
            form = form_of(batch.draft)
            size = 1 if form.sender.startswith("from:") else MAX_MESSAGES
            start = batch.accepted
            key = f"console-{token}-{start}"
            if kept_under and not kept_answer(tx, owner.org, route_of(owner, kept_under), key, now):
                return None
            return Chunk(
                start=start,
                messages=_at_once(messages_of(batch.draft, start, size)),
                form=form,
                idempotency_key=key,
            )

        return await self._database.read(op)

    async def accepted(
        self, owner: Principal, token: str, chunk: Chunk, ids: Collection[int]
    ) -> bool:
        """Notes that a chunk was accepted, and as which messages.

        Returns:
            Whether the batch was given up meanwhile, so that these are to be withdrawn too.
        """

        def op(tx: Tables) -> bool:
            batch = _own(tx, owner, token)
            done = chunk.start + len(chunk.messages)
            tx.batches.accept(batch.id, done, ids)
            if done > batch.total:
                tx.batches.end(batch.id, done)
            if done >= batch.total:
                tx.batches.rewrite(batch.id, packed(without_recipients(chunk.form)))
            return done > batch.total

        return await self._database.write(op)

    async def message_of(self, owner: Principal, named: str) -> int | None:
        """Returns the message that `/sms/send` has called so: by its carrier's id or our own."""

        def op(tx: Tables) -> int | None:
            found = tx.batches.by_carrier_id(owner.org, named)
            if found is None and named.isdecimal() and len(named) <= 18:  # noqa: PLR2004 - of an id
                message = tx.messages.find(owner.org, int(named))
                found = None if message is None else message.id
            return found

        return await self._database.read(op)

    async def stop(self, owner: Principal, token: str) -> None:
        """Gives up what was not accepted yet of a batch.

        Raises:
            NotFound: There is none that the owner made.
        """

        def op(tx: Tables) -> None:
            batch = _own(tx, owner, token)
            if batch.begun_at is not None and batch.accepted < batch.total:
                form = form_of(batch.draft)
                tx.batches.end(batch.id, batch.accepted)
                tx.batches.rewrite(batch.id, packed(without_recipients(form)))

        await self._database.write(op)

    async def message_ids(
        self, reader: Principal, token: str, states: Collection[str], *, after: int = 0, limit: int
    ) -> list[int]:
        """Returns the messages of a batch that are in one of these states.

        Raises:
            NotFound: There is no batch that the reader may see.
        """

        def op(tx: Tables) -> list[int]:
            batch = _found(tx, reader, token)
            return tx.batches.message_ids(reader.org, batch.id, states, after=after, limit=limit)

        return await self._database.read(op)

    async def messages(
        self,
        reader: Principal,
        token: str,
        states: Collection[str] = OUTBOUND_STATES,
        *,
        limit: int,
    ) -> list[MessageView]:
        """Returns the messages of a batch, as far as the reader sees them.

        Raises:
            Forbidden: The reader may not read messages.
            NotFound: There is no batch that the reader may see.
        """
        if not allows(reader.scopes, "read"):
            raise Forbidden("Your key lacks read, so it sees no messages.")

        def op(tx: Tables) -> list[MessageView]:
            batch = _found(tx, reader, token)
            ids = tx.batches.message_ids(reader.org, batch.id, states, limit=limit)
            found = tx.messages.views_of(reader.org, ids)
            views = [found[one] for one in ids if one in found]
            seen = [one for one in views if may_see(reader, one.address)]
            if reader.limits is None or not reader.limits.codes_hidden:
                return seen
            return [one._replace(body=without_codes(one.address, one.body)) for one in seen]

        return await self._database.read(op)


def _require_sender(owner: Principal) -> None:
    if not allows(owner.scopes, "send"):
        raise Forbidden("Your key lacks send, so it has no batches.")


def _sees(reader: Principal, batch: Batch) -> bool:
    """Tells whether a reader may see a batch. One that does not read all sees its own alone."""
    return _sees_all(reader) or batch.key == reader.key_id


def _sees_all(reader: Principal) -> bool:
    """Tells whether a reader may see what others have written: their batches, with the texts."""
    return reader.limits is None and allows(reader.scopes, "read")


def _found(tx: Tables, reader: Principal, token: str) -> Batch:
    _require_sender(reader)
    batch = tx.batches.find(reader.org, token)
    if batch is None or not _sees(reader, batch):
        raise NotFound("There is no such batch. Drafts are kept for a while, and not for ever.")
    return batch


def _at_once(messages: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Returns the first of some messages: as many as are handed over at once, and at least one."""
    characters = 0
    for at, (_, body) in enumerate(messages):
        characters += len(body)
        if at and characters > CHUNK_CHARACTERS:
            return messages[:at]
    return messages


def _own(tx: Tables, owner: Principal, token: str) -> Batch:
    batch = _found(tx, owner, token)
    if batch.key != owner.key_id:
        # Its repeats would not be known as such under another credential.
        raise NotFound("This batch was made with another credential, and only that can send it.")
    return batch


def _view(tx: Tables, batch: Batch, now: int) -> BatchView:
    begun = batch.begun_at
    return BatchView(
        token=batch.token,
        key=batch.key,
        created_at=batch.created_at,
        begun_at=begun,
        form=form_of(batch.draft),
        total=batch.total,
        accepted=batch.accepted,
        counts=() if begun is None else tuple(tx.batches.counts(batch.org, batch.id)),
        resumable=begun is not None and batch.accepted < batch.total and now - begun <= RESUMED_MS,
    )
