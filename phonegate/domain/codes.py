"""One-time codes in the texts of SMS, and texts without them. Pure.

Who reads another's messages, such as an AI agent, must not be able to sign in as that person. A
text is taken to hold a code where its sender is no phone number (a name, or a short code), where
it speaks of codes in any of the usual languages, or where it is nothing but one. In such a text
all that looks like a code is blanked, and what follows the host in a link, which may sign in too.
To hide a price or a date with them is harmless, to show one code is not.
"""

import re
import unicodedata
from typing import Final

from phonegate.domain.numbers import SEPARATORS

HIDDEN: Final = "******"
"""Stands for each code, whatever its length."""

_FEWEST_DIGITS: Final = 4
_MOST_DIGITS: Final = 8
"""A code has so many. A longer number that is written in one piece is a phone's or an account's."""

_SHORTEST_NUMBER: Final = 7
"""Digits of a phone number. What has fewer is a short code, by which services send."""

_KEPT_IN_MEMORY: Final = 8192
"""Characters whose folded form is remembered, as in the index of words."""


class _Fold(dict[int, str]):
    """What `str.translate` puts in a character's place, worked out when first needed.

    Case, accents and invisible characters don't count. Each character is folded by itself: to
    normalise a long run of combining marks takes a time that grows with its square.
    """

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code).casefold())
        folded = "".join(
            part.casefold() for part in parts if unicodedata.category(part) not in {"Mn", "Cf"}
        )
        if len(self) < _KEPT_IN_MEMORY:
            self[code] = folded
        return folded


_FOLD: Final = _Fold()


def _folded(text: str) -> str:
    return text.translate(_FOLD)


_STEMS: Final = tuple(
    map(
        _folded,
        (
            # Latin script: English, German, Dutch, the Romance and the Nordic languages,
            # Polish, Czech and their neighbours, Finnish, Estonian, Hungarian, the Baltic
            # languages, Turkish, Indonesian and Malay, Vietnamese, Swahili.
            *("code", "kod", "koodi", "kood", "código", "codice", "verif", "weryfik", "ověř"),
            *("password", "passwort", "passord", "passphrase", "kennwort", "wachtwoord"),
            *("lösenord", "adgangskode", "salasana", "tunnusluku", "vahvistus", "parool"),
            *("parola", "parole", "slaptaž", "mot de passe", "clave", "contraseña", "senha"),
            *("hasło", "heslo", "geslo", "jelszó", "lozink", "šifra", "şifre", "doğrulama"),
            *("engangs", "one-time", "one time", "sign in", "sign-in", "log in", "login"),
            *("authentic", "authentif", "mật khẩu", "mã xác", "mã otp", "kata sandi"),
            *("nywila", "msimbo", "passcode"),
            # Cyrillic, Greek, Georgian, Armenian.
            *("код", "парол", "лозинк", "κωδικ", "კოდ", "պարոլ", "կոդ", "գաղտնաբառ"),
            # Hebrew, Arabic, Persian, Urdu, Amharic.
            *("קוד", "סיסמ", "رمز", "كود", "كلمة المرور", "التحقق", "کد تایید", "کوڈ", "ኮድ"),
            # Scripts of India and South-East Asia.
            *("कोड", "ओटीपी", "पासवर्ड", "কোড", "ওটিপি", "குறியீடு", "ஓடிபி", "కోడ్", "ಕೋಡ್"),
            *("കോഡ്", "કોડ", "ਕੋਡ", "รหัส", "ລະຫັດ", "កូដ", "ကုဒ်"),
            # Chinese, Japanese, Korean.
            *("验证", "驗證", "校验码", "动态码", "動態碼", "密码", "密碼", "口令", "认证", "認證"),
            *("コード", "認証", "暗証", "確認番号", "パスワード", "인증", "코드", "비밀번호"),
        ),
    )
)
"""Of words that speak of codes, which stand within longer ones as well."""

