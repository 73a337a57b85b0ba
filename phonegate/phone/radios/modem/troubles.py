"""Why a modem can't be used, in a sentence for the person who runs the phone. Pure."""

import re
from collections.abc import Sequence
from typing import Final

import attrs

from phonegate.phone.radios.modem.objects import SIM_MISSING, Modem

UNAUTHORIZED: Final = "ModemManager1.Error.Core.Unauthorized"
FIRST_GOOD_VERSION: Final = (1, 24)
"""The first ModemManager that joins the parts of a long SMS by their sender too."""

POLKIT_RULE: Final = """polkit.addRule(function(action, subject) {
  if ((action.id == "org.freedesktop.ModemManager1.Messaging" ||
       action.id == "org.freedesktop.ModemManager1.Device.Control") &&
      subject.user == "phonegate") return polkit.Result.YES;
});"""
"""The rule that lets a service's user send, read and delete SMS, and switch a modem on."""


@attrs.frozen(kw_only=True)
class Trouble:
    """A reason why the modem can't be used now."""

    sentence: str
    may_pass: bool = False
    """Whether it may pass by itself, as for a modem that is starting."""


def no_bus(problem: str) -> Trouble:
    """Returns the trouble of a machine without a message bus."""
    return Trouble(
        sentence=f"There is no connection to the system's message bus: {problem}. Install and "
        "start dbus; in a container, mount /run/dbus/system_bus_socket."
    )


def no_daemon() -> Trouble:
    """Returns the trouble of a machine on which ModemManager does not run."""
    return Trouble(
        sentence="ModemManager does not run. Install it (apt install modemmanager) and start it "
        "(systemctl enable --now ModemManager)."
    )


def silent() -> Trouble:
    """Returns the trouble of a daemon that answers no call."""
    return Trouble(
        sentence="ModemManager does not answer. See what it says: journalctl -u ModemManager.",
        may_pass=True,
    )


def refused(error: str) -> Trouble:
    """Returns the trouble of a call that was refused, by the name of its error."""
    if error == UNAUTHORIZED:
        return Trouble(
            sentence="polkit does not let this user use the modem. Write this to "
            "/etc/polkit-1/rules.d/60-phonegate.rules, with the user that runs phonegate, and "
            f"start again:\n{POLKIT_RULE}"
        )
    return Trouble(sentence=f"ModemManager refused a call with {error}.", may_pass=True)


def choose(modems: Sequence[Modem], wanted: str | None) -> Modem | Trouble:
    """Returns the modem to use.

    Args:
        modems: Those that there are.
        wanted: The IMEI or the index of one. None takes the only one.
    """
    listed = ", ".join(f"{one.imei} ({one.name})" for one in modems)
    if wanted is not None:
        fitting = [one for one in modems if wanted in {one.imei, one.index}]
        if fitting:
            return fitting[0]
        others = f"ModemManager lists {listed}" if modems else "ModemManager lists no modem"
        return Trouble(sentence=f"The modem {wanted} was not found: {others}.", may_pass=True)
    if not modems:
        return Trouble(
            sentence="There is no modem. Plug it in and see whether `mmcli -L` lists it; a stick "
            "that shows itself as a disk needs usb-modeswitch (apt install usb-modeswitch).",
            may_pass=True,
        )
    if len(modems) > 1:
        return Trouble(sentence=f"There are several modems. Name one by its IMEI: {listed}.")
    return modems[0]


def unusable(modem: Modem) -> Trouble | None:
    """Returns why a modem that was found is of no use, whatever is done about it, or None."""
    if modem.state >= 0:
        return None
    if modem.failed_reason == SIM_MISSING:
        return Trouble(sentence=f"The modem {modem.imei} has no SIM. Put one in.", may_pass=True)
    return Trouble(
        sentence=f"The modem {modem.imei} has failed (reason {modem.failed_reason}). Unplug it and "
        "plug it in again; journalctl -u ModemManager says more.",
        may_pass=True,
    )


def pin_wanted(modem: Modem) -> Trouble:
    """Returns the trouble of a locked SIM without a PIN to try."""
    return Trouble(
        sentence=f"The SIM in the modem {modem.imei} is locked. Give its PIN: "
        "PHONEGATE_MODEM_PIN, or pin in [modem] of gateway.toml."
    )


def pin_refused(modem: Modem) -> Trouble:
    """Returns the trouble of a PIN that did not unlock the SIM, and is never tried again."""
    return Trouble(
        sentence=f"The PIN did not unlock the SIM in the modem {modem.imei}, and is not tried "
        "again, because a SIM blocks itself after three wrong ones. Give the right PIN, or unlock "
        f"the SIM once by hand: mmcli -i {sim_index(modem)} --pin=PIN."
    )


def few_tries(modem: Modem) -> Trouble:
    """Returns the trouble of a SIM that a wrong PIN would block."""
    return Trouble(
        sentence=f"The SIM in the modem {modem.imei} may have one try left before it asks for its "
        f"PUK, so the PIN is not tried. Unlock it by hand: mmcli -i {sim_index(modem)} --pin=PIN."
    )


def puk_wanted(modem: Modem) -> Trouble:
    """Returns the trouble of a SIM that asks for more than its PIN."""
    return Trouble(
        sentence=f"The SIM in the modem {modem.imei} is blocked and asks for its PUK, or for "
        f"another code than its PIN. Unlock it by hand: mmcli -i {sim_index(modem)} "
        "--puk=PUK --pin=NEWPIN."
    )


def no_sms(modem: Modem) -> Trouble:
    """Returns the trouble of a modem that can only carry data."""
    return Trouble(
        sentence=f"The modem {modem.imei} offers no SMS to ModemManager. Many sticks do in one "
        "of their modes only: see usb-modeswitch.",
        may_pass=True,
    )


def not_on(modem: Modem) -> Trouble:
    """Returns the trouble of a modem that is starting, or stopping."""
    return Trouble(sentence=f"The modem {modem.imei} is not switched on yet.", may_pass=True)


def sim_index(modem: Modem) -> str:
    """Returns the number of the SIM as `mmcli` names it."""
    return (modem.sim or "/0").rpartition("/")[2]


def mixes_parts(version: str) -> bool:
    """Says whether this ModemManager may mix the parts of long SMS from two senders."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and tuple(map(int, numbers.groups())) < FIRST_GOOD_VERSION
