"""How large the values of requests and reports may be: each limit once, for every way in.

An SMS has the same limits whether a phone pushes it by /webhook or over its link.
"""

from typing import Final

MAX_ID: Final = 2**63 - 1
"""The largest integer that SQLite stores (https://www.sqlite.org/datatype3.html)."""

MAX_PAGE: Final = 1000
"""Messages of one answer to `GET /messages`."""

MAX_COPIES: Final = 10_000
"""Copies of the database that a folder may keep: one an hour for a year."""

SECONDS_BELOW: Final = 100_000_000_000
"""An epoch time below this is in seconds (until the year 5138), from it on in ms (since 1973)."""

FIRST_SMS_MS: Final = 723_000_000_000
"""The end of November 1992: the first SMS was sent that December. What is earlier when it is
read as seconds is no time in seconds."""

SLOT_DIGITS: Final = 2
"""Digits of a slot index. Phones have one to four slots and SIM boxes dozens. Three digits and
more are a number, as Android tells it where the SIM holds no international form."""

MAX_SLOT: Final = 10**SLOT_DIGITS - 1
"""The highest slot that `sim` can name: phones have up to four SIMs, SIM boxes have dozens."""

MAX_SIMS: Final = MAX_SLOT + 1
"""SIMs of one phone: one in each slot."""

MAX_NUMBER: Final = 64
"""Characters of a SIM's number: E.164 has 16 with its plus, the rest is room for other forms."""

MAX_LABEL: Final = 128
"""Characters of names, models, carriers and the like."""

MAX_DEVICE_ID: Final = 128
"""Characters, with room for a UUID, an Android id, or a name that an owner chose."""

MAX_LOCAL_ID: Final = 200
"""Characters of a phone's own id of a message: a hash or a URI of its database fits well. A longer
one is taken too, and echoed whole, or the phone would not know its message again."""

MAX_RECEIVED: Final = 65_536
"""Characters of a received text: above the 39,015 of 255 parts (3GPP TS 23.040, 9.2.3.24.1)."""

MAX_ERROR: Final = 500
"""Characters kept of a phone's error text."""

MAX_SEGMENTS: Final = 255
"""Parts of one SMS: they are numbered in one byte (3GPP TS 23.040, 9.2.3.24.1)."""

MAX_MESSAGES: Final = 500
"""Messages in one call or `inbound` frame: what the default body limit holds as plain text."""

MAX_VALUES: Final = 20_000
"""Commas and opening brackets outside of strings, in one body or frame, of which each brings one
value at most: 40 for each of `MAX_MESSAGES`, who has at most ten fields. To read a megabyte of
nested or empty lists takes a hundred times as long as of texts, and all others wait."""

MAX_MEDIA: Final = 10
"""Media of one MMS, carriers' own limit for a message."""

MAX_URL: Final = 2_048
"""Characters of a media URL: the length that every HTTP client takes."""

MAX_FEATURES: Final = 32
"""Features in one `hello`. There are four so far."""
