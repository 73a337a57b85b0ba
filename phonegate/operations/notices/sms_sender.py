"""Notices by SMS, through the phones and carriers of an org, one after the other."""

import math
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final

import attrs
import trio

from phonegate.api.services import Services
from phonegate.domain.carrier_answers import CarrierSent
from phonegate.domain.carrier_sending import Draft
from phonegate.domain.sending import Outgoing
from phonegate.model.assistants import PHONE
from phonegate.model.messages import Message
from phonegate.model.principal import SCOPES, Principal
from phonegate.model.refusals import Refused
from phonegate.model.states import DELIVERED, QUEUED, SENDING, SENT
from phonegate.model.storage_errors import StoreError
from phonegate.operations.notices.messenger import NotDelivered
from phonegate.operations.notices.notice import Notice

TTL_S: Final = 600
"""An SMS about an alarm that could not leave for ten minutes is sent anew, in newer words."""

PRIORITY: Final = 127
"""The highest that there is: it leaves before what waits for the same SIM."""

RESULT_S: Final = 20.0
"""How long a phone may take to send it, before the next way is tried. An SMS takes a few seconds.
The recipient may then get it twice, which is better than never."""

LOOK_S: Final = 0.5
"""Between two looks at what became of it."""


TAKE_BACK_S: Final = 2.0
"""How long it may take to withdraw an SMS where the time for its notice is over."""


@attrs.frozen
class _Way:
    """One phone or carrier of an org."""

    key: tuple[str, int]
    name: str
    send: Callable[[str], Awaitable[str]]
    """Sends a text through it."""


class SmsSender:
    """Sends notices to one number.

    Args:
        org: The OrgId of the org whose phones and carriers are used.
        number: The recipient.
        services: Those of the gateway.
        failing: Returns the assistants whose carrier does not answer now.
        result_s: How long a phone may take.
    """

    def __init__(
        self,
        org: str,
        number: str,
        services: Services,
        failing: Callable[[], Collection[int]],
        *,
        result_s: float = RESULT_S,
    ) -> None:
        self._org = org
        self._number = number
        self._services = services
        self._failing = failing
        self._result_s = result_s
        self._failed_at: dict[tuple[str, int], float] = {}
        """When each way that did not work was tried last. It is then tried after the others, which
        the time for a notice may not suffice for."""

    async def send(self, notice: Notice) -> str:
        """Sends a notice by the first way that works, and that it is not about.

        Raises:
            NotDelivered: None did. The text has the reason of each.
        """
        try:
            org = await self._services.accounts.orgs.named(self._org)
            sender = Principal(org=org.id, org_name=org.name, scopes=SCOPES)
            ways = await self._ways(sender, notice)
        except (Refused, StoreError) as error:
            raise NotDelivered(str(error)) from None
        if not ways:
            raise NotDelivered(
                f"no phone of org {self._org} is online and no carrier of it works, other than "
                "what the alarm is about"
            )
        reasons = []
        for way in ways:
            self._failed_at[way.key] = trio.current_time()
            try:
                said = await way.send(notice.sms)
            except (NotDelivered, Refused, StoreError, trio.TooSlowError) as error:
                reasons.append(f"{way.name}: {str(error) or 'the disk is too slow'}")
            else:
                # Another notice that goes the same way meanwhile may have said so already.
                self._failed_at.pop(way.key, None)
                return f"{way.name}: {said}"
        raise NotDelivered("; ".join(reasons))

    async def _ways(self, sender: Principal, notice: Notice) -> list[_Way]:
        """Returns what may be tried, the phones first, and last what did not work before.

        What the notice is about is not among them.
        """
        bad_phones, bad_assistants = notice.values("phone"), notice.values("assistant")
        ways: list[_Way] = []
        for phone in self._services.switchboard.online(sender.org):
            if phone.phone not in bad_phones:
                name = phone.name or f"phone {phone.phone}"
                send = partial(self._by_phone, sender, phone.phone)
                ways.append(_Way(("phone", phone.phone), name, send))
        failing = self._failing()
        for one in await self._services.assistants.of_org(sender.org):
            works = one.id not in bad_assistants and one.id not in failing
            if one.provider != PHONE and one.phone_numbers and works:
                name = f"{one.provider} ({one.name})"
                send = partial(self._by_carrier, sender, one.phone_numbers[0])
                ways.append(_Way(("assistant", one.id), name, send))
        failed = self._failed_at
        self._failed_at = {way.key: failed[way.key] for way in ways if way.key in failed}
        return sorted(ways, key=lambda way: self._failed_at.get(way.key, -math.inf))

    async def _by_phone(self, sender: Principal, phone: int, text: str) -> str:
        outgoing = Outgoing(
            to=self._number,
            body=text,
            ttl_s=TTL_S,
            priority=PRIORITY,
            on_uncertain="hold",
            phone=phone,
        )
        (sent,) = (await self._services.sending.send(sender, [outgoing])).results
        try:
            message = await self._outcome(sender, sent.id)
        except trio.Cancelled:
            # The time for the notice is over, and it is sent anew.
            with trio.move_on_after(TAKE_BACK_S, shield=True):
                await self._take_back(sender, sent.id)
            raise
        if message is None:
            raise NotDelivered("its message is gone")
        if message.status in (SENT, DELIVERED):
            return f"{message.status} (message {message.id})"
        if message.status in (QUEUED, SENDING):
            # Else it might leave beside the one that goes another way, or later.
            await self._take_back(sender, message.id)
            raise NotDelivered(f"not sent within {self._result_s:g} s")
        raise NotDelivered(f"{message.status}: {message.error or 'no reason given'}")

    async def _take_back(self, sender: Principal, message_id: int) -> None:
        with suppress(Refused, StoreError):
            await self._services.withdrawal.cancel(sender, message_id)

    async def _outcome(self, sender: Principal, message_id: int) -> Message | None:
        """Returns a message once there is a result, or as it is when the time for that is over."""
        message: Message | None = None
        with trio.move_on_after(self._result_s):
            while True:
                message = await self._services.messages.one(
                    sender, message_id, lambda found, _: found
                )
                if message is None or message.status not in (QUEUED, SENDING):
                    break
                await trio.sleep(LOOK_S)
        return message

    async def _by_carrier(self, sender: Principal, number: str, text: str) -> str:
        draft = Draft(sender=number, to=self._number, body=text, ttl_s=TTL_S)
        answered = await self._services.carrier_sending.send(sender, draft)
        if isinstance(answered, CarrierSent):
            return f"{answered.status} (message {answered.id})"
        raise NotDelivered(answered.reason)
