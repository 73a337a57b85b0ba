"""Orgs and their secrets in the baseline: a slow hash, checked once and then remembered."""

import asyncio
import hashlib
import hmac
import secrets

from fastapi import HTTPException

from bench.fuller.store import Store


class Accounts:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], int] = {}

    async def org(self, name: str, secret: str | None, *, create: bool = False) -> int:
        """Returns the org's row, if the secret is right."""
        if not secret:
            raise HTTPException(401, "A secret is needed.")
        known = self._known.get((name, secret))
        return known if known is not None else await self._check(name, secret, create=create)

    async def _check(self, name: str, secret: str, *, create: bool) -> int:
        row = await self._store.org(name)
        if row is None and create:
            salt = secrets.token_bytes(16)
            await self._store.add_org(name, salt, await asyncio.to_thread(_hash, secret, salt))
            row = await self._store.org(name)
        if row is None or not hmac.compare_digest(
            await asyncio.to_thread(_hash, secret, row["salt"]), row["hash"]
        ):
            raise HTTPException(401, "The org or its secret is wrong.")
        org: int = row["id"]
        self._known[name, secret] = org
        return org


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1)
