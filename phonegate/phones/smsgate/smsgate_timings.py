"""How long the gateway waits for a phone that is the app SMS Gateway for Android."""

import attrs


@attrs.frozen(kw_only=True)
class SmsgateTimings:
    """The waits of such a phone. Tests and trials pass shorter ones."""

    away_s: float = 60.0
    """Without stream and call, after which the phone counts as away. The app opens a stream again
    after 5 s, five times, and then after 30."""
    stream_s: float = 600.0
    """How long a stream lives. The app notices a dead one only after an hour, and a new one within
    5 s after an end."""
    keepalive_s: float = 15.0
    """Between two signs of life in a stream, so that both sides and what is between them keep it.
    Messages that were rung for and not fetched are rung for again then."""
    feed_s: float = 2.0
    """How long a pull waits for messages that are on their way to the list. A phone without a
    stream asks again after 15 minutes only."""
    commit_s: float = 20.0
    """How long a report waits to be written down. The app repeats what is not answered."""
    margin_ms: int = 900_000
    """What is asked for again after an absence begins so long before it: clocks differ, and the
    network may have held an SMS back."""
    fetch_s: float = 30.0
    """How long fetching all media of one MMS may take in one try."""
    fetch_pauses_s: tuple[float, ...] = (5.0, 30.0)
    """Between the tries to fetch media, of which there is one more. A place that fails for longer
    would keep its messages from failing, and with them a sender who could choose another place."""
    room_s: float = 1.0
    """Until media for which there was no memory are fetched again."""
