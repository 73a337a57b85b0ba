"""The tokens that sessions are shown by: made, signed and known again. Pure; sees them whole.

A token is random, so that it can't be guessed, and signed, so that one which was made up is
refused before the database is asked. The signature proves nothing else: whether there is such a
session, the database alone knows, which holds a digest of its token.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final, Literal

import attrs

KEY_BYTES: Final = 32
"""Of the key that tokens are signed with: 256 bits."""

_RANDOM_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 16
"""128 bits: to find one by trial, the gateway must be asked about as often as 2 to the 127th."""

_CHARACTERS: Final = (_RANDOM_BYTES + _SIGNATURE_BYTES) * 4 // 3
_TOKEN: Final = re.compile(rf"[A-Za-z0-9_-]{{{_CHARACTERS}}}")
"""Base64 for URLs. The bytes are a multiple of three, so that each token has one spelling."""

_MARK_BYTES: Final = 5

Purpose = Literal["session", "visitor"]
"""What a token is for: a session, or a visitor who is about to sign in."""


@attrs.frozen
class ShownToken:
    """A token of ours as a browser showed it."""

    digest: bytes = attrs.field(repr=False)
    """What the database knows its session by."""
    form_token: str = attrs.field(repr=False)
    """What the forms of its pages hold. It does not tell the token."""
    _random: bytes = attrs.field(repr=False)

    def seal(self, secret: str) -> bytes:
        """Returns a digest of a secret that tells nothing of it to one who lacks the token."""
        given = secret.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(given, key=self._random, person=b"seal").digest()


class TokenSigner:
    """Makes tokens, and knows them again, by one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.mark: Final = hashlib.blake2b(key, digest_size=_MARK_BYTES, person=b"mark").hexdigest()
        """Tells the cookies of this gateway from those of others on its host."""

    def make(self, purpose: Purpose) -> str:
        """Returns a new token."""
        random = secrets.token_bytes(_RANDOM_BYTES)
        signed = random + self._signature(random, purpose)
        return base64.urlsafe_b64encode(signed).decode("ascii")

    def read(self, token: str, purpose: Purpose) -> ShownToken | None:
        """Reads a token. Returns None for what this key did not sign for this purpose."""
        if not _TOKEN.fullmatch(token):
            return None
        signed = base64.urlsafe_b64decode(token)
        random, signature = signed[:_RANDOM_BYTES], signed[_RANDOM_BYTES:]
        if not hmac.compare_digest(signature, self._signature(random, purpose)):
            return None
        form = hashlib.blake2b(random, key=self._key, digest_size=_SIGNATURE_BYTES, person=b"form")
        return ShownToken(hashlib.sha256(random).digest(), form.hexdigest(), random)

    def _signature(self, random: bytes, purpose: Purpose) -> bytes:
        return hashlib.blake2b(
            random, key=self._key, digest_size=_SIGNATURE_BYTES, person=purpose.encode()
        ).digest()
