"""The end of a simulation in words."""

import attrs

from phonegate.cli.summary import sentence
from phonegate.phone.device import Stats


def told(phones: int, **counts: int) -> str:
    return sentence({"phones": phones, **attrs.asdict(Stats(**counts))})


def test_one_phone() -> None:
    assert told(1, links=1, received=2, radioed=2, inbound_sent=2, inbound_acked=2) == (
        "Stopped. It was given 2 messages and sent 2; it received 2, of which the gateway has 2."
    )


def test_many_phones_with_faults() -> None:
    counts = {"received": 5, "radioed": 3, "failed": 1, "uncertain": 1, "repeats": 4, "cuts": 2}
    assert told(20, **counts, inbound_sent=7, inbound_acked=6) == (
        "Stopped. 20 phones were given 5 messages and sent 3 (1 failed, 1 uncertain); they "
        "received 7, of which the gateway has 6. Repeated pushes: 4. Links lost on purpose: 2."
    )
