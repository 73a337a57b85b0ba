"""`phonegate phone --simulate --as smsgate`: phones with the app SMS Gateway for Android."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from phonegate.cli.phone.connection import Connection, notice

if TYPE_CHECKING:
    from phonegate.phone.radios.simulated import RadioLog
    from phonegate.phone.smsgate.air import AppAntenna
    from phonegate.phone.smsgate.app_faults import AppPlan
    from phonegate.phone.smsgate.app_timings import AppTimings

CHOICE: Final = "smsgate"


def _chance(name: str, text: str) -> click.Option:
    return click.Option([name], type=click.FloatRange(0, 1), default=0.0, metavar="P", help=text)


OPTIONS: Final = (
    click.Option(
        ["--app", "profile"],
        type=click.Choice(["1.68", "later"]),
        default="1.68",
        show_default=True,
        help="smsgate: the app's version. later: it also sends MMS.",
    ),
    click.Option(
        ["--hasten", "factor"],
        type=click.FloatRange(min=1),
        default=1.0,
        metavar="N",
        help="smsgate: make all pauses of the app N times shorter.",
    ),
    click.Option(
        ["--mms-every", "mms_every_s"],
        type=click.FloatRange(0, min_open=True),
        metavar="S",
        help="smsgate: receive an MMS every S seconds.",
    ),
    _chance("--drop-answers", "smsgate: lose an answer after the gateway did what was asked."),
    _chance("--double-streams", "smsgate: open a second stream beside the first."),
    _chance("--hole", "smsgate: die between radio and journal, where the app itself sends twice."),
    _chance("--miss", "smsgate: overlook a received message, until the gateway asks for it."),
    click.Option(
        ["--clock-skew", "clock_skew_s"],
        type=float,
        default=0.0,
        metavar="S",
        help="smsgate: how many seconds the phone's clock is ahead.",
    ),
    click.Option(
        ["--push-token"],
        metavar="TEXT",
        help="smsgate: have Google's services, and so open no stream until set to SSE only.",
    ),
)
"""The options that only a phone with the app takes."""

PARAMETERS: Final = frozenset(str(option.name) for option in OPTIONS)

LINK_ONLY: Final = frozenset({"protocol", "battery", "secret_in_url", "reconnect_s"})
"""The parameters that a phone with the app has no use for."""


def job(
    connection: Connection,
    values: dict[str, Any],
    *,
    speaker: Callable[[Callable[[str, str], None], "RadioLog | None"], "AppAntenna"],
    summarize: Callable[[Mapping[str, int]], None],
) -> Callable[[], Awaitable[None]]:
    """Returns the work: being phones with the app.

    Args:
        connection: Where, and as whom.
        values: The values of all options of simulated phones, by name.
        speaker: Makes the antenna that a person sees, over the log.
        summarize: Prints what the phones did.

    Raises:
        click.UsageError: The address makes no sense.
    """
    from phonegate.phone.smsgate.app_faults import AppPlan  # noqa: PLC0415 - `--help` is fast
    from phonegate.phone.smsgate.app_timings import AppTimings  # noqa: PLC0415 - as above
    from phonegate.phone.smsgate.mobile_api import api_address  # noqa: PLC0415 - as above

    address = connection.address
    scheme = "https" if address.tls else "http"
    path = address.resource.removesuffix("/websocket")
    try:
        base = api_address(f"{scheme}://{address.netloc}{path}")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    plan = AppPlan(
        lose_reports=values["lose_results"],
        no_result=values["vanish"],
        clock_skew_ms=round(1000 * values["clock_skew_s"]),
        **{
            name: values[name]
            for name in (
                *("profile", "fail", "repeat", "reorder", "drop_answers", "lose_links"),
                *("double_streams", "crash", "hole", "miss", "delay_ms", "delivery_reports"),
                *("reply", "inbound_every_s", "mms_every_s", "push_token"),
            )
        },
    )
    return _Simulation(
        connection=connection,
        base=base,
        plan=plan,
        timings=AppTimings().hastened(values["factor"]),
        phones=values["phones"],
        seed=values["seed"],
        journal=values["journal"],
        radio_log=values["radio_log"],
        speaker=speaker,
        summarize=summarize,
    ).run


@attrs.frozen(kw_only=True)
class _Simulation:
    connection: Connection
    base: str
    plan: "AppPlan"
    timings: "AppTimings"
    phones: int
    seed: int
    journal: Path | None
    radio_log: Path | None
    speaker: "Callable[[Callable[[str, str], None], RadioLog | None], AppAntenna]"
    summarize: Callable[[Mapping[str, int]], None]

    @property
    def verbose(self) -> bool:
        return self.connection.verbose or self.phones == 1

    async def run(self) -> None:
        from phonegate import trust  # noqa: PLC0415 - `--help` is fast
        from phonegate.phone.fleet import identities  # noqa: PLC0415 - as above
        from phonegate.phone.smsgate.app_fleet import AppFleet, owners  # noqa: PLC0415 - as above
        from phonegate.phone.smsgate.mobile_api import (  # noqa: PLC0415 - as above
            Clients,
            cleartext_refusal,
        )

        connection = self.connection
        refusal = cleartext_refusal(self.base)
        if refusal is not None:
            notice(refusal)
        rng = Random(self.seed)  # noqa: S311 (faults, not secrets)
        prefix = connection.device_id or "app"
        who = identities(self.phones, rng, prefix=prefix, sims=connection.sims)
        phones = owners(
            [
                (
                    connection.device_id
                    if self.phones == 1 and connection.device_id
                    else one.device_id,
                    connection.name or f"Simulated/{one.device_id}",
                    one.sims,
                )
                for one in who
            ],
            connection.address.secret,
        )
        with self._files() as files:
            # Webhooks may be https:// where the API is not.
            async with Clients.make(connection.address.ssl_context or trust.context()) as clients:
                fleet = AppFleet(
                    self.base,
                    phones,
                    clients=clients,
                    plan=self.plan,
                    timings=self.timings,
                    rng=rng,
                    notice=self._notice,
                    **files,
                )
                try:
                    await fleet.run()
                finally:
                    self.summarize(fleet.summary())

    def _notice(self, device: str, text: str) -> None:
        if self.verbose:
            notice(f"{device}: {text}")

    @contextlib.contextmanager
    def _files(self) -> Iterator[dict[str, Any]]:
        from phonegate.phone.radios.simulated import RadioLog  # noqa: PLC0415 - `--help` is fast
        from phonegate.phone.smsgate.app_journal import AppJournalFile  # noqa: PLC0415 - as above

        with contextlib.ExitStack() as stack:
            files: dict[str, Any] = {}
            if self.journal is not None:
                files["journal"] = stack.enter_context(AppJournalFile(self.journal))
            log = None
            if self.radio_log is not None:
                log = stack.enter_context(contextlib.closing(RadioLog(self.radio_log)))
            if self.verbose:
                files["antenna"] = self.speaker(self._notice, log)
            elif log is not None:
                files["antenna"] = log
            yield files
