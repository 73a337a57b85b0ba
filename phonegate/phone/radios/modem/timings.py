"""The deadlines of a modem, in one place so that tests can pass shorter ones."""

import attrs

from phonegate.phone.radios.radio import MAX_PARTS


@attrs.frozen(kw_only=True)
class ModemTimings:
    """Seconds for each wait."""

    connect_s: float = 10
    """To connect to the bus, which is on this machine."""
    call_s: float = 30
    """For a call that asks ModemManager for what it knows, or to delete. Its own AT commands take
    up to ten seconds, and wait for one another."""
    enable_s: float = 180
    """To switch a modem on, or to unlock its SIM: slow ones take a minute."""
    send_s: float = 330
    """To send. ModemManager itself gives up after 300 s, and its word is better than none."""
    part_s: float = 5
    """More to send, for each part of a long text after the first: a network takes one within
    seconds."""
    appear_s: float = 20
    """For a modem to appear after the program's start: one that was just plugged in takes ten."""
    settle_s: float = 60
    """For the end of a send that an earlier run of the program began and the daemon goes on with.
    A network that takes an SMS does so within some seconds."""
    sweep_s: float = 60
    """Between two looks at a modem that says nothing. Signals are what usually makes it look."""
    recheck_s: float = 6 * 3600
    """Between two times at which ModemManager is made to read the modem's memory again. It may
    overlook an SMS, which is then late by some hours and not lost; and the modem is without its
    network for some seconds each time."""
    lasting_s: float = 60
    """After which a trouble counts as lasting. A modem that is switched off and on, or plugged in
    again, is back before."""
    idle_s: float = 60
    """Without a message to send before that. One that was just waited for begins within them."""
    reconnect_s: tuple[float, float] = (1, 30)
    """Before connecting to the bus again: at first, and at most."""

    @property
    def attempt_s(self) -> float:
        """Seconds for a whole attempt: to create the SMS, to send it, to ask for its reference."""
        return self.sending_s(MAX_PARTS) + 3 * self.call_s

    def sending_s(self, parts: int) -> float:
        """Returns the seconds to send a text of so many parts."""
        return self.send_s + (parts - 1) * self.part_s


TIMINGS = ModemTimings()
"""The deadlines for a real modem."""
