"""One-time codes in the texts of SMS, and texts without them. Pure.

A reader of another person's messages, such as an AI agent, must not be able to sign in as that
person. A text is taken to hold a code where its sender is not a phone number (a name, or a short
code), where it mentions codes in any of the usual languages, or where it consists of one. In such
a text everything that looks like a code is blanked, and so is the rest of a link after its host,
which may sign in too. Where a text mentions codes, any number of four digits or more is blanked
as well, however it is written, and so is whatever it calls a code or password.
To hide a price or a date with them is harmless, to show one code is not.
"""

import re
import unicodedata
from typing import Final

from phonegate.model.numbers import SEPARATORS

HIDDEN: Final = "******"
"""Stands for each code, whatever its length."""

_FEWEST_DIGITS: Final = 4
_MOST_DIGITS: Final = 8
"""Most digits of a code. A longer number written in one piece is that of a phone or an account."""

_SHORTEST_NUMBER: Final = 7
"""Fewest digits of a phone number. A sender with fewer is a short code, as services have."""

_KEPT_IN_MEMORY: Final = 8192
"""Characters whose folded form is remembered, as in the index of words."""


class _Fold(dict[int, str]):
    """The table that `str.translate` folds characters by, each worked out when first needed.

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
            *("nywila", "msimbo", "passcode", "token", "signin", "sign into", "log into"),
            *("confirm", "conferm", "bestätig", "bevestig", "bekräft", "bekreft", "potwierd"),
            *("geheimzahl", "freischalt", "freigabe", "aktivier", "activat", "activaci", "ativaç"),
            *("authoriz", "authoris", "autoriz", "autoris", "two-factor", "two-step", "2-step"),
            *("zwei-faktor", "passkey", "whatsapp", "security number", "sicherheitsnummer"),
            *("not share", "n't share", "n\u2019t share", "never share", "no compart"),
            *("não compart", "ne partage", "nicht weitergeben", "niet delen", "identifiant"),
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
"""Parts of words that mention codes. They count within longer words as well."""

_WORDS: Final = frozenset(
    map(
        _folded,
        ("pin", "pins", "tan", "mtan", "otp", "totp", "nip", "cod", "codul", "fa", "mfa", "کد"),
    )
)
"""Words so short that other words contain them: they count only by themselves. `fa` is what is
left of `2FA`."""

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_TAN: Final = re.compile(
    r"(?:(?<=[A-Za-z])TAN|(?i:(?:sms|push|photo|chip|app|[iemt]|qr|v)[- ]?tan))\b"
)
"""A word that ends in the TAN of a bank; `Kazakhstan` does not."""
_ASKED: Final = re.compile(
    r"\b(?:enter|use|type|gib|geben sie|bitte|saisissez|ingres[ae]|introdu[zc][ac]?|insira"
    r"|inserisci|voer|wpisz|digite)\s{1,3}(?:the |die |den |el |le )?[A-Za-z]{0,3}-?\d{3,}",
    re.IGNORECASE,
)
"""A text that asks its reader to type a number."""
_RETRIEVED: Final = "<#>"
"""The beginning of a text that an Android app reads by itself."""
_BOUND: Final = r"(?P<bound>@[^\s@#]{1,255} \#)[^\s]+"
"""A code for one site, as browsers read it by themselves: `@example.com #493021`."""

_DIGIT: Final = (
    r"[\d\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u249b\u24ea-\u24ff"
    r"\u2776-\u2793\U0001f100-\U0001f10c]"
)
"""Digits of any script, also raised, in circles and with a full stop."""
_GAP: Final = (
    "[ .\\-\u2010-\u2015\u00a0\u2009\u202f\u00b7\u00ad\u200b-\u200f\u2060\ufeff\ufe0e\ufe0f\u20e3]"
    "{1,3}"
)
_DIGITS: Final = rf"(?<!{_DIGIT}){_DIGIT}{{1,{_MOST_DIGITS}}}(?!{_DIGIT})"
_GROUPS: Final = rf"(?P<digits>{_DIGITS}(?:{_GAP}{_DIGITS})*+)"
_ANY_GROUPS: Final = rf"(?P<digits>{_DIGIT}++(?:[\W_]{{1,5}}{_DIGIT}++(?![A-Za-z]))*+)"
"""Digits in a text that mentions codes: of any length, and with anything between them."""
_MIXED: Final = (
    r"(?P<mixed>(?<![A-Za-z0-9])(?=[A-Za-z]*+[0-9])(?=[0-9]*+[A-Za-z])[A-Za-z0-9]{4,12}"
    r"(?![A-Za-z0-9]))"
)
_ANY_MIXED: Final = (
    r"(?P<mixed>(?<![A-Za-z0-9])(?=[A-Za-z]*+[0-9])(?=[0-9]*+[A-Za-z])[A-Za-z0-9]{4,}+)"
)
_JOINED: Final = (
    r"(?P<joined>(?<![A-Za-z0-9-])(?=[A-Z-]*+[0-9])[A-Z0-9]{2,6}(?:-[A-Z0-9]{2,6}){1,3}"
    r"(?![A-Za-z0-9-]))"
)
_ANY_JOINED: Final = (
    r"(?P<joined>(?<![A-Za-z0-9])(?<![A-Za-z0-9][-_])(?=[A-Za-z0-9_-]{4})"
    r"(?=(?:[A-Za-z]++[-_])*+[A-Za-z]*+[0-9])(?=(?:[0-9]++[-_])*+[0-9]*+[A-Za-z])"
    r"[A-Za-z0-9]++(?:[-_][A-Za-z0-9]++)++)"
)
_CAPITALS: Final = (
    r"(?P<before>(?:[:=\uff1a]|\b(?:is|ist|est|es|jest|är|er|on))[ \t]{0,3}[\"'“„«(\[]?)"
    r"(?P<capitals>[A-Z]{4,10})(?![A-Za-z0-9])"
)
_LINK: Final = (
    r"(?P<host>(?:https?://[^\s/?\#]{1,255}|(?<![a-z0-9.@/-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}"
    r"(?::[0-9]{1,5})?)[/?\#])[^\s]+"
)

_CODES: Final = re.compile(f"{_LINK}|{_BOUND}|{_MIXED}|{_JOINED}|{_CAPITALS}|{_GROUPS}")
_ANY_CODES: Final = re.compile(
    f"{_LINK}|{_BOUND}|{_ANY_JOINED}|{_ANY_MIXED}|{_CAPITALS}|{_ANY_GROUPS}"
)
"""The same for a text that mentions codes."""

_NAME: Final = (
    r"(?:code|kode?|koodi|kood|c[óo]digo|codice|pass(?:w[oa]rd|wort|ord|code|phrase)|kennwort"
    r"|wachtwoord|lösenord|mot de passe|contrase[ñn]a|clave|senha|parol[ae]?|hasło|heslo|jelszó"
    r"|şifre|token|otp|pin|tan|nip|geheimzahl|код|парол|лозинк|κωδικ|验证码|驗證碼|密码|密碼|校验码"
    r"|コード|パスワード|暗証番号|코드|비밀번호|인증번호|رمز|كود|קוד|סיסמ|कोड|รหัส)"
)
_AFTER_IS: Final = (
    r"(?:valid|for|required|needed|expired|expiring|sent|on|in|at|the|an?|not|now|no|only|your|my"
    r"|our|wrong|right|correct|incorrect|invalid|being|still|ready|too|from|by|to|g[üu]ltig"
    r"|nicht|falsch|valable|v[áa]lid[oa])\b"
)
"""Words after `is` that continue a sentence about a code, and are not the code."""
_BEFORE_IS: Final = r"(?:what|which|that|this|it|there|here|where|he|she|was)\b"
_NAMED: Final = re.compile(
    rf"(?P<name>{_NAME}[^\W\d_]{{0,12}}(?:\s{{0,3}}(?:[:=\uff1a\#]|->|→)"
    rf"|\s{{1,3}}(?:is|ist|lautet|est|es|è|é|jest|är|er|on)\b(?!\s{{0,3}}{_AFTER_IS})"
    rf"\s{{0,3}}[:=]?)\s{{0,3}})[^\s]++"
    rf"|(?<![^\s])(?!{_BEFORE_IS})(?P<first>[^\s]{{4,}}+)"
    rf"(?=\s(?:is|ist|est|es)\s(?:your|ihr|dein|votre|ton|tu|su)\b[^\n.:]{{0,40}}{_NAME})",
    re.IGNORECASE,
)
"""A word that a text calls a code or password, whatever its letters."""

_UNIT: Final = re.compile(
    r"[0-9]{1,4}(?:min|mins|minutes|minuten|hrs|hours|secs|days|st|nd|rd|th|am|pm|gb|mb|kb"
    r"|eur|usd|km|kg)",
    re.IGNORECASE,
)
"""A number with its unit, which only looks like a code of letters and digits."""

MOST_LOOKED_AT: Final = 1_000
"""Most characters of a text that is searched closely. Texts with a code have a few hundred. A close
search of a long text would hold up the whole gateway, so every longer number in it is blanked."""

_LONG_RUNS: Final = re.compile(rf"{_DIGIT}(?:{_GAP.removesuffix('{1,3}')}{{0,3}}+{_DIGIT}){{3,}}+")

_NUMBER: Final = re.compile(rf"\+?[0-9]{{{_SHORTEST_NUMBER},}}")
_ALONE: Final = re.compile(rf"\W*(?:[A-Za-z]{{1,3}}[- ])?{_GROUPS}\W*")


def without_codes(address: str, body: str) -> str:
    """Returns a body with its one-time codes blanked.

    Args:
        address: The other party: the sender, or the recipient.
        body: The text.
    """
    if len(body) > MOST_LOOKED_AT:
        return _LONG_RUNS.sub(HIDDEN, body)
    if _CODES.search(body) is None and _NAMED.search(body) is None and not _long(body):
        return body
    if _speaks(body):
        return _ANY_CODES.sub(_blanked, _NAMED.sub(_without_name, body))
    if _NUMBER.fullmatch(SEPARATORS.sub("", address)) is None:
        return _CODES.sub(_blanked, body)
    return body


def _long(body: str) -> bool:
    """Tells whether a text has something that is a code only if the text mentions one."""
    return any(
        match["joined"] or match["mixed"] or _count(match[0]) >= _FEWEST_DIGITS
        for match in _ANY_CODES.finditer(body)
    )


def _speaks(body: str) -> bool:
    """Tells whether a text mentions that it holds a code, or consists of one."""
    if body.startswith(_RETRIEVED) or re.search(_BOUND, body):
        return True
    alone = _ALONE.fullmatch(body)
    if alone is not None and _FEWEST_DIGITS <= _count(alone["digits"]) <= _MOST_DIGITS:
        return True
    plain = _folded(body)
    if any(stem in plain for stem in _STEMS) or not _WORDS.isdisjoint(_LETTERS.findall(plain)):
        return True
    return _TAN.search(body) is not None or _ASKED.search(body) is not None


def _without_name(match: re.Match[str]) -> str:
    return f"{match['name'] or ''}{HIDDEN}"


def _blanked(match: re.Match[str]) -> str:
    """Returns the replacement of a match."""
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
    return sum(char.isnumeric() for char in text)
