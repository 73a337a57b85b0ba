"""The carriers' clients in front of the fake carrier, and the list of all that keep the contract.

Another way to send joins the suite with a `Stand` of its own in `STANDS`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

import attrs
import trio

from kit.fake_carrier import FakeCarrier, Fault, FaultKind
from kit.fake_carrier.accounts import CarrierName
from kit.fake_carrier.journeys import MAGIC
from phonegate.carriers.telnyx.client import Telnyx
from phonegate.carriers.twilio.client import Twilio
from phonegate.domain.carrier import Account, Outbound
from phonegate.model.times import now_ms

from .samples import API_KEY, BODY, TOKEN
from .stand_base import Stand
from .stub import end_time, nowhere


class FakeStand(Stand):
    """A client of ours in front of the fake carrier."""

    name: CarrierName
    carrier: Twilio | Telnyx
    sender: str
    refuser: str
    refusal: str
    failure: str

    def __init__(self, fake: FakeCarrier, nowhere: str) -> None:
        self.fake = fake
        self._nowhere = nowhere
        fake.twilio.token = TOKEN
        fake.telnyx.api_key = API_KEY
        self.carrier = self._open(fake.base_url)

    @classmethod
    async def open(cls, nursery: trio.Nursery, folder: Path) -> Self:  # noqa: ARG003 - it keeps no files
        fake = FakeCarrier()
        await nursery.start(fake.serve)
        return cls(fake, await nowhere())

    def _open(self, url: str) -> Twilio | Telnyx:
        if self.name == "twilio":
            return Twilio(url, self.fake.twilio.sid, TOKEN, grace_s=0)
        return Telnyx(url, API_KEY, grace_s=0)

    def message(self, *, body: str = BODY, media_urls: Sequence[str] = ()) -> Outbound:
        return Outbound(
            sender=self.sender,
            recipient="+15551230001",
            body=body,
            media_urls=tuple(media_urls),
            reference=str(uuid4()),
            accepted_at=now_ms(),
        )

    def refused(self) -> tuple[Outbound, str]:
        return attrs.evolve(self.message(), recipient=self.refuser), self.refusal

    def failing(self) -> tuple[Outbound, str]:
        return attrs.evolve(self.message(), recipient=MAGIC + self.failure), self.failure

    def taken(self) -> list[tuple[str, str, str, tuple[str, ...]]]:
        return [
            (str(sms.sender), sms.recipient, sms.text, sms.media)
            for sms in self.fake.ledger.on_air(carrier=self.name)
        ]

    def trouble(self, kind: FaultKind, *, reading: bool = False, delay_s: float = 0.6) -> None:
        fault = Fault(kind=kind, carrier=self.name, delay_s=delay_s, retry_after_s=7)
        self.fake.fault(attrs.evolve(fault, on="read") if reading else fault)

    async def end_time(self) -> None:
        requests = self.fake.ledger.requests
        await self.fake.wait_until(lambda: bool(requests) and requests[-1].fault == "slow")
        end_time(self.carrier._api)

    async def done(self, carrier_id: str) -> None:
        await self.fake.wait_for(carrier_id)

    def unreachable(self) -> Account:
        return self._open(self._nowhere)


class TwilioStand(FakeStand):
    name = "twilio"
    sender = "+15005550006"
    unknown_id = "SM" + "0" * 32
    refuser = MAGIC + "50004"
    refusal = "21610"
    failure = "30003"


class TelnyxStand(FakeStand):
    name = "telnyx"
    sender = "+15005550010"
    unknown_id = "40385f64-5717-4562-b3fc-2c963f66afa6"
    refuser = MAGIC + "40300"
    refusal = "40300"
    failure = "40008"


STANDS: dict[str, type[Stand]] = {
    "twilio": TwilioStand,
    "telnyx": TelnyxStand,
}
