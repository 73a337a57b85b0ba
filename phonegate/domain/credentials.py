"""The forms of org names, secrets and API keys, and how they are kept. Pure; sees secrets.

No secret leaves this module except by `make_secret`, `make_api_key` and `make_token`. Errors name
what is wrong with a secret without quoting it.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import Final

import attrs

from phonegate.model.refusals import BadInput, FieldProblem

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Base62: passes through URLs, shells and a double-click unharmed."""

KEY_PREFIX: Final = "pgk_"
"""How an API key begins, so that people and secret scanners know one when they see it."""
ACCESS_PREFIX: Final = "pgt_"
REFRESH_PREFIX: Final = "pgr_"
"""How the tokens begin that a dialect gives out in place of a credential, and what renews them."""

TOKEN_PREFIXES: Final = (ACCESS_PREFIX, REFRESH_PREFIX)

_KEY_ID_CHARS = 8
"""62^8 ids: two keys of a gateway never have the same, and one is short enough to read out."""
_KEY_RANDOM_CHARS = 32
"""190 bits, which can't be guessed, so that a fast digest is enough to store them by."""
_MADE_SECRET_CHARS = 32
"""190 bits, within the 12 to 50 characters that a secret may have."""

_ORG = re.compile(r"[A-Za-z0-9_-]{3,50}")
SHORTEST_SECRET: Final = 12
_SECRET = re.compile(rf"[!-~]{{{SHORTEST_SECRET},50}}")
_KEY = re.compile(r"pgk(_?)([0-9A-Za-z]{8})\1([0-9A-Za-z]{32})")
"""With its two underscores, or without them: some programs take letters and digits alone."""

PUBLISHED_SECRETS: Final = frozenset({"my-secret-key-123"})
"""The secrets printed in documents and on the gateway's own pages. As everyone knows them, they
are accepted from the gateway's own networks only, and with a warning."""

_SALT_BYTES = 16
_DIGEST_BYTES = 32
_MAX_MEMORY = 1 << 30
"""Most bytes that a stored hash may ask for. More is damage, not a choice."""
_MAX_PASSES = 64
"""Most passes that a stored hash may ask for. The standard cost has one."""
_HASH = re.compile(r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([^$]+)\$([^$]+)")


@attrs.frozen
class Cost:
    """What one scrypt costs (RFC 7914): `p` passes over `128 * r * 2**log2_n` bytes.

    The default takes some 40 ms and 16 MiB: enough to make guessing from a stolen file slow, and
    little enough that a small machine can compute two at a time.
    """

    log2_n: int = 14
    r: int = 8
    p: int = 1

    @property
    def memory(self) -> int:
        """Bytes of the table that each pass fills."""
        return 128 * self.r << self.log2_n


STANDARD_COST: Final = Cost()


class MalformedHash(ValueError):
    """A stored secret hash can't be read, since the database was altered or damaged.

    `problem` says where the string is malformed, without quoting it.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"stored secret hash: {problem}")


def org_problem(name: str) -> str | None:
    """Returns what is wrong with a new org's name, or None."""
    if _ORG.fullmatch(name):
        return None
    return "must be 3 to 50 characters of A-Z, a-z, 0-9, - and _"


def secret_problem(secret: str) -> str | None:
    """Returns what is wrong with a new org's secret, without quoting it, or None."""
    if not _SECRET.fullmatch(secret):
        return "must be 12 to 50 printable ASCII characters without spaces"
    if is_key_like(secret):
        return f"must not begin with {KEY_PREFIX}, as API keys do"
    return None


def require_forms(name: str, secret: str) -> None:
    """Refuses a name or secret that a new org can't have.

    Raises:
        BadInput: The name (`org_id`) or the secret (`secret_key`) is malformed.
    """
    found = {"org_id": org_problem(name), "secret_key": secret_problem(secret)}
    problems = [FieldProblem(field, problem) for field, problem in found.items() if problem]
    if problems:
        raise BadInput("; ".join(f"{p.field} {p.problem}" for p in problems) + ".", problems)


def make_secret() -> str:
    """Returns a new random secret for an org."""
    return _random(_MADE_SECRET_CHARS)


def hash_secret(secret: str, cost: Cost = STANDARD_COST) -> str:
    """Returns the string to store for a secret. Slow on purpose: call it in a thread."""
    return _written(cost, salt := secrets.token_bytes(_SALT_BYTES), _scrypt(secret, salt, cost))


def decoy_hash(cost: Cost = STANDARD_COST) -> str:
    """Returns a hash that fits no secret, to do the same work for an org that does not exist."""
    return _written(cost, secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_DIGEST_BYTES))


