"""Sending from the number of a SIM that one of an org's own phones holds."""

from phonegate.domain.dispatch import Dispatcher
from phonegate.domain.idempotency import Keep
from phonegate.domain.sending import Outgoing, Sending, SendOutcome, Sent
from phonegate.model.phones import MMS, number_form
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.store.database import Database


class OwnPhones:
    """Accepts messages for the SIMs of an org's phones."""

    def __init__(self, database: Database, sending: Sending, dispatcher: Dispatcher) -> None:
        self._database = database
        self._sending = sending
        self._dispatcher = dispatcher

    async def has(self, org: int, number: str) -> bool:
        """Tells whether a number is a known SIM of the org."""
        form = number_form(number)
        if any(sim.form == form for p in self._dispatcher.online(org) for sim in p.sims):
            return True
        return bool(await self._database.read(lambda tx: tx.phones.holding(org, [form])))

    async def accept(
        self, sender: Principal, outgoing: Outgoing, *, keep: Keep[SendOutcome] | None = None
    ) -> Sent:
        """Stores a message for the phone that holds the SIM, and pushes it if it can leave now.

        Raises:
            BadInput: The message has media, and the phone can't send any or is not online.
            UnknownSim, StorageUnavailable, Conflict, TooSlowError: As `Sending.send`.
        """
        if outgoing.media_urls:
            self.phone_for_media(sender.org, outgoing.sim_selector)
        return (await self._sending.send(sender, [outgoing], keep=keep)).results[0]

    def phone_for_media(self, org: int, number: str | None) -> int:
        """Returns the phone that would send a message with media.

        Args:
            org: Whose phones.
            number: The number of the SIM that must send it. None: any SIM.

        Raises:
            BadInput: No phone could.
        """
        online = self._dispatcher.online(org)
        if number is None:
            able = next((one.phone for one in online if MMS in one.features), None)
            if able is None:
                raise _no_media("need a phone that is online and can send MMS, and none is")
            return able
        holders = [
            phone for phone in online if any(sim.form == number_form(number) for sim in phone.sims)
        ]
        if not holders:
            raise _no_media(
                "need a phone that is online and can send MMS, and none with this SIM is"
            )
        if MMS not in holders[0].features:
            raise _no_media("can't be sent by the phone with this SIM, which knows no MMS")
        return holders[0].phone


def _no_media(problem: str) -> BadInput:
    """Returns the refusal of media that a phone can't send."""
    return BadInput(f"media_urls {problem}.", [FieldProblem("media_urls", problem)])
