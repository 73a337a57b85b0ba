"""What Android says of the phone, its SIM and its battery. Pure, and lenient: all may be absent."""

from collections.abc import Mapping
from typing import Any

import attrs

UNUSABLE_SIMS = frozenset({"absent", "pin_required", "puk_required", "network_locked"})
"""The states of a SIM that last until a person changes them. Others pass, such as after a start."""

_CHARGING = frozenset({"CHARGING", "FULL"})


@attrs.frozen(kw_only=True)
class Telephony:
    """What `termux-telephony-deviceinfo` says, which is about the SIM for calls alone."""

    slots: int = 1
    """How many SIMs the phone has room for."""
    sim_state: str | None = None
    carrier: str | None = None
    network: str | None = None
    """The mobile network, such as `lte`."""

    @classmethod
    def of(cls, answer: Any) -> "Telephony":
        """Reads an answer."""
        fields: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
        slots = fields.get("phone_count")
        return cls(
            slots=slots if type(slots) is int and slots > 0 else 1,
            sim_state=_word(fields.get("sim_state")),
            carrier=_word(fields.get("sim_operator_name")),
            network=_word(fields.get("network_type")),
        )


@attrs.frozen(kw_only=True)
class Battery:
    """What `termux-battery-status` says."""

    percent: int | None = None
    charging: bool | None = None

    @classmethod
    def of(cls, answer: Any) -> "Battery":
        """Reads an answer."""
        fields: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
        percent: Any = fields.get("percentage")
        known = type(percent) in {int, float} and 0 <= percent <= 100  # noqa: PLR2004 (percent)
        state = _word(fields.get("status"))
        return cls(
            percent=round(percent) if known else None,
            charging=None if state is None else state.upper() in _CHARGING,
        )


def level(answer: Any) -> int | None:
    """Returns the signal (0 to 4) of the cells that the phone uses, of `termux-telephony-cellinfo`.

    Two SIMs may use a cell each: the better one counts.
    """
    cells = answer if isinstance(answer, list) else []
    levels = [
        cell["level"]
        for cell in cells
        if isinstance(cell, dict)
        and cell.get("registered") is True
        and _is_level(cell.get("level"))
    ]
    return max(levels, default=None)


def _is_level(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 4  # noqa: PLR2004 (as Android counts bars)


def _word(value: Any) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None
