"""Reads bytes in a charset whose name comes from outside. Pure."""

import codecs
import re
from typing import Final

_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}
)
"""What Python decodes by name too, and no text is written in. The first two take a time that grows
with the square of the length: minutes for a megabyte."""

_HALVES: Final = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which UTF-7 can hold alone, and no database can."""


def decoded(data: bytes, charset: str) -> str | None:
    """Returns the text that bytes are in a charset, named as MIME or Python names it.

    None where there is no such charset, or they are no text in it.
    """
    try:
        known = codecs.lookup(charset.strip())
        # As bytes.decode asks: base64 and its like are codecs too.
        if not known._is_text_encoding:  # noqa: SLF001
            return None
        if known.name.replace("-", "_") in _NO_CHARSETS:
            return None
        text = data.decode(known.name)
    except (LookupError, ValueError):
        return None
    return None if _HALVES.search(text) else text
