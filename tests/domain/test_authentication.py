"""Who is let in by which credential, and at what cost."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from phonegate.domain import hash_queue as turns_module
from phonegate.domain.accounts import Accounts
from phonegate.domain.authentication import NO_CREDENTIAL
from phonegate.domain.credential_cache import LIFETIME_MS
from phonegate.domain.credential_check import WRONG_CREDENTIAL
from phonegate.domain.known_addresses import NOTED_MS
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.domain.throttle import FAMILIAR
from phonegate.model.principal import SCOPES, Principal
from phonegate.model.refusals import (
    BadInput,
    Throttled,
    Unauthorized,
)
from phonegate.store.database import Database
from tests.captured_logs import capture_logs
from tests.domain.account_site import (
    CHEAP,
    HERE,
    OTHER,
    SECRET,
    THERE,
    Clock,
    Hashes,
    enter,
    fate,
    guess,
    guess_once,
    leave_when_told,
    restarted,
    together,
)


class TestSecret:
    async def test_the_right_one_may_do_all(self, accounts: Accounts) -> None:
        org, secret = await accounts.orgs.add("myorg", SECRET)
        assert secret == SECRET
        for scope in ("send", "read", "manage"):
            principal = await enter(accounts, scope=scope)
            assert principal == Principal(org=org.id, org_name="myorg", scopes=SCOPES)

    async def test_unknown_org_and_wrong_secret_are_the_same(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        wrong = await fate(lambda: enter(accounts, OTHER))
        unknown = await fate(lambda: enter(accounts, OTHER, "noorg"))
        assert type(wrong) is type(unknown) is Unauthorized
        assert wrong.detail == unknown.detail == WRONG_CREDENTIAL
        # The same work: one hash each, of the same cost.
        costs = [stored.split("$")[2] for stored in hashes.verified]
        assert costs == ["ln=4,r=8,p=1"] * 2

    @pytest.mark.parametrize("credential", [None, ""])
    async def test_none_at_all_is_told_how(
        self, accounts: Accounts, credential: str | None
    ) -> None:
        with pytest.raises(Unauthorized) as caught:
            await enter(accounts, credential)
        assert caught.value.detail == NO_CREDENTIAL

    @pytest.mark.parametrize(
        ("credential", "org"),
        [
            *((SECRET, None), (SECRET, ""), (SECRET, "no org"), ("short", "myorg")),
            *(("x" * 1_000_000, "myorg"), (SECRET + "\0", "myorg"), ("\ud800" * 12, "myorg")),
            *((SECRET, "my\ud800"), ("pgk_", "myorg"), ("pgk_" + "x" * 41, None)),
        ],
    )
    async def test_what_can_be_none_is_wrong_without_work(
        self, accounts: Accounts, hashes: Hashes, credential: str, org: str | None
    ) -> None:
        with pytest.raises(Unauthorized) as caught:
            await enter(accounts, credential, org)
        assert caught.value.detail == WRONG_CREDENTIAL
        assert hashes.verified == []

    async def test_it_is_hashed_once_and_then_remembered(
        self, accounts: Accounts, hashes: Hashes, clock: Clock
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        for _ in range(100):
            await enter(accounts)
        assert len(hashes.verified) == 1
        clock.now += 3_600_000
        await enter(accounts)
        assert len(hashes.verified) == 2

    async def test_the_remembered_way_never_leaves_the_event_loop(self, accounts: Accounts) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts)
        with trio.CancelScope() as scope:
            scope.cancel()  # the first checkpoint would end this
            await enter(accounts)
        assert not scope.cancelled_caught

    async def test_a_wrong_one_is_hashed_once_until_it_may_be_right(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        for _ in range(3):
            assert isinstance(await fate(lambda: enter(accounts, OTHER)), Unauthorized)
            assert isinstance(await fate(lambda: enter(accounts, OTHER, "noorg")), Unauthorized)
        assert len(hashes.verified) == 2
        await accounts.orgs.rotate("myorg", OTHER)
        await enter(accounts, OTHER)
        await enter(accounts, OTHER, "noorg", create=True)

    async def test_one_orgs_secret_opens_no_other(self, accounts: Accounts) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await accounts.orgs.add("yourorg", OTHER)
        await enter(accounts)
        assert isinstance(await fate(lambda: enter(accounts, SECRET, "yourorg")), Unauthorized)
        assert isinstance(await fate(lambda: enter(accounts, SECRET, "Myorg")), Unauthorized)

    async def test_a_damaged_hash_is_a_wrong_secret_and_a_line_in_the_log(
        self, accounts: Accounts, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await database.write(lambda tx: tx.orgs.add("myorg", "garbage", 0))
        assert isinstance(await fate(lambda: enter(accounts)), Unauthorized)
        out = "".join(capsys.readouterr())
        assert "secret_hash_unreadable" in out
        assert SECRET not in out


class TestConcurrentChecks:
    async def test_the_same_secret_is_hashed_once(self, accounts: Accounts, hashes: Hashes) -> None:
        await accounts.orgs.add("myorg", SECRET)
        fates = await together(*[partial(enter, accounts)] * 50)
        assert {type(f) for f in fates} == {Principal}
        assert len(hashes.verified) == 1

    async def test_a_wrong_one_is_hashed_once_and_everyone_told(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        fates = await together(*[partial(enter, accounts, OTHER)] * 5)
        assert [f.detail for f in fates] == [WRONG_CREDENTIAL] * 5
        assert len(hashes.verified) == 1

    async def test_who_waits_goes_on_when_the_first_one_leaves(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        hashes.gate.clear()
        entered = []

        async def wait() -> None:
            entered.append(await enter(accounts))

        async with trio.open_nursery() as nursery:
            first = await nursery.start(leave_when_told, partial(enter, accounts))
            await wait_all_tasks_blocked()
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            first.cancel()
            hashes.gate.set()
        assert len(entered) == 1

    async def test_no_more_than_two_hashes_run_at_once(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        hashes.gate.clear()
        async with trio.open_nursery() as nursery:
            for i in range(8):
                call = partial(enter, accounts, SECRET, f"org-{i}", address=f"192.0.2.{i}")
                nursery.start_soon(fate, call)
            await hashes.begun.receive()
            await hashes.begun.receive()
            await wait_all_tasks_blocked()
            assert len(hashes.verified) == 2
            hashes.gate.set()
        assert len(hashes.verified) == 8

    async def test_too_many_waiting_are_sent_away(
        self, accounts: Accounts, hashes: Hashes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(turns_module, "WAITING", 6 - turns_module.AT_ONCE)
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts)
        hashes.gate.clear()
        async with trio.open_nursery() as nursery:
            for i in range(6):
                call = partial(enter, accounts, SECRET, f"org-{i}", address=f"192.0.2.{i}")
                nursery.start_soon(fate, call)
            await wait_all_tasks_blocked()
            with pytest.raises(Throttled) as caught:
                await enter(accounts, OTHER, "newcomer", address=THERE)
            assert caught.value.retry_after_s >= 1
            await enter(accounts)  # what is remembered needs no turn
            hashes.gate.set()
        with pytest.raises(Unauthorized):
            await enter(accounts, OTHER, "newcomer", address=THERE)

    async def test_one_address_does_not_fill_the_queue(
        self, accounts: Accounts, hashes: Hashes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(turns_module, "WAITING_EACH", 3 - turns_module.AT_ONCE)
        await accounts.orgs.add("myorg", SECRET)
        hashes.gate.clear()
        entered = []

        async def rightful() -> None:
            entered.append(await enter(accounts, address=THERE))

        async with trio.open_nursery() as nursery:
            for i in range(3):
                nursery.start_soon(fate, partial(enter, accounts, SECRET, f"org-{i}"))
            await wait_all_tasks_blocked()
            with pytest.raises(Throttled):
                await enter(accounts)
            nursery.start_soon(rightful)
            await wait_all_tasks_blocked()
            hashes.gate.set()
        assert len(entered) == 1

    async def test_many_guesses_at_once_gain_nothing(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        guesses = [partial(enter, accounts, f"guess-number-{i}") for i in range(40)]
        fates = await together(*guesses)
        refused = [f for f in fates if isinstance(f, Throttled)]
        # Ten for the bucket; a second thread may have begun one more.
        assert 10 <= len(hashes.verified) <= 11
        assert len(refused) == 40 - len(hashes.verified)


class TestThrottle:
    async def test_an_address_that_guesses_waits(self, accounts: Accounts, clock: Clock) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await guess(accounts, 10)
        with pytest.raises(Throttled) as caught:
            await enter(accounts, OTHER)
        assert caught.value.retry_after_s == 30
        assert "30 s" in caught.value.detail
        with pytest.raises(Throttled):  # even with the right one, from there
            await enter(accounts)
        clock.now += 30_000
        await enter(accounts)

    async def test_a_remembered_secret_passes_from_any_address(self, accounts: Accounts) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts, address=THERE)
        await guess(accounts, 11)
        await enter(accounts)

    async def test_guesses_from_its_address_never_keep_a_proven_secret_out(
        self, accounts: Accounts, clock: Clock, hashes: Hashes
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "billing")
        await enter(accounts)
        await enter(accounts, text)
        clock.now += LIFETIME_MS
        await guess(accounts, 100)
        checked = len(hashes.verified)
        await enter(accounts)
        await enter(accounts, text)
        assert len(hashes.verified) == checked + 1  # it was checked anew all the same
        await accounts.keys.revoke(org.id, key.id)
        await enter(accounts)

    async def test_a_secret_that_was_right_gets_one_try_once_it_is_wrong(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts)
        await accounts.orgs.rotate("myorg", OTHER)
        await guess(accounts, 100)
        checked = len(hashes.verified)
        for _ in range(3):
            with pytest.raises(Unauthorized):
                await enter(accounts)
        assert len(hashes.verified) == checked + 1
        # It was the last of those that this place had.
        with pytest.raises(Throttled):
            await guess_once(accounts)

    async def test_an_attack_from_everywhere_keeps_no_fresh_address_out(
        self, accounts: Accounts
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        for i in range(35):
            await guess(accounts, 1, address=f"198.51.100.{i}", first=i)
        with pytest.raises(Throttled):
            await enter(accounts, OTHER, address="198.51.100.1")
        await enter(accounts, address=THERE)

    async def test_right_secrets_are_never_counted(self, accounts: Accounts) -> None:
        for i in range(30):
            await accounts.orgs.add(f"org-{i}", SECRET)
            await enter(accounts, SECRET, f"org-{i}")

    async def test_an_unknown_org_is_throttled_like_a_known_one(self, accounts: Accounts) -> None:
        for i in range(30):
            await guess(accounts, 1, "noorg", address=f"198.51.100.{i}", first=i)
        with pytest.raises(Throttled):
            await enter(accounts, OTHER, "noorg", address="198.51.100.1")


class TestRightfulOnes:
    """Whoever has a right credential is let in, whatever others do."""

    async def test_guesses_at_others_behind_one_address_keep_no_org_out(
        self, accounts: Accounts
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await guess(accounts, 12, "other")
        await enter(accounts)

    async def test_a_key_is_let_in_beside_a_guesser(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, text = await accounts.keys.add(org.id, "new")
        await guess(accounts, 100)
        await enter(accounts, text)

    async def test_a_program_that_goes_on_with_an_ended_credential_locks_out_no_neighbour(
        self, accounts: Accounts, database: Database, clock: Clock
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "old")
        await accounts.keys.revoke(org.id, key.id)
        await accounts.orgs.rotate("myorg", OTHER)
        for _ in range(100):
            for ended in (SECRET, text):
                assert isinstance(await fate(partial(enter, accounts, ended)), Unauthorized)
        await enter(accounts, OTHER)

    async def test_after_a_restart_they_pass_guessers_at_their_address(
        self, accounts: Accounts, database: Database, clock: Clock
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts)
        started = await restarted(database, clock)
        await guess(started, 100, "other")
        for number in range(100):
            await guess(started, 1, address=f"198.51.100.{number}", first=number)
        await enter(started)

    async def test_guesses_at_their_own_org_from_their_place_are_bounded_and_soon_forgotten(
        self, accounts: Accounts, database: Database, clock: Clock, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts)
        started = await restarted(database, clock)
        await guess(started, 100)
        assert len(hashes.verified) == 1 + FAMILIAR.burst
        clock.now += FAMILIAR.refill_ms
        await enter(started)

    async def test_after_a_restart_they_pass_a_queue_full_of_guesses(
        self, accounts: Accounts, database: Database, clock: Clock, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await accounts.orgs.add("fresh", OTHER)
        await enter(accounts, address=THERE)
        started = await restarted(database, clock)
        hashes.gate.clear()
        entered = []

        async def rightful(secret: str, org: str) -> None:
            entered.append(await fate(partial(enter, started, secret, org, address=THERE)))

        async with trio.open_nursery() as nursery:
            for i in range(turns_module.AT_ONCE + turns_module.WAITING):
                address = f"198.51.{i // 256}.{i % 256}"
                call = partial(enter, started, f"guess-number-{i}", "target", address=address)
                nursery.start_soon(fate, call)
            await wait_all_tasks_blocked()
            nursery.start_soon(rightful, SECRET, "myorg")
            nursery.start_soon(rightful, OTHER, "fresh")
            await wait_all_tasks_blocked()
            assert entered == []
            hashes.gate.set()
        assert {type(one) for one in entered} == {Principal}
        # Known ones come first, after those that were under way.
        assert len(hashes.verified) > turns_module.WAITING

    async def test_where_an_org_was_is_written_once_a_day(
        self, accounts: Accounts, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writes: list[object] = []
        write = database.write

        async def counted(op: Callable[[Any], Any]) -> Any:
            writes.append(op)
            return await write(op)

        await accounts.orgs.add("myorg", SECRET)
        monkeypatch.setattr(database, "write", counted)
        for _ in range(5):
            await enter(accounts)
            clock.now += LIFETIME_MS
        assert len(writes) == 1
        clock.now += NOTED_MS
        await enter(accounts)
        assert len(writes) == 2

    async def test_an_org_that_was_removed_is_known_nowhere(
        self, accounts: Accounts, database: Database, clock: Clock
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        await enter(accounts)
        await accounts.orgs.remove("myorg")
        for one in (accounts, await restarted(database, clock)):
            await guess(one, 10)
            with pytest.raises(Throttled):
                await enter(one, OTHER)


class TestPublishedSecret:
    """The secret of the examples, which everybody has."""

    PUBLISHED = "my-secret-key-123"

    async def test_it_is_taken_from_the_own_networks_alone(
        self, accounts: Accounts, hashes: Hashes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        here = partial(enter, accounts, self.PUBLISHED, create=True, address="192.168.1.20")
        far = partial(enter, accounts, self.PUBLISHED, create=True)
        for _ in range(2):
            await here()
            for _ in range(20):
                refused = await fate(far)
                assert type(refused) is Unauthorized
                assert refused.detail == WRONG_CREDENTIAL
        assert len(hashes.verified) == 1  # of the one from afar, at the same cost as any other
        out = "".join(capsys.readouterr())
        assert out.count("published_secret") == 1
        assert self.PUBLISHED not in out

    async def test_who_comes_with_it_from_afar_gets_in_nowhere_by_guessing_orgs(
        self, accounts: Accounts
    ) -> None:
        await accounts.orgs.add("myorg", self.PUBLISHED)
        with pytest.raises(Unauthorized):
            await enter(accounts, self.PUBLISHED)
        assert not accounts.authentication.recalls(self.PUBLISHED, "myorg", HERE, relayed=False)
        await enter(accounts, self.PUBLISHED, address="127.0.0.1")
        assert accounts.authentication.recalls(self.PUBLISHED, "myorg", "127.0.0.1", relayed=False)
        assert not accounts.authentication.recalls(
            self.PUBLISHED, "myorg", "127.0.0.1", relayed=True
        )
        # A page whose name was pointed here asks from a browser of this network.
        assert not accounts.authentication.recalls(
            self.PUBLISHED, "myorg", "127.0.0.1", relayed=False, foreign_host=True
        )

    async def test_its_orgs_are_known_until_they_get_another(
        self, accounts: Accounts, database: Database
    ) -> None:
        async def published() -> list[str]:
            return await database.read(lambda tx: tx.orgs.published())

        await enter(accounts, self.PUBLISHED, create=True, address="127.0.0.1")
        await accounts.orgs.add("added", self.PUBLISHED)
        await accounts.orgs.add("removed", self.PUBLISHED)
        await accounts.orgs.add("other", OTHER)
        await accounts.orgs.rotate("other", self.PUBLISHED)
        await accounts.orgs.remove("removed")
        assert await published() == ["added", "myorg", "other"]
        await accounts.orgs.rotate("myorg")
        assert await published() == ["added", "other"]


class TestFirstContact:
    async def test_creates_the_org(self, accounts: Accounts, database: Database) -> None:
        principal = await enter(accounts, create=True)
        org = await database.read(lambda tx: tx.orgs.get("myorg"))
        assert org is not None
        assert principal.org == org.id
        assert SECRET not in org.secret_hash
        assert await enter(accounts, create=True) == principal
        assert await enter(accounts) == principal
        assert isinstance(await fate(lambda: enter(accounts, OTHER, create=True)), Unauthorized)

    async def test_creates_it_once_and_the_loser_is_wrong(self, accounts: Accounts) -> None:
        fates = await together(
            partial(enter, accounts, SECRET, create=True),
            partial(enter, accounts, OTHER, create=True),
        )
        assert sorted(type(f).__name__ for f in fates) == ["Principal", "Unauthorized"]
        assert len(await accounts.orgs.all()) == 1
        winner = SECRET if isinstance(fates[0], Principal) else OTHER
        await enter(accounts, winner)

    async def test_two_phones_with_the_same_secret_both_enter(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        fates = await together(*[partial(enter, accounts, create=True)] * 10)
        assert {type(f) for f in fates} == {Principal}
        assert hashes.hashed == 1

    async def test_one_that_only_reads_creates_nothing_beside_one_that_may(
        self, accounts: Accounts
    ) -> None:
        reading, creating = await together(
            partial(enter, accounts), partial(enter, accounts, create=True)
        )
        assert isinstance(creating, Principal)
        assert isinstance(reading, Principal | Unauthorized)
        assert len(await accounts.orgs.all()) == 1

    @pytest.mark.parametrize(
        ("org", "secret", "fields"),
        [
            ("my org", SECRET, ["org_id"]),
            (None, SECRET, ["org_id"]),
            ("myorg", "short", ["secret_key"]),
            ("ab", "with a space in it", ["org_id", "secret_key"]),
        ],
    )
    async def test_names_what_no_org_can_have(
        self, accounts: Accounts, org: str | None, secret: str, fields: list[str]
    ) -> None:
        with pytest.raises(BadInput) as caught:
            await enter(accounts, secret, org, create=True)
        assert [p.field for p in caught.value.problems] == fields
        assert secret not in caught.value.detail
        assert await accounts.orgs.all() == []

    async def test_an_api_key_creates_nothing(self, accounts: Accounts) -> None:
        with pytest.raises(Unauthorized):
            await enter(accounts, "pgk_12345678_" + "a" * 32, create=True)
        assert await accounts.orgs.all() == []

    async def test_is_a_wrong_secret_where_registration_is_closed(
        self, database: Database, clock: Clock
    ) -> None:
        closed = Accounts(
            database,
            registration=Registration(forced="closed"),
            now_ms=clock,
            cost=CHEAP,
            rate_limits=RateLimits(),
        )
        for secret, org in [(SECRET, "myorg"), ("short", "myorg"), (SECRET, "my org")]:
            with pytest.raises(Unauthorized) as caught:
                await enter(closed, secret, org, create=True)
            assert caught.value.detail == WRONG_CREDENTIAL
        assert await closed.orgs.all() == []
        await closed.orgs.add("myorg", SECRET)
        await enter(closed, create=True)

    async def test_an_address_that_guessed_creates_nothing(self, accounts: Accounts) -> None:
        await guess(accounts, 10)
        with pytest.raises(Throttled):
            await enter(accounts, create=True)


class TestLog:
    async def test_what_appears_and_what_ends_is_a_line_without_a_secret(
        self, accounts: Accounts
    ) -> None:
        with capture_logs() as lines:
            org, secret = await accounts.orgs.add("myorg")
            key, text = await accounts.keys.add(org.id, "app", ("send",))
            await enter(accounts, OTHER, "other", create=True)
            await enter(accounts, OTHER, "other", create=True)
            await accounts.keys.revoke(org.id, key.id)
            await accounts.orgs.rotate("myorg", OTHER)
            await accounts.orgs.remove("myorg")
        told = [{k: v for k, v in one.items() if k not in {"part", "log_level"}} for one in lines]
        assert told == [
            {"event": "org_added", "org": "myorg", "by": "owner"},
            {"event": "key_added", "org": "myorg", "key": key.id, "scopes": "send"},
            {"event": "org_added", "org": "other", "by": "registration", "peer": HERE},
            {"event": "key_revoked", "org": "myorg", "key": key.id},
            {"event": "org_rotated", "org": "myorg"},
            {"event": "org_removed", "org": "myorg"},
        ]
        assert not any(hidden in str(lines) for hidden in (secret, text, OTHER))


async def test_no_secret_in_anything_that_is_shown(accounts: Accounts) -> None:
    org, secret = await accounts.orgs.add("myorg")
    key, text = await accounts.keys.add(org.id, "app")
    principal = await enter(accounts, text)
    shown = repr([org, key, principal, accounts.__dict__, await accounts.orgs.all()])
    assert secret not in shown
    assert text not in shown
    assert text[13:] not in shown
    assert "scrypt" not in shown
