"""Version numbers, and which of two is the later one. Pure."""

import re
from typing import Final, Self

import attrs

_NUMBER: Final = r"(0|[1-9][0-9]{0,5})"
_FORM: Final = re.compile(
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    r"(?:[-~.]?(dev|alpha|beta|rc|a|b)[-.]?([0-9]{0,6}))?"
    # What a packaging adds, such as Debian's revision.
    r"(?:[-+][0-9A-Za-z.+~]{1,40})?"
)
_EARLY: Final = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "rc": 3}
_RELEASE: Final = (9, 0)
"""Comes after all that come before a release."""


@attrs.frozen(order=True)
class VersionNumber:
    """A version, in the order of Semantic Versioning and of the forms that Python and Debian use.

    Args:
        number: Major, minor and patch.
        early: Which step before the release it is.
        text: It in the form that Python uses, for a person.
    """

    number: tuple[int, int, int]
    early: tuple[int, int] = _RELEASE
    text: str = attrs.field(default="", order=False, eq=False)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Reads `1.2.3`, `v1.2.3`, `1.2.3rc1`, `1.2.3-rc.1` or `1.2.3~rc1-1`, else None."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        major, minor, patch, word, count = found.groups()
        shown = f"{major}.{minor}.{patch}{word or ''}{count or ''}"
        early = (_EARLY[word], int(count or 0)) if word else _RELEASE
        return cls((int(major), int(minor), int(patch)), early, shown)