_WORDS: Final = frozenset(
    map(_folded, ("pin", "pins", "tan", "mtan", "otp", "totp", "cod", "codul", "fa", "mfa", "کد"))
)
"""Words so short that others hold them: they count by themselves alone. `fa` is left of `2FA`."""

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_RETRIEVED: Final = "<#>"
"""Begins a text that an Android app is to read by itself."""
_BOUND: Final = r"(?P<bound>@[^\s@#]{1,255} \#)[^\s]+"
"""A code for one site, as browsers read it by themselves: `@example.com #493021`."""

_GAP: Final = "[ .\\-\u2010-\u2015\u00a0\u2009\u202f\u00b7\u00ad\u200b-\u200f\u2060\ufeff]{1,3}"
_DIGITS: Final = rf"(?<!\d)\d{{1,{_MOST_DIGITS}}}(?!\d)"
_GROUPS: Final = rf"(?P<digits>{_DIGITS}(?:{_GAP}{_DIGITS})*+)"
_MIXED: Final = (
    r"(?P<mixed>(?<![A-Za-z0-9])(?=[A-Za-z]*+[0-9])(?=[0-9]*+[A-Za-z])[A-Za-z0-9]{4,12}"
    r"(?![A-Za-z0-9]))"
)
_JOINED: Final = (
    r"(?P<joined>(?<![A-Za-z0-9-])(?=[A-Z-]*+[0-9])[A-Z0-9]{2,6}(?:-[A-Z0-9]{2,6}){1,3}"
    r"(?![A-Za-z0-9-]))"
)
_CAPITALS: Final = (
    r"(?P<before>(?:[:=\uff1a]|\b(?:is|ist|est|es|jest|är|er|on))[ \t]{0,3}[\"'“„«(\[]?)"
    r"(?P<capitals>[A-Z]{4,10})(?![A-Za-z0-9])"
)
_LINK: Final = (
    r"(?P<host>(?:https?://[^\s/?\#]{1,255}|(?<![a-z0-9.@/-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})"
    r"[/?\#])[^\s]+"
)

_CODES: Final = re.compile(f"{_LINK}|{_BOUND}|{_MIXED}|{_JOINED}|{_CAPITALS}|{_GROUPS}")

_UNIT: Final = re.compile(
    r"[0-9]{1,4}(?:min|mins|minutes|minuten|hrs|hours|secs|days|st|nd|rd|th|am|pm|gb|mb|kb"
    r"|eur|usd|km|kg)",
    re.IGNORECASE,
)
"""A number with its unit, which only looks like a code of letters and digits."""

_NUMBER: Final = re.compile(rf"\+?[0-9]{{{_SHORTEST_NUMBER},}}")
_ALONE: Final = re.compile(rf"\W*(?:[A-Za-z]{{1,3}}[- ])?{_GROUPS}\W*")


def without_codes(address: str, body: str) -> str:
    """A body as it is shown to who must see no one-time codes.

    Args:
        address: Who sent it, or whom it was sent to.
        body: The text.
    """
    if _CODES.search(body) is None or not _may_hold_one(address, body):
        return body
    return _CODES.sub(_blanked, body)


def _may_hold_one(address: str, body: str) -> bool:
    if _NUMBER.fullmatch(SEPARATORS.sub("", address)) is None:
        return True
    if body.startswith(_RETRIEVED) or re.search(_BOUND, body):
        return True
    alone = _ALONE.fullmatch(body)
    if alone is not None and _FEWEST_DIGITS <= _count(alone["digits"]) <= _MOST_DIGITS:
        return True
    plain = _folded(body)
    return any(stem in plain for stem in _STEMS) or not _WORDS.isdisjoint(_LETTERS.findall(plain))


def _blanked(match: re.Match[str]) -> str:
    """What stands in a match's place."""
    if match["host"] or match["bound"]:
        return f"{match['host'] or match['bound']}{HIDDEN}"
    if match["capitals"]:
        return f"{match['before']}{HIDDEN}"
    if match["mixed"]:
        return match[0] if _UNIT.fullmatch(match[0]) else HIDDEN
    if match["digits"] and _count(match["digits"]) < _FEWEST_DIGITS:
        return match[0]
    return HIDDEN


def _count(text: str) -> int:
    return sum(char.isdigit() for char in text)
