"""How long a text that is sent may be, in characters and in segments. Pure."""

from typing import Final

from phonegate.domain.segmentation import PART_UNITS, count
from phonegate.model.bounds import MAX_BODY, MAX_CHARACTERS, MAX_SEGMENTS

_ALWAYS_FITS: Final = MAX_SEGMENTS * (PART_UNITS // 2)
"""Characters that never take more segments than there may be, whatever they are: 33 pairs of
surrogates fit one part."""


def text_fault(text: str, most_characters: int = MAX_CHARACTERS) -> str | None:
    """Returns what is wrong with the length of a text, as the end of a sentence about it.

    Args:
        text: The text.
        most_characters: As the org has chosen; without, as many as the segments hold.
    """
    if len(text) > most_characters:
        return f"has {len(text)} characters, at most {most_characters} are allowed"
    if len(text) > _ALWAYS_FITS and (segments := count(text)) > MAX_SEGMENTS:
        return f"takes {segments} segments, at most {MAX_SEGMENTS} are allowed"
    return None


def carrier_text_fault(text: str) -> str | None:
    """Returns what is wrong with the length of a text that a carrier sends, likewise."""
    if len(text) > MAX_BODY:
        return (
            f"has {len(text)} characters, and the carrier of this number takes at most {MAX_BODY}"
        )
    return None
