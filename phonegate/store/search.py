"""Words of message bodies as the full-text index holds them. Pure.

SQLite's FTS5 only splits what this module gives it at blanks. Cutting words here rather than
in a tokenizer of SQLite puts the org into every word (`17b0xhello`), and so a search reads
only the word lists of its own org, prefix searches too, however much the others have stored.
The number after `b` is the message's bucket: a prefix search must read all the lists of a
bucket before it knows the first match, so the bucket's size bounds what any search costs.

Folding follows the spirit of FTS5's `unicode61 remove_diacritics 2`: case and the accents of
Latin, Greek and Cyrillic letters don't count. Marks that carry meaning in other scripts stay
part of their word; scripts that put no blanks between words are cut into single characters.

Anybody may write the texts, so what one costs is bounded: its beginning alone counts, and of the
marks on one letter no more than any language writes. To normalise a run of marks takes time that
grows with the square of its length, in which the whole process stands still.
"""

import unicodedata
import zlib
from itertools import groupby

BUCKET_BITS = 16
"""65,536 ids a bucket: a prefix found in all of them costs some 5 ms, and ten million
messages are 153 buckets, so that a word found nowhere costs some 10 ms."""

MAX_TEXT = 4_000
"""Characters of a body that count, from its beginning: a text of 25 parts. The rest is stored and
shown, and not searched."""

MAX_FOLDED = 4 * MAX_TEXT
"""The same once letters and their marks are apart: Korean has three for one, and some signs are
whole sentences (U+FDFA stands for eighteen characters)."""

MAX_MARKS = 30
"""Marks on one letter that count, as in the Stream-Safe Text Format (UAX #15, 13)."""

MAX_WORD = 64
"""Characters of a word that count: an address or a key in base64 is longer, and rarely sought."""

MAX_TERMS = 32
"""Words of a search that count. Each costs one walk over a word list."""

_KEPT_IN_MEMORY = 8192
"""Code points whose fate is remembered (0.1 KiB each): more than any one language uses, and a
bound against bodies that go through all 1.1 million."""

_COMBINING_ACCENTS = range(0x300, 0x370)
_UNSPACED = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1780, 0x1800),  # Khmer
    range(0x3040, 0x3100),  # Hiragana, Katakana
    range(0x3400, 0xA000),  # Han
    range(0xF900, 0xFB00),  # Han, compatibility
    range(0x20000, 0x32000),  # Han, supplementary
)


class _Fold(dict[int, str]):
    """What `str.translate` puts in a character's place, worked out when first needed."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code in _COMBINING_ACCENTS:
            folded = ""
        elif unicodedata.category(char)[0] not in "LNM":
            folded = " "
        elif any(code in script for script in _UNSPACED):
            folded = f" {char} "
        else:
            folded = char
        if len(self) < _KEPT_IN_MEMORY:
            self[code] = folded
        return folded


_FOLD = _Fold()


_HIDDEN_MARKS: dict[int, str] = {
    code: unicodedata.normalize("NFKD", chr(code))
    for code in (0x0F73, 0x0F75, 0x0F81, 0xFF9E, 0xFF9F)
}
"""Characters that don't count as marks and come apart into nothing else."""


def words(text: str, *, whole: bool = False) -> list[str]:
    """Returns the words of *text*, folded, in order, repeats included.

    *whole* takes all of it, as the index did before the step `_BOUNDS` of `migrations`.
    """
    if not whole:
        text = text[:MAX_TEXT]
    if text.isascii():
        folded = text.lower()
    elif whole:
        # What is in order is composed in time that grows with its length alone. Folding may leave
        # it out of order.
        composed = unicodedata.normalize("NFKC", _sorted_marks(text))
        folded = unicodedata.normalize("NFKD", _sorted_marks(composed.casefold()))
    else:
        folded = unicodedata.normalize("NFKD", _few_marks(text)).casefold()[:MAX_FOLDED]
    return [word[:MAX_WORD] for word in folded.translate(_FOLD).split()]


def _few_marks(text: str) -> str:
    """Returns a text without the marks beyond the first `MAX_MARKS` of each run."""
    if len(text) <= MAX_MARKS or not _has_marks(text):
        return text
    kept = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) or ord(char) in _HIDDEN_MARKS else 0
        if run <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _sorted_marks(text: str) -> str:
    """Returns a text that normalises to the same, in time that grows with its length alone."""
    if not _has_marks(text):
        return text
    text = text.translate(_HIDDEN_MARKS)
    runs = groupby(text, key=lambda char: unicodedata.combining(char) > 0)
    # Of letters all have the same class, and the order of equals stays.
    return "".join(char for _, run in runs for char in sorted(run, key=unicodedata.combining))


def _has_marks(text: str) -> bool:
    return any(map(unicodedata.combining, text)) or any(chr(c) in text for c in _HIDDEN_MARKS)


Terms = tuple[tuple[str, ...], str | None]
"""What a search asks for: whole words, and the beginning of one more."""


def terms(text: str) -> Terms | None:
    """Returns the words that *text* asks for. With a `*` at its end, the last is a prefix.

    `None` if it has no word.
    """
    wanted = words(text)[:MAX_TERMS]
    if not wanted:
        return None
    prefix = wanted.pop() if text.rstrip().endswith("*") else None
    return tuple(dict.fromkeys(wanted)), prefix


def matches(body: str, asked: Terms) -> bool:
    """Tells whether a body has every word asked for. The index gives the same answer, faster."""
    whole, prefix = asked
    present = set(words(body))
    return present.issuperset(whole) and (
        prefix is None or any(word.startswith(prefix) for word in present)
    )


def bucket(message: int) -> int:
    """Returns the bucket of a message's id."""
    return message >> BUCKET_BITS


def document(
    message: int, org: int, direction: str, address: str, body: str, *, whole: bool = False
) -> str:
    """Returns a message as the index stores it: its words, direction and address, as tokens.

    Must give the same for a message as long as that is stored: it is needed again to take the
    message out of the index. *whole* is as in `words`.
    """
    scope = _scope(org, bucket(message))
    tokens = [f"{scope}x{word}" for word in dict.fromkeys(words(body, whole=whole))]
    return " ".join((*tokens, f"{scope}d{direction}", _address(scope, address)))


def expression(
    org: int,
    number: int,
    whole: tuple[str, ...],
    prefix: str | None,
    *,
    direction: str | None,
    address: str | None,
) -> str:
    """Returns the FTS5 expression for one bucket. Tokens hold no quotes, so none is escaped.

    Without a *prefix* it finds what has the whole words, of which there must be one.
    """
    scope = _scope(org, number)
    tokens = [f'"{scope}x{word}"' for word in whole]
    if direction is not None:
        tokens.append(f'"{scope}d{direction}"')
    if address is not None:
        tokens.append(f'"{_address(scope, address)}"')
    if prefix is not None:
        tokens.append(f'"{scope}x{prefix}"*')
    return " AND ".join(tokens)


def _scope(org: int, number: int) -> str:
    return f"{org}b{number}"


def _address(scope: str, address: str) -> str:
    # A checksum is enough: readers compare the address itself as well.
    return f"{scope}a{zlib.crc32(address.encode()):08x}"
