"""The largest values of requests and reports. Each limit is defined once, for every way in.

An SMS has the same limits whether a phone pushes it by /webhook or over its link.
"""

from typing import Final

MAX_ID: Final = 2**63 - 1
"""The largest integer that SQLite stores (https://www.sqlite.org/datatype3.html)."""

MAX_PAGE: Final = 1000
"""Most messages of one answer to `GET /messages`."""

MAX_COPIES: Final = 10_000
"""Most copies of the database that a folder keeps: one an hour for a year."""

SECONDS_BELOW: Final = 100_000_000_000
"""An epoch time below this is in seconds (until the year 5138), from it on in ms (since 1973)."""

FIRST_SMS_MS: Final = 723_000_000_000
"""The end of November 1992: the first SMS was sent that December. A number that is earlier when
read as seconds is not a time in seconds."""

SLOT_DIGITS: Final = 2
"""Most digits of a slot index. Phones have one to four slots, and SIM boxes dozens. Three digits or
more are a phone number, as Android reports it where the SIM holds no international form."""

MAX_SLOT: Final = 10**SLOT_DIGITS - 1
"""The highest slot that `sim` can name: phones have up to four SIMs, SIM boxes have dozens."""

MAX_SIMS: Final = MAX_SLOT + 1
"""Most SIMs of one phone: one in each slot."""

MAX_NUMBER: Final = 64
"""Most characters of a SIM's number. E.164 has 16 with its plus. The rest is for other forms."""

MAX_LABEL: Final = 128
"""Most characters of names, models, carriers and the like."""

MAX_DEVICE_ID: Final = 128
"""Most characters of a device id, which may be a UUID, an Android id, or a name that an owner
chose."""

MAX_LOCAL_ID: Final = 200
"""Characters of a phone's own id of a message, which fit a hash or a URI of its database. A longer
one is accepted too, and echoed whole, since the phone would not recognise a part of it."""

MAX_RECEIVED: Final = 65_536
"""Most characters of a received text: more than those of `MAX_SEGMENTS` parts."""

MAX_ERROR: Final = 500
"""Most characters kept of a phone's error text."""

MAX_SEGMENTS: Final = 255
"""Most parts of one SMS: they are numbered in one byte (3GPP TS 23.040, 9.2.3.24.1)."""

MAX_CHARACTERS: Final = MAX_SEGMENTS * 153
"""Most characters that an org can let its texts have: `MAX_SEGMENTS` parts of GSM-7, each of which
holds 153 (3GPP TS 23.040, 9.2.3.24.1)."""

MAX_WINDOW: Final = 1_000
"""Most messages that a phone can say it takes at once: as many as the default widest window."""

MAX_MESSAGES: Final = 500
"""Most messages in one call or `inbound` frame: as many as fit the default body limit as plain
text."""

MAX_VALUES: Final = 20_000
"""Most commas and opening brackets outside of strings in one body or frame. Each precedes one value
at most: 40 for each of `MAX_MESSAGES`, which have ten fields at most. To read a megabyte of nested
or empty lists takes a hundred times as long as one of text, while all others wait."""

MAX_MEDIA: Final = 10
"""Most media of one MMS, which is the carriers' own limit."""

MAX_PARTS: Final = 20
"""Most parts that are kept of a received MMS: beside ten media, which carriers allow, it has texts
and a layout."""

MAX_PART_BYTES: Final = 2_097_152
"""Most bytes of a part that is kept. Carriers take no MMS larger than 1 to 3 MB in all."""

MAX_MMS_BYTES: Final = 4 * MAX_PART_BYTES
"""Most bytes of all parts of one message: some 50 ms of writing, for which all else waits."""

MAX_BODY: Final = 1600
"""Characters of an outbound text, unless its org allows others: the limit of the carriers' own
APIs, so that every provider can take what a phone can."""

MAX_URL: Final = 2_048
"""Most characters of a media URL: the length that every HTTP client accepts."""

MAX_FEATURES: Final = 32
"""Most features in one `hello`. There are four so far."""
