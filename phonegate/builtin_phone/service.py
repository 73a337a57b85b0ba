"""Keeps the gateway's own phone going, whatever becomes of its modem."""

from pathlib import Path
from typing import Final, Self

import attrs
import trio

from phonegate import log
from phonegate.builtin_phone.connector import InnerConnector
from phonegate.config.settings import ModemSettings
from phonegate.domain.accounts import Accounts
from phonegate.phone.errors import PhoneError
from phonegate.phone.program import run_radio
from phonegate.phone.radios.modem.radio import SLOT, ModemRadio
from phonegate.phone.radios.radio import SimCard
from phonegate.phones.admission import Admission
from phonegate.phones.station import PhoneServices

RETRY_S: Final = 30.0
"""Seconds until a modem that could not be used is tried again. It may be plugged in meanwhile."""

WORKED_S: Final = 600.0
"""A modem that went for so long had worked, so that its trouble is news, the same as before or not.
Waiting for one and switching it on take less."""

_log = log.get("modem")


@attrs.define(kw_only=True)
class BuiltinPhone:
    """The phone of `[modem]`.

    Args:
        settings: The section.
        connector: Its way to the gateway.
        journal: The file of its journal.
        retry_s: Seconds until it is tried again.
    """

    settings: ModemSettings
    connector: InnerConnector
    journal: Path
    retry_s: float = RETRY_S
    _radio: ModemRadio | None = attrs.field(default=None, init=False)
    _ended: str | None = attrs.field(default=None, init=False)
    """Why it is not a phone now, while it is not."""

    @property
    def problem(self) -> str | None:
        """Why its modem can't be used, in a sentence. None where it works, or may in a moment."""
        lasting = None if self._radio is None else self._radio.lasting_trouble
        return lasting or self._ended or self.connector.refusal

    @classmethod
    def assemble(
        cls,
        settings: ModemSettings,
        accounts: Accounts,
        admission: Admission,
        services: PhoneServices,
    ) -> Self:
        """Puts the phone of a gateway together. Its journal lies beside the database."""
        database = Path(services.settings.database.path)
        return cls(
            settings=settings,
            connector=InnerConnector(
                org=settings.org, accounts=accounts, admission=admission, services=services
            ),
            journal=database.with_name(f"{database.name}.modem"),
        )

    async def run(self) -> None:
        """Is a phone until cancelled. What goes wrong is logged and tried again."""
        said = ""
        while True:
            problem = "another phone has connected as this modem"
            begun = trio.current_time()
            try:
                await self._be_phone()
            except PhoneError as error:
                problem = str(error)
            except Exception as error:  # noqa: BLE001 - a modem's fault never ends the gateway
                _log.error("modem_failed", exc_info=error)
                problem = type(error).__name__
            if problem != said or trio.current_time() - begun >= WORKED_S:
                _log.warning("modem_unusable", problem=problem, retry_s=self.retry_s)
                said = problem
            self._ended = problem
            await trio.sleep(self.retry_s)

    async def _be_phone(self) -> None:
        settings = self.settings
        sims = [SimCard(slot=SLOT, number=settings.number)] if settings.number else []
        self._radio = ModemRadio(wanted=settings.imei or None, pin=settings.pin or None)
        await run_radio(
            self.connector,
            self._radio,
            journal=self.journal,
            name=settings.name or None,
            sims=sims,
            notice=self._note,
        )

    def _note(self, text: str) -> None:
        if self._radio is not None and self._radio.works:
            self._ended = None
        _log.info("modem_says", text=text)
