"""The phone lane: from a websocket handshake at the server to a session, or to a refusal."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from time import perf_counter
from typing import Final, Protocol
from urllib.parse import unquote, unquote_plus

import attrs
import trio

from phonegate import log
from phonegate.config.settings import Settings
from phonegate.domain.authentication import Authentication
from phonegate.domain.delivery import Policy
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reported_texts import is_device_id, label
from phonegate.domain.reported_values import Kind
from phonegate.http.origins import ForeignPage, Origins
from phonegate.http.problem import Problem
from phonegate.model import refusals
from phonegate.model.phones import Phone, Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    BadInput,
    FieldProblem,
    Refused,
    Throttled,
)
from phonegate.model.storage_errors import StoreError, TooMany
from phonegate.phones.heartbeat import Heartbeat
from phonegate.phones.room import Room
from phonegate.phones.session import Session, Surroundings, Tenant
from phonegate.phones.switchboard import POLICY_VIOLATION, Switchboard
from phonegate.phones.wire import LinkLost, PhoneSocket
from phonegate.store.database import Database
from phonegate.store.tables import Tables

HANDSHAKE_S: Final = 15.0
"""From the head to the answered upgrade. Checking a new secret takes a fraction of a second;
the rest is for a queue of such checks after a restart."""

CLOSING_S: Final = 4.0
"""For the end of the connection; a little more than the stream's own deadline."""

UNAVAILABLE: Final = "The gateway's storage is not available now. Try again soon."


_log = log.get("phones")


class Head(Protocol):
    """What is needed of a request's head; the server's `RequestHead` is one."""

    @property
    def query(self) -> str:
        """The undecoded query."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Lower-case names and values."""


class Peer(Protocol):
    """Who the client is; the server's `Peer` is one."""

    @property
    def address(self) -> str:
        """The client's address, behind trusted proxies."""

    @property
    def relayed(self) -> bool:
        """Whether a proxy that is not trusted passed it on."""

    @property
    def scheme(self) -> str:
        """What the client speaks, `https` where that is encrypted."""


@attrs.frozen(kw_only=True)
class _Request:
    """What a handshake asks for."""

    credential: str | None = attrs.field(repr=False)
    org_name: str | None
    device_id: str | None
    plain_device_id: str | None
    """The same with its pluses, as earlier versions read it."""
    name: str | None
    key: bytes

    @classmethod
    def read(cls, head: Head) -> "_Request":
        """Reads header and query.

        Raises:
            BadInput: the `device_id` is none, or the handshake has no key.
        """
        headers = dict(reversed(head.headers))
        query = _query(head.query)
        given = query.get("device_id")
        # A plus is a space, as in every form, for programs write their addresses like forms.
        device_id = None if given is None else unquote_plus(given)
        if device_id is not None and not is_device_id(device_id):
            problem = FieldProblem("device_id", "must be 1 to 128 printable characters")
            raise BadInput(f"device_id {problem.problem}.", [problem])
        key = headers.get("sec-websocket-key", "")
        if not (key and key.isascii()):
            raise BadInput("A websocket handshake has a Sec-WebSocket-Key.")
        bearer = headers.get("authorization", "").partition(" ")
        credential = headers.get("x-secret-key")
        if not credential and bearer[0].lower() == "bearer":
            credential = bearer[2].strip()
        if not credential:
            # unquote and not unquote_plus: a secret may hold a plus and never a space.
            credential = unquote(query.get("secret_key", ""))
        org_name = query.get("org_id")
        return cls(
            credential=credential or None,
            org_name=None if org_name is None else unquote(org_name),
            device_id=device_id,
            plain_device_id=None if given is None else unquote(given),
            name=label(unquote_plus(query.get("name", ""))),
            key=key.encode(),
        )


@attrs.frozen(kw_only=True)
class _Arrival:
    """A phone that may come in, with the row that it begins on."""

    row: Phone
    fresh: bool
    usual_sim: Sim | None
    owing: bool
    in_doubt: bool


