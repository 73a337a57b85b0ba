import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.credentials import (
    Cost,
    MalformedHash,
    decoy_hash,
    hash_secret,
    is_key_like,
    make_api_key,
    make_secret,
    org_problem,
    parse_api_key,
    same_digest,
    secret_problem,
    verify_secret,
)

CHEAP = Cost(log2_n=4)
SECRET = "my-secret-key-123"


@pytest.mark.parametrize("name", ["abc", "myorg", "My_Org-9", "-_-", "x" * 50])
def test_org_names(name: str) -> None:
    assert org_problem(name) is None


@pytest.mark.parametrize("name", ["", "ab", "x" * 51, "my org", "my.org", "örg", "org\n", "a/b"])
def test_what_is_no_org_name(name: str) -> None:
    assert org_problem(name) is not None


@pytest.mark.parametrize("secret", [SECRET, "x" * 12, "x" * 50, "~!/?%#&'\"\\<>", "pgk-not-a-key"])
def test_secrets(secret: str) -> None:
    assert secret_problem(secret) is None


@pytest.mark.parametrize(
    "secret",
    [
        *(
            "",
            "x" * 11,
            "x" * 51,
            "twelve chars",
            "x" * 12 + "\n",
            "sécret-secret",
            "x" * 12 + "\0",
        ),
        *("pgk_anything-else", "pgk_abcd1234_" + "x" * 32, "pgkabcd1234" + "x" * 32),
    ],
)
def test_what_is_no_secret(secret: str) -> None:
    problem = secret_problem(secret)
    assert problem is not None
    assert not secret or secret not in problem


def test_a_made_secret_is_one() -> None:
    made = {make_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(secret_problem(secret) is None for secret in made)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_a_hash_fits_its_secret_alone(secret: str, other: str) -> None:
    stored = hash_secret(secret, CHEAP)
    assert verify_secret(secret, stored)
    assert verify_secret(other, stored) == (other == secret)
    assert len(secret) < 3 or secret not in stored


def test_the_standard_cost() -> None:
    stored = hash_secret(SECRET)
    assert stored.startswith("$scrypt$ln=14,r=8,p=1$")
    salt, digest = (
        base64.b64decode(part + "=" * (-len(part) % 4)) for part in stored.split("$")[3:]
    )
    assert len(salt) == 16
    assert digest == hashlib.scrypt(SECRET.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
    assert verify_secret(SECRET, stored)


def test_equal_secrets_have_different_hashes() -> None:
    assert hash_secret(SECRET, CHEAP) != hash_secret(SECRET, CHEAP)


def test_a_hash_of_another_cost_is_still_verified() -> None:
    assert verify_secret(SECRET, hash_secret(SECRET, Cost(log2_n=6, r=2, p=3)))


def test_a_decoy_looks_like_a_hash_and_fits_nothing() -> None:
    decoy = decoy_hash(CHEAP)
    assert len(decoy) == len(hash_secret(SECRET, CHEAP))
    assert not verify_secret(SECRET, decoy)
    assert decoy != decoy_hash(CHEAP)


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ("", "form"),
        (SECRET, "form"),
        ("$argon2id$v=19$m=65536$c2FsdA$aGFzaA", "form"),
        ("$scrypt$ln=14,r=8,p=1$c2FsdA", "form"),
        ("$scrypt$ln=99,r=8,p=1$c2FsdA$" + "A" * 43, "ln=99"),
        ("$scrypt$ln=0,r=8,p=1$c2FsdA$" + "A" * 43, "ln=0"),
        ("$scrypt$ln=4,r=0,p=1$c2FsdA$" + "A" * 43, "r=0"),
        ("$scrypt$ln=4,r=8,p=99$c2FsdA$" + "A" * 43, "p=99"),
        ("$scrypt$ln=22,r=8,p=1$c2FsdA$" + "A" * 43, "ln=22"),
        ("$scrypt$ln=4,r=8,p=1$c2FsdA$A$A", "form"),
        ("$scrypt$ln=4,r=8,p=1$c2FsdA$" + "A" * 40, "30 bytes"),
        ("$scrypt$ln=4,r=8,p=1$c2Fs_-$" + "A" * 43, "salt is not base64"),
        ("$scrypt$ln=4,r=8,p=1$c2FsdA$" + "A" * 41, "digest is not base64"),
    ],
)
def test_a_damaged_hash_says_where(stored: str, problem: str) -> None:
    with pytest.raises(MalformedHash, match=problem) as caught:
        verify_secret(SECRET, stored)
    assert SECRET not in str(caught.value)


def test_an_api_key_is_read_back() -> None:
    key = make_api_key()
    assert key.text.startswith(f"pgk_{key.id}_")
    assert len(key.text) == 4 + 8 + 1 + 32
    presented = parse_api_key(key.text)
    assert presented is not None
    assert presented.id == key.id
    assert same_digest(presented.digest, key.digest)
    assert is_key_like(key.text)
    random = key.text.rpartition("_")[2]
    assert key.digest == hashlib.sha256(random.encode()).digest()
    assert random not in repr(key)
    assert random not in repr(presented)


def test_an_api_key_is_known_without_its_underscores() -> None:
    key = make_api_key()
    bare = key.text.replace("_", "")
    assert bare.isalnum()
    assert is_key_like(bare)
    assert parse_api_key(bare) == parse_api_key(key.text)


def test_another_key_has_another_digest() -> None:
    one, other = make_api_key(), make_api_key()
    assert one.id != other.id
    assert not same_digest(one.digest, other.digest)


@pytest.mark.parametrize(
    "text",
    [
        *("", "pgk_", "pgk_12345678", "pgk_12345678_", "pgk_1234567_" + "a" * 32),
        *("pgk_12345678_" + "a" * 31, "pgk_12345678_" + "a" * 33, "pgk_12345678_" + "ä" * 32),
        *("pgk_12345678" + "a" * 32, "pgk12345678_" + "a" * 32, "pgk12345678" + "a" * 33),
        *("pgk_12345678_" + "a" * 32 + "\n", "PGK_12345678_" + "a" * 32, SECRET),
    ],
)
def test_what_is_no_api_key(text: str) -> None:
    assert parse_api_key(text) is None
