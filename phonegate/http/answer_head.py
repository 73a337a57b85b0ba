"""How long the head of an answer to an outgoing call may be. Pure.

A head is read line by line by the parser, without a pause for others: a server that sends nothing
but headers, or provisional answers (1xx) without end, would keep the whole gateway waiting for
seconds. So heads are measured before they are parsed.
"""

import re
from typing import Final

MOST_BYTES: Final = 16_384
"""Bytes of a head, with the provisional answers before it. Most web servers send no more than 8 KiB
of head. Parsing so many takes some 15 ms."""

MOST_PROVISIONAL: Final = 8
"""Provisional answers before the one that counts. There is seldom one (RFC 8297)."""

_PROVISIONAL: Final = re.compile(rb"HTTP/[0-9]\.[0-9] 1")

_END: Final = re.compile(rb"\n\r?\n")
"""What ends a head. The parser takes a bare line feed too."""

_LONGEST_END: Final = 3


class HeadTooLong(Exception):
    """A head has more bytes, or more provisional answers before it, than is read."""


class AnswerHead:
    """Measures the head of one answer, as its pieces come in."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0
        self._provisional = 0
        self._ended = False

    def take(self, piece: bytes) -> None:
        """Takes the next piece. What comes after the head is not looked at.

        Raises:
            HeadTooLong: The head is longer than may be read.
        """
        if self._ended:
            return
        searched = max(0, len(self._kept) - _LONGEST_END)
        self._kept += piece
        while not self._ended and (end := _END.search(self._kept, searched)) is not None:
            self._size += end.end()
            if _PROVISIONAL.match(self._kept):
                self._provisional += 1
                del self._kept[: end.end()]
                searched = 0
            else:
                self._ended = True
                self._kept.clear()
            if self._provisional > MOST_PROVISIONAL:
                raise HeadTooLong
        if self._size + len(self._kept) > MOST_BYTES:
            raise HeadTooLong