class PhoneLink:
    """Serves the websockets of phones."""

    def __init__(
        self,
        *,
        authentication: Authentication,
        database: Database,
        switchboard: Switchboard,
        settings: Settings,
        policy: Policy,
        now_ms: Callable[[], int],
        rate_limits: RateLimits | None = None,
        cleaned: Counter[Kind] | None = None,
    ) -> None:
        """`cleaned` counts what was put right of phones' reports."""
        self._authentication = authentication
        http = settings.http
        self._origins = Origins(http.public_url, http.allowed_origins)
        self._rate_limits = rate_limits = RateLimits() if rate_limits is None else rate_limits
        self._shared = Surroundings(
            database=database,
            switchboard=switchboard,
            settings=settings,
            policy=policy,
            heartbeat=Heartbeat(),
            rate_limits=rate_limits,
            now_ms=now_ms,
            cleaned=Counter() if cleaned is None else cleaned,
            room=Room(),
        )
        self.refused = 0
        """Handshakes refused since the start: wrong secrets, for the most part."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keeps the time of all phones, until cancelled: no link lasts long without it."""
        await self._shared.heartbeat.run(task_status=task_status)

    async def serve(self, stream: trio.abc.Stream, head: Head, peer: Peer) -> None:
        """Serves one handshake to the end of its link, and closes the stream.

        Whatever goes wrong ends this link alone; nothing but a cancellation is raised.
        """
        address = peer.address
        socket = self._socket(stream)
        try:
            session = await self._meet(stream, socket, head, peer)
            # A link may last for weeks: what only its beginning needed goes now.
            del head, peer
            if session is not None:
                try:
                    await session.run()
                finally:
                    with trio.move_on_after(CLOSING_S, shield=True):
                        await socket.drop()
        except* Exception as group:  # noqa: BLE001 - one phone's fault must stay its own
            _log.error("phone_link_failed", peer=address, exc_info=group)
        finally:
            await trio.aclose_forcefully(stream)

    def _socket(self, stream: trio.abc.Stream) -> PhoneSocket:
        phones = self._shared.settings.phones
        return PhoneSocket(
            stream,
            max_frame_bytes=phones.max_frame_bytes,
            max_inbound_bytes=phones.max_inbound_bytes,
            write_timeout_s=phones.write_timeout_s,
            room=self._shared.room,
        )

    async def _meet(
        self, stream: trio.abc.Stream, socket: PhoneSocket, head: Head, peer: Peer
    ) -> Session | None:
        """Checks the handshake and answers it; the session to run, if it comes to one."""
        address = peer.address
        with trio.move_on_after(HANDSHAKE_S):
            try:
                fields = _fields(head)
                self._expect_no_page(fields, peer)
                request = _Request.read(head)
                foreign_host = self._origins.is_foreign_host(fields)
                principal = await self._admit(request, peer, foreign_host=foreign_host)
                arrival = await self._arrive(principal, request)
            except Refused as refused:
                self.refused += 1
                _log.info("phone_refused", peer=address, code=refused.code)
                await _refuse(stream, Problem.of(refused))
            except StoreError as error:
                self.refused += 1
                _log.warning("phone_refused", peer=address, reason=str(error))
                await _refuse(stream, Problem.storage_unavailable(UNAVAILABLE))
            except trio.BrokenResourceError:
                pass
            else:
                return await self._accept(socket, request, principal, arrival)
        return None

    def _expect_no_page(self, fields: Mapping[str, str], peer: Peer) -> None:
        """Refuses a web page of another site: browsers let any of them open a websocket anywhere.

        Raises:
            ForeignPage: one may have opened this.
            Throttled: and too many such requests came from its address.
        """
        if self._origins.is_foreign(fields, secure=peer.scheme == "https"):
            self._rate_limits.stranger(peer.address, perf_counter())
            raise ForeignPage

    async def _admit(self, request: _Request, peer: Peer, *, foreign_host: bool) -> Principal:
        """Who the phone is, if it may come in now.

        Raises:
            Refused: as `Authentication.authenticate`, or there are too many such handshakes.
        """
        address, now = peer.address, perf_counter()
        wait = self._rate_limits.handshake(address, now)
        if wait and not (
            request.credential
            and self._authentication.recalls(
                request.credential,
                request.org_name,
                address,
                relayed=peer.relayed,
                foreign_host=foreign_host,
            )
        ):
            seconds = ceil(wait)
            raise Throttled(
                f"Too many phones come from this address at once. Try again in {seconds} s.",
                seconds,
            )
        try:
            principal = await self._authentication.authenticate(
                request.credential,
                org_name=request.org_name,
                address=address,
                scope="phone",
                create=True,
                relayed=peer.relayed,
                foreign_host=foreign_host,
            )
        except Refused:
            self._rate_limits.stranger(address, now)
            raise
        self._rate_limits.request(principal.org, now)
        return principal

    async def _accept(
        self, socket: PhoneSocket, request: _Request, principal: Principal, arrival: _Arrival
    ) -> Session | None:
        """Answers the upgrade; None where nobody is there any more."""
        accepted = False
        try:
            await socket.accept(request.key)
            accepted = True
        except LinkLost:
            return None
        finally:
            if not accepted:
                self._shared.switchboard.unclaim(request)
        session = Session(
            socket,
            self._shared,
            tenant=Tenant(id=principal.org, name=principal.org_name),
            online=OnlinePhone(
                phone=arrival.row.id,
                device_id=arrival.row.device_id,
                name=arrival.row.name,
                sims=(),
            ),
            usual_sim=arrival.usual_sim,
            fresh=arrival.fresh,
            owing=arrival.owing,
            in_doubt=arrival.in_doubt,
        )
        if not self._authentication.is_current(principal):
            session.close(POLICY_VIOLATION, "the credentials of this org have changed")
        return session

    async def _arrive(self, principal: Principal, request: _Request) -> _Arrival:
        """Finds or makes the row of the phone, and claims it.

        Raises:
            Unauthorized: the org was removed this very moment.
            OrgFull: the phone is not known, and the org has as many as it may.
            StoreError: it can't be stored.
        """
        while True:
            try:
                arrival = await self._try_row(principal.org, request)
            except BaseException:
                self._shared.switchboard.unclaim(request)
                raise
            # Another phone may have found a new row before it was claimed for this one.
            if request.device_id is not None or self._shared.switchboard.claim(
                arrival.row.id, request
            ):
                if arrival.row.first_seen == arrival.row.last_seen:
                    _log.info("phone_added", org=principal.org_name, phone=arrival.row.id)
                return arrival

    async def _try_row(self, org: int, request: _Request) -> _Arrival:
        free, likely = None, None
        if request.device_id is None:
            free, likely = await self._free_row(org, request)
        now = self._shared.now_ms()
        most = self._rate_limits.bounds.org_phones
        try:
            arrival = await self._shared.database.write(
                lambda tx: _connect(tx, org, request, (free, likely), now, most=most)
            )
        except TooMany:
            self._rate_limits.note("org_phones")
            raise refusals.OrgFull(most, "phones") from None
        if arrival is None:
            raise refusals.Unauthorized("The org or its secret is wrong.")
        return arrival

    async def _free_row(self, org: int, by: object) -> tuple[int | None, int | None]:
        """Claims a row for an unnamed phone that has told no number yet.

        That is never the row of a phone whose numbers are known: such a one is known again when
        it reports them, and what waits for it is nobody else's. Of these the second value is the
        one seen last, by whose SIM the connection is paced until it has reported its own.
        """
        switchboard, likely = self._shared.switchboard, None
        for row in await self._shared.database.read(lambda tx: tx.phones.anonymous(org)):
            if not row.numbered:
                if switchboard.claim(row.id, by):
                    return row.id, likely
            elif likely is None and switchboard.at(row.id) is None:
                likely = row.id
        return None, likely


