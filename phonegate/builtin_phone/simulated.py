"""Runs simulated phones within the gateway: at most one for each org, until it is stopped."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs
import trio

from phonegate import log
from phonegate.domain.accounts import Accounts
from phonegate.model.refusals import Conflict
from phonegate.phones.admission import Admission
from phonegate.phones.close_codes import POLICY_VIOLATION, REPLACED
from phonegate.phones.station import PhoneServices

if TYPE_CHECKING:
    from phonegate.builtin_phone.connector import InnerConnector
    from phonegate.phone.connector import Session
    from phonegate.phone.link import End
    from phonegate.phone.radios.radio import Transmission

MOST: Final = 16
"""Simulated phones at once, some 100 kB each. They are for trying, not for load."""

DEVICE_ID: Final = "simulated-phone"
NAME: Final = "Simulated phone"
NUMBER: Final = "+15550000001"
"""Of its SIM. Numbers that begin so belong to fiction (NANP, 555-0100 and its neighbours)."""

CONNECT_S: Final = 10.0
"""Seconds in which it connects, or never."""

RADIO_MS: Final = (400.0, 900.0)
"""What its radio takes for an SMS, so that a person can watch the states change."""

ANSWER_S: Final = 1.5
"""Seconds until the recipient of an SMS answers: soon, and not before it was delivered."""

MOST_ANSWERS: Final = 100
"""Answers under way. What is sent beyond them gets none."""

SHOWN: Final = 300
"""Characters of an SMS that the answer to it repeats."""

_log = log.get("phones")


class SimulatedPhones:
    """The simulated phones of a gateway. It implements `domain.simulation.Simulation`."""

    def __init__(self, accounts: Accounts, admission: Admission, services: PhoneServices) -> None:
        self._accounts = accounts
        self._admission = admission
        self._services = services
        self._phones: dict[int, _Phone] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Runs those that are started, until `close` is called or this is cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def close(self) -> None:
        """Ends all of them, and starts no more."""
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def runs(self, org: int) -> bool:
        """Tells whether the org has a simulated phone now."""
        return org in self._phones

    async def start(self, org: int, org_name: str) -> None:
        """Gives an org a simulated phone, see `Simulation.start`."""
        phone = self._phones.get(org)
        if phone is None:
            if self._nursery is None:
                raise Conflict("The gateway is about to stop.")
            if len(self._phones) >= MOST:
                raise Conflict(f"{MOST} phones are simulated already, the most at once. Stop one.")
            phone = self._phones[org] = _Phone(org=org_name)
            self._nursery.start_soon(self._be_phone, org, phone)
        with trio.move_on_after(CONNECT_S):
            await phone.settled.wait()
        if not phone.connected:
            phone.scope.cancel()
            raise Conflict(f"The simulated phone could not connect: {phone.why or 'no answer'}.")

    async def stop(self, org: int) -> None:
        """Ends an org's simulated phone, see `Simulation.stop`."""
        phone = self._phones.get(org)
        if phone is not None:
            phone.scope.cancel()
            await phone.ended.wait()

    async def _be_phone(self, org: int, phone: "_Phone") -> None:
        # With the first of them: most gateways simulate none.
        from phonegate.builtin_phone.connector import InnerConnector  # noqa: PLC0415

        connector = InnerConnector(
            org=phone.org,
            accounts=self._accounts,
            admission=self._admission,
            services=self._services,
        )
        try:
            with phone.scope:
                await phone.run(connector)
            phone.why = connector.refusal
        except Exception as error:  # noqa: BLE001 - its fault never ends the gateway
            _log.error("simulated_phone_failed", org=phone.org, exc_info=error)
            phone.why = type(error).__name__
        finally:
            del self._phones[org]
            phone.settled.set()
            phone.ended.set()


@attrs.define(kw_only=True, eq=False)
class _Phone:
    """A simulated phone, and how far it is."""

    org: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    settled: trio.Event = attrs.field(factory=trio.Event)
    """Set once it is connected, or has ended before."""
    connected: bool = False
    ended: trio.Event = attrs.field(factory=trio.Event)
    why: str | None = None
    """Why it has ended."""

    async def run(self, connector: "InnerConnector") -> None:
        """Is a phone until it is cancelled, forgotten or not let in."""
        from phonegate.phone.radios.radio import SimCard  # noqa: PLC0415 - as above
        from phonegate.phone.radios.simulated import Identity  # noqa: PLC0415
        from phonegate.phone.simulated_faults import Plan  # noqa: PLC0415
        from phonegate.phone.simulated_phone import SimulatedPhone  # noqa: PLC0415

        sims = (SimCard(slot=0, number=NUMBER, carrier="Simulated"),)
        async with trio.open_nursery() as nursery:
            people = _People(nursery)
            phone = SimulatedPhone(
                _UntilForgotten(connector),
                identity=Identity(device_id=DEVICE_ID, name=NAME, sims=sims),
                plan=Plan(delay_ms=RADIO_MS, delivery_reports=True, battery=True),
                radio=people,
            )
            people.answer = phone.receive_sms
            await phone.run(task_status=self)
            nursery.cancel_scope.cancel()

    def started(self, value: object = None) -> None:
        """Notes that it is connected. It is the `trio.TaskStatus` of its program."""
        del value
        self.connected = True
        self.settled.set()


@attrs.frozen
class _UntilForgotten:
    """Connects until the phone is forgotten or refused: then it is over."""

    inner: "InnerConnector"

    async def hold(
        self, session: "Session", *, device_id: str | None, name: str | None, known: bool
    ) -> "End":
        """Connects within the process, see `Connector.hold`."""
        end = await self.inner.hold(session, device_id=device_id, name=name, known=known)
        if end.code == POLICY_VIOLATION or self.inner.refusal is not None:
            return attrs.evolve(end, code=REPLACED)
        return end


class _People:
    """An antenna whose SMS reach people that answer. It is a `phone.radios.simulated.Antenna`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._answering = 0
        self.answer: Callable[[str, str], object] | None = None
        """Makes their SMS arrive at the phone."""

    def transmit(self, transmission: "Transmission") -> None:
        """Has the recipient answer in a moment."""
        if self._answering < MOST_ANSWERS:
            self._answering += 1
            self._nursery.start_soon(self._answer, transmission.to, transmission.body)

    async def _answer(self, number: str, body: str) -> None:
        await trio.sleep(ANSWER_S)
        self._answering -= 1
        if self.answer is not None:
            shown = body if len(body) <= SHOWN else f"{body[:SHOWN]}…"
            self.answer(number, f"Simulated answer to: {shown}")
