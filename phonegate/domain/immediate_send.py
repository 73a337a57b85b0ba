"""Messages that leave at once: their phones have room for all of them, and nothing holds them.

Nearly every send is one. It asks nothing of the store before it is stored, so that it begins
without a wait: `ImmediateSending.begin` routes the messages and takes their places at the phones.
What it returns is one operation for the writer, which stores those of many calls together. Then
they are pushed, or their places given back.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, NamedTuple

import trio

from phonegate.domain import admission
from phonegate.domain.dispatch import Dispatcher
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.rosters import Rosters
from phonegate.domain.segmentation import count
from phonegate.model.messages import Pushed
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import Refused
from phonegate.model.storage_errors import StoreClosed
from phonegate.store.database import Database
from phonegate.store.joint import Joint
from phonegate.store.tables import Tables

Place = tuple[int, Sim | None]
"""A phone and the SIM that sends there."""


Done = Callable[[range | None, Exception | None], None]
"""Takes the ids of what was stored, or the error for which nothing was. It must be quick, never
wait and never raise."""


class PlainText(NamedTuple):
    """A message to send of which nothing is asked but that it leaves, by a certain SIM or any."""

    to: str
    body: str
    sim_selector: str

    def __repr__(self) -> str:
        return "PlainText(...)"


class ImmediateSend(Joint[range]):
    """Messages whose places are taken. As an operation it stores them and returns their ids."""

    __slots__ = ("given_up", "messages", "places", "rate_limits", "sender", "size")

    def __init__(
        self,
        sender: Principal,
        messages: Sequence[Pushed],
        places: Sequence[Place],
        rate_limits: RateLimits,
    ) -> None:
        self.sender = sender
        self.messages = messages
        self.places = places
        """That of each message."""
        self.rate_limits = rate_limits
        self.size = len(messages)
        self.given_up = False
        """Whether its sender was asked to try again, so that it is stored no more."""

    def __call__(self, tx: Tables) -> range:
        """Stores the messages.

        Raises:
            Unauthorized, StorageSpent, DiskLow, TooSlowError: As `admit`.
        """
        self.admit(tx)
        return tx.messages.insert_pushed(self.messages)

    @classmethod
    def together(cls, tx: Tables, ones: Sequence["ImmediateSend"]) -> Sequence[range | Exception]:
        """Stores the messages of many sends as one. Each is admitted, or refused, by itself."""
        found: list[range | Exception] = []
        admitted: list[Pushed] = []
        for one in ones:
            mark = tx.mark()
            try:
                one.admit(tx)
            except (Refused, trio.TooSlowError) as error:
                tx.undo(mark)
                found.append(error)
            else:
                found.append(range(len(admitted), len(admitted) + one.size))
                admitted += one.messages
        first = tx.messages.insert_pushed(admitted).start if admitted else 0
        return [
            range(its.start + first, its.stop + first) if isinstance(its, range) else its
            for its in found
        ]

    def admit(self, tx: Tables) -> None:
        """Counts the messages against every limit that counts for such messages.

        Raises:
            StorageSpent, DiskLow: The org may store no more just now.
            Unauthorized: The sender's API key was revoked meanwhile.
            TooSlowError: It was given up.
        """
        if self.given_up:
            raise trio.TooSlowError
        messages, sender = self.messages, self.sender
        now, size = messages[0].created_at, admission.size_of_texts([one.body for one in messages])
        admission.admit_to_disk(tx, self.rate_limits, sender.org, size, now)
        admission.admit(tx, sender, len(messages), now)


class ImmediateSending:
    """Begins sends that can leave at once, and pushes what was stored.

    Args:
        dispatcher: Hands messages to the phones that are online.
        rosters: The routes among them.
        rate_limits: Of the whole gateway.
        database: Where the messages are stored.
        commit_deadline_s: How long storing may take.
        default_ttl_s: The ttl of a message that comes without one. With any, none of them is as
            plain as those here.
        on_uncertain: What happens to a message that a phone may have sent or not.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        rosters: Rosters,
        rate_limits: RateLimits,
        database: Database,
        *,
        commit_deadline_s: float,
        default_ttl_s: int,
        on_uncertain: Literal["hold", "resend"],
    ) -> None:
        self._database = database
        self.commit_deadline_s: Final = commit_deadline_s
        self._without_ttl = not default_ttl_s
        self._dispatcher = dispatcher
        self._rosters = rosters
        self._rate_limits = rate_limits
        self._on_uncertain: Final = on_uncertain

    def begin(
        self, sender: Principal, texts: Sequence[PlainText], now: int
    ) -> ImmediateSend | None:
        """Takes the places of messages that can all leave at once, of a sender without limits.

        Returns None, and has changed nothing, where at least one of them may have to wait, or to
        be refused.

        Args:
            sender: Whose messages they are.
            texts: The messages, at least one.
            now: When they are accepted, in ms.
        """
        if sender.limits is not None or not self._without_ttl:
            return None
        org, key, on_uncertain = sender.org, sender.key_id, self._on_uncertain
        roster = self._rosters.of(org, self._dispatcher.online(org))
        messages: list[Pushed] = []
        places: list[Place] = []
        for to, body, sim_selector in texts:
            route = roster.route(sim_selector)
            if route is None or route.phone is None:
                return None
            sim = route.sim
            slot, number = (None, None) if sim is None else (sim.slot, sim.number)
            places.append((route.phone, sim))
            messages.append(
                Pushed(
                    org,
                    to,
                    body,
                    now,
                    route.phone,
                    sim_selector,
                    slot,
                    number,
                    0,
                    on_uncertain,
                    key,
                    count(body),
                )
            )
        if not self._reserve(messages, places):
            return None
        return ImmediateSend(sender, messages, places, self._rate_limits)

    def submit(self, send: ImmediateSend, done: Done) -> bool:
        """Hands a send over to the writer. Pushes its messages, or gives back their places.

        `done` is called after that. Where too much waits for the writer, or the store is going
        down, it never is: the places are given back at once, and False is returned.
        """

        def stored(ids: range | None, error: Exception | None) -> None:
            try:
                if ids is None:
                    self.release(send)
                else:
                    self.push(send, ids)
            finally:
                done(ids, error)  # a fault of a phone's must not keep its sender waiting

        try:
            self._database.submit(send, stored)
        except (trio.WouldBlock, StoreClosed):
            self.release(send)
            return False
        return True

    def push(self, send: ImmediateSend, ids: Iterable[int]) -> None:
        """Pushes the messages of a send, which has stored them under these ids."""
        push = self._dispatcher.push_new
        for id_, message in zip(ids, send.messages, strict=True):
            push(message.phone, id_, message)

    def release(self, send: ImmediateSend) -> None:
        """Gives the places of a send back, which has stored nothing."""
        for (phone, sim), message in zip(send.places, send.messages, strict=True):
            self._dispatcher.release(phone, sim, message.segments)

    def _reserve(self, messages: Sequence[Pushed], places: Sequence[Place]) -> bool:
        """Takes the places of all messages, or none."""
        if len(messages) == 1:
            phone, sim = places[0]
            return self._dispatcher.reserve_all(phone, sim, (messages[0].segments,))
        wanted: dict[tuple[int, int | None], tuple[Place, list[int]]] = {}
        for place, message in zip(places, messages, strict=True):
            key = (message.phone, message.sim_slot)
            wanted.setdefault(key, (place, []))[1].append(message.segments)
        taken: list[tuple[Place, list[int]]] = []
        for place, segments in wanted.values():
            if not self._dispatcher.reserve_all(*place, segments):
                for (phone, sim), some in taken:
                    for one in some:
                        self._dispatcher.release(phone, sim, one)
                return False
            taken.append((place, segments))
        return True
