"""A fake Twilio and Telnyx to try the gateway without an account."""

import json
import signal
import sys

import click
import trio

from kit.fake_carrier.carrier import FakeCarrier
from kit.fake_carrier.exchange import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, help="Port; 0 takes a free one.")
@click.option("--step", default=0.02, show_default=True, help="Seconds between a message's states.")
@click.option("--twilio-inbound", help="Where to post messages that come in at Twilio.")
@click.option("--telnyx-inbound", help="Where to post messages that come in at Telnyx.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
def main(
    host: str,
    port: int,
    step: float,
    twilio_inbound: str | None,
    telnyx_inbound: str | None,
    *,
    as_json: bool,
) -> None:
    """Speaks both carriers' APIs on one port and sends nothing to anyone."""
    carrier = FakeCarrier(settings=Settings(step_s=step))
    carrier.twilio.sms_url = twilio_inbound
    carrier.telnyx.webhook_url = telnyx_inbound

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                lambda task_status: carrier.serve(host=host, port=port, task_status=task_status)
            )
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                click.echo(json.dumps({"url": url}) if as_json else _welcome(carrier))
                sys.stdout.flush()
                await anext(signals)
            nursery.cancel_scope.cancel()

    trio.run(serve)


def _welcome(carrier: FakeCarrier) -> str:
    twilio, telnyx = carrier.twilio, carrier.telnyx
    return f"""fake carriers at {carrier.base_url}

[carriers]
twilio_url = "{carrier.base_url}"
telnyx_url = "{carrier.base_url}"

twilio: account_sid {twilio.sid}
        auth_token  {twilio.token}
        numbers     {", ".join(twilio.numbers)}
telnyx: api_key     {telnyx.api_key}
        public_key  {telnyx.public_key}
        numbers     {", ".join(telnyx.numbers)}

What was sent: GET {carrier.base_url}/_ledger
Trouble and inbound messages: POST {carrier.base_url}/_control"""


if __name__ == "__main__":
    main()