def _connect(
    tx: Tables,
    org: int,
    request: _Request,
    rows: tuple[int | None, int | None],
    now: int,
    *,
    most: int,
) -> _Arrival | None:
    free, likely = rows
    if tx.orgs.by_id(org) is None:
        return None
    device_id = request.device_id
    if request.plain_device_id != device_id and not tx.phones.has_device(org, device_id):
        # A phone that is known by its name with pluses stays the one that it is.
        plain = request.plain_device_id
        device_id = plain if tx.phones.has_device(org, plain) else device_id
    row = tx.phones.connect(org, device_id, now, phone=free, most=most)
    if request.name is not None:
        tx.phones.describe(row.id, name=request.name, now=now)
        row = attrs.evolve(row, name=request.name)
    sims = tx.phones.sims_of(row.id)
    if likely is not None:
        sims = sims or tx.phones.sims_of(likely)
    return _Arrival(
        row=row,
        fresh=request.device_id is None and row.id != free,
        usual_sim=sims[0] if sims else None,
        # Of an unnamed phone nobody knows yet whether it is the one that owes.
        owing=row.device_id is not None
        and any(message.acked_at is None for message in tx.messages.unsettled(row.id)),
        in_doubt=row.device_id is None and tx.phones.has_known(org),
    )


def _fields(head: Head) -> dict[str, str]:
    """The fields of a head; one that was sent twice is joined with a comma."""
    fields: dict[str, str] = {}
    for name, value in head.headers:
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _query(text: str) -> dict[str, str]:
    """The fields of a query, undecoded; of a repeated one the first."""
    pairs = (pair.partition("=") for pair in text.split("&"))
    fields: dict[str, str] = {}
    for name, _, value in pairs:
        fields.setdefault(unquote_plus(name), value)
    return fields


async def _refuse(stream: trio.abc.Stream, problem: Problem) -> None:
    """Answers a handshake with an error, in plain HTTP."""
    headers, body = problem.written()
    status = HTTPStatus(problem.status)
    lines = [f"HTTP/1.1 {status} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in (*headers, ("Connection", "close"))]
    try:
        await stream.send_all("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await stream.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return
