"""What a person is given in order to pair a phone."""

from pathlib import Path

import pytest

from phonegate.domain.pairing import LIFETIME_MS
from phonegate.domain.pairing_offers import MAX_TYPED_URL, PairingOffers, checked
from phonegate.model.refusals import BadInput, Conflict, NotFound
from tests.domain.test_pairing import ORG, Scene, scene

__all__ = ["scene"]

HERE = ("http://192.168.1.5:8080", "http://10.0.0.5:8080")


def offers(scene: Scene, *urls: str, authority: Path = Path("/nowhere")) -> PairingOffers:
    return PairingOffers(scene.pairing, lambda: urls, lambda: authority)


async def test_an_offer_has_the_best_address_and_the_others(scene: Scene) -> None:
    offer = await offers(scene, *HERE).make(ORG, "kitchen", None)
    assert (offer.url, offer.other_urls) == (HERE[0], (HERE[1],))
    assert offer.address == f"{HERE[0]}/pair/{offer.link.token}"
    assert not offer.leads_nowhere
    assert offer.certificate_page is None
    assert offer.link.expires_at == scene.clock() + LIFETIME_MS
    # The phone gets the address at which its browser asks, unless one was named.
    assert offer.link.url == ""
    assert scene.pairing.open(offer.link.token, None)[0] is offer.link


async def test_an_address_that_is_named_counts(scene: Scene) -> None:
    offer = await offers(scene).make(ORG, None, "HTTPS://Sms.Example.org/in/")
    assert (offer.url, offer.other_urls) == ("https://Sms.Example.org/in", ())
    assert offer.link.url == offer.url
    longest = "http://" + "a" * (MAX_TYPED_URL - 7)
    assert checked(longest) == longest
    for wrong in ("ftp://x", "sms.example.org", "http://a b", "http://x?y", f"{longest}a"):
        with pytest.raises(BadInput) as refused:
            checked(wrong)
        assert [problem.field for problem in refused.value.problems] == ["url"]


async def test_where_no_phone_gets_nothing_is_made(scene: Scene) -> None:
    with pytest.raises(Conflict, match="public_url"):
        await offers(scene).make(ORG, "kitchen", None)
    assert len(scene.pairing) == 0


async def test_the_address_that_is_seen_comes_first_unless_it_is_loopback(scene: Scene) -> None:
    made = offers(scene, *HERE)
    assert await made.urls("http://sms.lan:8080") == ("http://sms.lan:8080", *HERE)
    assert await made.urls(HERE[1]) == (HERE[1], HERE[0])
    for here in ("http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "/sms", ""):
        assert await made.urls(here) == HERE


async def test_an_own_authority_is_to_be_trusted_first(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    url = "https://192.168.1.5:8080"
    made = offers(scene, url, authority=file)
    assert (await made.make(ORG, "one", None)).certificate_page is None
    file.write_text("it is looked for alone")
    assert (await made.make(ORG, "two", None)).certificate_page == f"{url}/certificate"


async def test_a_link_is_shown_again_to_the_one_who_made_it(scene: Scene) -> None:
    made = await scene.pairing.invite(ORG, "kitchen", made_by="k1")
    assert scene.pairing.made(scene.org, made.key.id, "k1").token == made.token
    for org, key, by in (
        (scene.org, made.key.id, None),
        (scene.org, "k9", "k1"),
        (9, made.key.id, "k1"),
    ):
        with pytest.raises(NotFound):
            scene.pairing.made(org, key, by)
    scene.clock.now += LIFETIME_MS
    with pytest.raises(NotFound):
        scene.pairing.made(scene.org, made.key.id, "k1")


async def test_an_org_with_many_links_ends_its_own(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.domain.pairing.MOST_LINKS", 3)
    await scene.accounts.orgs.add("other", "my-own-secret-123")
    first = await scene.pairing.invite("other", "theirs")
    mine = [await scene.invite() for _ in range(3)]
    assert len(scene.pairing) == 3
    scene.pairing.open(first.token, None)
    with pytest.raises(NotFound):
        scene.pairing.open(mine[0].token, None)


async def test_an_address_that_was_found_in_a_container_is_of_little_use(scene: Scene) -> None:
    urls = (HERE[0], "https://sms.example.org")

    def made(*, inside: bool) -> PairingOffers:
        return PairingOffers(scene.pairing, lambda: urls, lambda: Path("/nowhere"), lambda: inside)

    assert await made(inside=True).is_of_container(HERE[0])
    assert not await made(inside=True).is_of_container(HERE[1])
    # What its owner has set has a name.
    assert not await made(inside=True).is_of_container(urls[1])
    assert not await made(inside=False).is_of_container(HERE[0])