def verify_secret(secret: str, stored: str) -> bool:
    """Tells whether a stored hash fits this secret, in a time that does not depend on the answer.

    Slow on purpose: call it in a thread.

    Raises:
        MalformedHash: The stored string was not made by `hash_secret`.
    """
    cost, salt, digest = _read(stored)
    return hmac.compare_digest(_scrypt(secret, salt, cost), digest)


@attrs.frozen
class GeneratedKey:
    """A new API key, at the only moment at which its text is known."""

    id: str
    text: str = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)


@attrs.frozen
class PresentedKey:
    """An API key as a client sent it: the id that it claims, and the digest to compare."""

    id: str
    digest: bytes = attrs.field(repr=False)


def make_api_key() -> GeneratedKey:
    """Returns a new random API key: `pgk_<id>_<random>`."""
    key_id, random = _random(_KEY_ID_CHARS), _random(_KEY_RANDOM_CHARS)
    return GeneratedKey(key_id, f"{KEY_PREFIX}{key_id}_{random}", _digest(random))


def make_token(prefix: str) -> str:
    """Returns a new random token, as an API key has behind its id, with a prefix of its kind."""
    return prefix + _random(_KEY_RANDOM_CHARS)


def is_key_like(credential: str) -> bool:
    """Tells whether a credential looks like an API key, well-formed or not."""
    return credential.startswith(KEY_PREFIX) or _KEY.fullmatch(credential) is not None


def parse_api_key(credential: str) -> PresentedKey | None:
    """Returns the parts of an API key, or None if it is malformed."""
    match = _KEY.fullmatch(credential)
    return None if match is None else PresentedKey(match[2], _digest(match[3]))


def same_digest(one: bytes, other: bytes) -> bool:
    """Compares digests in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _digest(random: str) -> bytes:
    return hashlib.sha256(random.encode("ascii")).digest()


def _scrypt(secret: str, salt: bytes, cost: Cost) -> bytes:
    return hashlib.scrypt(
        secret.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=1 << cost.log2_n,
        r=cost.r,
        p=cost.p,
        # OpenSSL counts its own blocks on top of the table, and the limit is not inclusive.
        maxmem=cost.memory + 128 * cost.r * (cost.p + 2) + 1024,
        dklen=_DIGEST_BYTES,
    )


def _written(cost: Cost, salt: bytes, digest: bytes) -> str:
    parts = (base64.b64encode(part).rstrip(b"=").decode("ascii") for part in (salt, digest))
    return f"$scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}$" + "$".join(parts)


def _read(stored: str) -> tuple[Cost, bytes, bytes]:
    match = _HASH.fullmatch(stored)
    if match is None:
        raise MalformedHash("not of the form $scrypt$ln=14,r=8,p=1$salt$digest")
    cost = Cost(int(match[1]), int(match[2]), int(match[3]))
    if min(cost.log2_n, cost.r, cost.p) < 1 or cost.p > _MAX_PASSES or cost.memory > _MAX_MEMORY:
        raise MalformedHash(f"ln={cost.log2_n},r={cost.r},p={cost.p} is no cost of this program")
    salt, digest = _unpadded(match[4], "salt"), _unpadded(match[5], "digest")
    if len(digest) != _DIGEST_BYTES:
        raise MalformedHash(f"the digest has {len(digest)} bytes, not {_DIGEST_BYTES}")
    return cost, salt, digest


def _unpadded(text: str, part: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise MalformedHash(f"the {part} is not base64") from None
