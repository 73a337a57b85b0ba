"""The modem itself: AT commands in, answers out, and what it sent kept to be counted. Pure."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import attrs

from kit.fake_modem import pdu as pdus

OK = "\r\nOK\r\n"
ERROR = "\r\nERROR\r\n"
PROMPT = "\r\n> "
WRONG_PIN = "\r\n+CME ERROR: 16\r\n"
PUK_WANTED = "\r\n+CME ERROR: 12\r\n"
LOCKED = "\r\n+CMS ERROR: 311\r\n"
NO_SUCH_INDEX = "\r\n+CMS ERROR: 321\r\n"

PIN_TRIES = 3
"""Wrong ones before the SIM asks for its PUK."""

Then = Literal["refuse", "hold", "die"]
"""Instead of the usual answer to an SMS: an error before it is sent, or none after it was sent.
`hold` answers once that is asked for, `die` takes the modem away."""


@attrs.frozen(kw_only=True)
class Fault:
    """What happens to the next SMS that the modem is given. `code` is that of `+CMS ERROR`."""

    then: Then
    code: int = 38


@attrs.frozen(kw_only=True)
class Stored:
    """One SMS in a memory of the modem. `state` is that of `+CMGL` (3GPP TS 27.005, 3.1)."""

    state: int
    pdu: str


@attrs.define(kw_only=True)
class FakeModem:
    """A modem with a SIM, registered at a network that takes everything.

    Args:
        imei: Its serial number.
        pin: Locks the SIM. None leaves it open.
        number: The SIM's own number, where it knows it.
        capacity: The SMS that each memory holds.
        announce: Gets each line that the modem says by itself.
        vanish: Called when the modem dies.
    """

    imei: str = "490154203237518"
    iccid: str = "89490200001234567890"
    pin: str | None = None
    number: str | None = None
    operator: str = "Fake Mobile"
    capacity: int = 30
    signal: int = 20
    has_network: bool = True
    announce: Callable[[str], None] = attrs.field(default=lambda _: None)
    vanish: Callable[[], None] = attrs.field(default=lambda: None)
    air: list[pdus.Submitted] = attrs.field(factory=list)
    """Each SMS that it sent, part by part."""
    held: str | None = attrs.field(default=None, init=False)
    """The answer that it keeps back."""
    pin_tries: list[str] = attrs.field(factory=list, init=False)
    faults: list[Fault] = attrs.field(factory=list, init=False)
    _locked: bool = attrs.field(init=False)
    _wrong: int = attrs.field(default=0, init=False)
    _operator_form: int = attrs.field(default=0, init=False)
    _reference: int = attrs.field(default=0, init=False)
    _memory: dict[int, Stored] = attrs.field(factory=dict, init=False)
    _reports: list[tuple[str, int]] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._locked = self.pin is not None

    # The network's side.

    def receive(
        self, sender: str, text: str, *, at: float | None = None, announced: bool = True
    ) -> int:
        """Takes an SMS from the network, which has it since `at` (seconds since 1970).

        One that is not `announced` lies in the memory as if its notice had been overlooked.
        Returns how many of its parts found room.
        """
        reference = self._next_reference()
        moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
        parts = pdus.deliver(sender, text, moment, reference)
        return sum(self.receive_part(part, announced=announced) for part in parts)

    def receive_part(self, pdu: str, *, announced: bool = True) -> bool:
        """Takes one SMS-DELIVER. Returns False where there was no room for it."""
        index = self._store(Stored(state=0, pdu=pdu))
        if index is None:
            return False
        if announced:
            self.announce(f'\r\n+CMTI: "ME",{index}\r\n')
        return True

    def roam(self, *, network: bool) -> None:
        """Comes to a place with a network, or without one."""
        self.has_network = network
        for command in ("+CREG", "+CGREG"):
            self.announce(f"\r\n{command}: {self._registration()}\r\n")

    def deliver(self, status: int = 0) -> int:
        """Reports on every SMS that asked for it and was not yet reported. Returns how many."""
        waiting, self._reports = self._reports, []
        for to, reference in waiting:
            report = pdus.status_report(to, reference, datetime.now(UTC), status)
            self.announce(f"\r\n+CDS: {pdus.length(report)}\r\n{report}\r\n")
        return len(waiting)

    def stored(self) -> list[str]:
        """Returns the PDUs in its memory."""
        return [one.pdu for one in self._memory.values()]

    def forget(self) -> None:
        """Loses its memory, as a broken SIM does, and what it sent."""
        self._memory.clear()
        self._reports.clear()
        self.air.clear()

    def release(self) -> str:
        """Returns the answer that was kept back."""
        answer, self.held = self.held, None
        return answer or ""

    # The computer's side.

    def command(self, line: str) -> str:
        """Answers one command line."""
        word = line.strip()
        if not word.upper().startswith("AT"):
            return ERROR
        name, _, value = word[2:].partition("=")
        if self._locked and name.upper().startswith(_SMS_COMMANDS):
            return LOCKED
        handler = _HANDLERS.get(name.upper() + ("=" if "=" in word else ""))
        if handler is not None:
            return handler(self, value)
        return OK if _SETTING.fullmatch(word[2:]) else ERROR

    def sms(self, text: str) -> str | None:
        """Answers the PDU that follows the prompt. None is silence."""
        return self._send(text.strip().upper())

    def _send(self, pdu: str) -> str | None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and fault.then == "refuse":
            return f"\r\n+CMS ERROR: {fault.code}\r\n"
        sms = pdus.submitted(pdu)
        reference = self._next_reference()
        self.air.append(sms)
        if sms.wants_report:
            self._reports.append((sms.to, reference))
        answer = f"\r\n+CMGS: {reference}\r\n" + OK
        if fault is None:
            return answer
        if fault.then == "hold":
            self.held = answer
        else:
            self.vanish()
        return None

    def _next_reference(self) -> int:
        self._reference = (self._reference + 1) % 256
        return self._reference

    def _store(self, sms: Stored) -> int | None:
        if len(self._memory) >= self.capacity:
            return None
        index = next(one for one in range(1, self.capacity + 1) if one not in self._memory)
        self._memory[index] = sms
        return index

    # Commands.

    def pin_state(self, _: str) -> str:
        if not self._locked:
            return "\r\n+CPIN: READY\r\n" + OK
        wanted = "SIM PUK" if self._wrong >= PIN_TRIES else "SIM PIN"
        return f"\r\n+CPIN: {wanted}\r\n" + OK

    def unlock(self, value: str) -> str:
        if self._wrong >= PIN_TRIES:
            return PUK_WANTED
        given = value.strip('"')
        self.pin_tries.append(given)
        if given != self.pin:
            self._wrong += 1
            return WRONG_PIN if self._wrong < PIN_TRIES else PUK_WANTED
        self._locked, self._wrong = False, 0
        return OK

    def choose_memory(self, value: str) -> str:
        if value == "?":
            return '\r\n+CPMS: ("ME"),("ME"),("ME")\r\n' + OK
        used = ",".join([f"{len(self._memory)},{self.capacity}"] * 3)
        return f"\r\n+CPMS: {used}\r\n" + OK

    def list_memory(self, value: str) -> str:
        wanted = int(value or 4)
        lines = [
            f"\r\n+CMGL: {index},{one.state},,{pdus.length(one.pdu)}\r\n{one.pdu}"
            for index, one in sorted(self._memory.items())
            if wanted in {4, one.state}
        ]
        return "".join(lines) + ("\r\n" if lines else "") + OK

    def read(self, value: str) -> str:
        index = int(value)
        one = self._memory.get(index)
        if one is None:
            return NO_SUCH_INDEX
        self._memory[index] = attrs.evolve(one, state=one.state | 1)
        return f"\r\n+CMGR: {one.state},,{pdus.length(one.pdu)}\r\n{one.pdu}\r\n" + OK

    def delete(self, value: str) -> str:
        index = int(value.partition(",")[0])
        return OK if self._memory.pop(index, None) else NO_SUCH_INDEX

    def own_number(self, _: str) -> str:
        if self.number is None:
            return OK
        return f'\r\n+CNUM: "","{self.number}",145\r\n' + OK

    def sim_file(self, value: str) -> str:
        # The file with the identity of the card (3GPP TS 51.011, 10.1.1); none of the others.
        if value.startswith("176,12258"):
            data = pdus.semi_octets(self.iccid).hex().upper()
            return f'\r\n+CRSM: 144,0,"{data}"\r\n' + OK
        return ERROR

    def registered(self, _: str) -> str:
        return f"\r\n+CREG: 2,{self._registration()}\r\n" + OK

    def registered_for_data(self, _: str) -> str:
        return f"\r\n+CGREG: 2,{self._registration()}\r\n" + OK

    def _registration(self) -> str:
        return '1,"0001","00000001"' if self.has_network else "2"

    def network(self, _: str) -> str:
        return f'\r\n+COPS: 0,{self._operator_form},"{self._operator_name()}"\r\n' + OK

    def _operator_name(self) -> str:
        return "26299" if self._operator_form == 2 else self.operator

    def choose_network(self, value: str) -> str:
        if value == "?":
            return ERROR
        fields = value.split(",")
        if fields[0] == "3":
            self._operator_form = int(fields[1])
        return OK


_SMS_COMMANDS = ("+CMG", "+CNMI", "+CPMS", "+CSCA", "+CMSS")
_SETTING = re.compile(r"&?[A-Z]\d*|\+C(MEE|MGF|NMI|REG|GREG|FUN|SMS|IND|R)=[^?].*", re.IGNORECASE)
"""Settings that change nothing here."""


def _says(text: str) -> Callable[[FakeModem, str], str]:
    return lambda _, __: f"\r\n{text}\r\n" + OK


def _answers(text: str) -> Callable[[FakeModem, str], str]:
    """Answers the question which values a setting may have, and takes any."""
    return lambda _, value: f"\r\n{text}\r\n" + OK if value == "?" else OK


_HANDLERS: dict[str, Callable[[FakeModem, str], str]] = {
    "": lambda _, __: OK,
    "+CGMI": _says("Fake"),
    "+CGMM": _says("Modem One"),
    "+CGMR": _says("1.0"),
    "+CGSN": lambda modem, _: f"\r\n{modem.imei}\r\n" + OK,
    "+GCAP": _says("+GCAP: +CGSM,+DS,+ES"),
    "+CIMI": _says("262990000000001"),
    "+CPIN?": FakeModem.pin_state,
    "+CPIN=": FakeModem.unlock,
    "+CLCK=": _says("+CLCK: 0"),
    "+CFUN?": _says("+CFUN: 1"),
    "+CREG?": FakeModem.registered,
    "+CGREG?": FakeModem.registered_for_data,
    "+CSQ": lambda modem, _: f"\r\n+CSQ: {modem.signal},99\r\n" + OK,
    "+COPS?": FakeModem.network,
    "+COPS=": FakeModem.choose_network,
    "+CNUM": FakeModem.own_number,
    "+CRSM=": FakeModem.sim_file,
    "+CMGF=": _answers("+CMGF: (0)"),
    "+CNMI=": _answers("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)"),
    "+CPMS=": FakeModem.choose_memory,
    "+CPMS?": FakeModem.choose_memory,
    "+CMGL=": FakeModem.list_memory,
    "+CMGR=": FakeModem.read,
    "+CMGD=": FakeModem.delete,
    "+CMGS=": lambda _, __: PROMPT,
}
