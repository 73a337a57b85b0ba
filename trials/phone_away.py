"""Measures how soon a person learns that a phone was lost, and that it is back.

    python -m trials.phone_away

Two phones of one org are connected. The first is lost in two ways: killed, so that its link is
closed, and stopped, so that its link stays open and is dead. A message for its SIM waits. Notices
go to a web server here and, by SMS, through the second phone. The settings are those of every
gateway, unless others are given in the environment. Exits 1 if a notice takes longer than a minute.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from kit.gateway import GatewayProcess
from kit.receiver import receiving
from kit.simulated_phone import SimulatedPhone

ORG, SECRET = "club", "club-secret-key-1"
LOST, OTHER = "+15551110001", "+15551110002"
PERSON = "+15559990000"

PROMISED_S = 60.0
PATIENCE_S = 150.0
"""Longest wait for what does not come."""


def eventually(found: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if one := found():
            return one
        time.sleep(0.05)
    raise SystemExit(f"FAULT: {what} did not come in {PATIENCE_S:g} s")


def online(client: httpx.Client) -> int:
    """How many phones are connected that have reported their SIM."""
    phones = client.get(f"/phones/{ORG}").json()["phones"]
    return sum(phone["online"] and bool(phone["sims"]) for phone in phones)


def lose(how: str, settings: dict[str, object]) -> list[tuple[str, float]]:
    """Loses the first phone. Returns what took how many seconds."""
    took = []
    known = {"org": ORG, "secret": SECRET}
    with tempfile.TemporaryDirectory(prefix="phonegate-away-") as name, receiving() as receiver:
        folder = Path(name)
        notify = f"webhook:{receiver.url},sms:{ORG}:{PERSON}"
        chosen = {"ALARMS_NOTIFY": notify, **settings}
        with GatewayProcess(folder / "phonegate.db", settings=chosen) as gateway:
            client = httpx.Client(base_url=gateway.url, headers={"X-Secret-Key": SECRET})
            sms = {"org_id": ORG, "messages": [{"address": PERSON, "body": "makes the org"}]}
            client.post("/webhook", json=sms).raise_for_status()
            lost = SimulatedPhone(folder, gateway.url, **known, name="lost", number=LOST)
            other = SimulatedPhone(folder, gateway.url, **known, name="other", number=OTHER)
            try:
                eventually(lambda: online(client) == 2, "both phones")
                lost.process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
                began = time.monotonic()
                to_send = {"to": PERSON, "body": "for the lost phone", "sim": LOST}
                client.post(f"/send/{ORG}", json=to_send).raise_for_status()
                notice = eventually(lambda: receiver.taken[:1], "the notice")[0]
                took.append((f"{how}: webhook that it is away", notice.at - began))
                print(f"  {notice.json['sentence']}")

                def arrived() -> list[Any]:
                    page = client.get(f"/messages/{ORG}?direction=out").json()["messages"]
                    return [m for m in page if "Phone away" in m["body"] and m["sent_at"]]

                (message,) = eventually(arrived, "the SMS")
                took.append((f"{how}: SMS by the other phone", time.monotonic() - began))
                assert message["sim"] == OTHER
                if how == "killed":
                    lost = SimulatedPhone(folder, gateway.url, **known, name="lost", number=LOST)
                else:
                    lost.process.send_signal(signal.SIGCONT)
                eventually(lambda: online(client) == 2, "the phone's return")
                back = time.monotonic()
                notice = eventually(lambda: receiver.taken[1:2], "the all-clear")[0]
                took.append((f"{how}: webhook that it is back", notice.at - back))
                print(f"  {notice.json['sentence']}")
            finally:
                for phone in (lost, other):
                    os.kill(phone.process.pid, signal.SIGCONT)
                    phone.kill()
                client.close()
    return took


def main() -> int:
    argparse.ArgumentParser(
        prog="python -m trials.phone_away",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    settings: dict[str, object] = {
        name.removeprefix("PHONEGATE_"): value
        for name, value in os.environ.items()
        if name.startswith("PHONEGATE_")
    }
    took = [*lose("killed", settings), *lose("stopped", settings)]
    for what, seconds in took:
        print(f"{what:40} {seconds:5.1f} s")
    late = [what for what, seconds in took if seconds > PROMISED_S]
    for what in late:
        print("FAULT: later than a minute:", what)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
