"""How phones get the gateway's own authority: the file, and the page that explains it."""

import html
import os
import re
from pathlib import Path

import pytest
import trio

from phonegate.local_ca.authority import LocalAuthority
from phonegate.local_ca.names import Names, usual
from phonegate.pages.own_authority import CERTIFICATE_MEDIA
from phonegate.store.database import Database
from tests.pages.test_pairing import Site, build_site


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    made = LocalAuthority(tmp_path_factory.mktemp("tls"))
    made.ensure(Names(), usual("gate", ["192.168.1.5"]))
    return made


@pytest.fixture
async def site(database: Database, authority: LocalAuthority) -> Site:
    return await build_site(database, authority=authority.authority, url="https://gate.lan")


async def test_a_phone_gets_the_authority(site: Site, authority: LocalAuthority) -> None:
    answer = await site.web.call("GET", "/ca.crt", secret=None)
    assert (answer.status, answer.headers["content-type"]) == (200, CERTIFICATE_MEDIA)
    assert answer.data == authority.authority.read_bytes()


async def test_the_page_tells_how_to_install_it_and_whether_it_is_the_right_one(
    site: Site, authority: LocalAuthority
) -> None:
    page = await site.web.call("GET", "/certificate", secret=None)
    text = page.data.decode()
    made = authority.ensure(Names(), Names()).authority
    assert made.fingerprint in text.replace("\n", ":")
    assert made.ends.strftime("%Y-%m-%d") in text
    for shown in ("/ca.crt", "gate.local", "192.168.0.0/16", "Install a certificate"):
        assert shown in text
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_a_phone_is_told_to_trust_it_first(site: Site, database: Database) -> None:
    assert 'href="/certificate"' in (await site.open()).data.decode()


async def test_termux_gets_it_too_and_checks_it_against_the_page(
    site: Site, authority: LocalAuthority, tmp_path: Path
) -> None:
    text = html.unescape((await site.open()).data.decode())
    shown = re.findall(r"<code>(curl .*?|PHONEGATE_KEY=.*?)</code>", text)
    fetch, start = shown[:2]
    assert " https://gate.lan/ca.crt " in fetch
    assert "--termux --cacert ca.crt --url" in start
    # What comes is kept if it is the file, and deleted if it is another.
    (tmp_path / "curl").write_text('#!/bin/sh\ncp "$SENT" ca.crt\n')
    (tmp_path / "curl").chmod(0o755)
    for sent in (authority.authority, authority.certificate):
        environment = {"PATH": f"{tmp_path}:{os.defpath}", "SENT": str(sent)}
        command = ["sh", "-c", fetch]
        await trio.run_process(
            command, cwd=tmp_path, env=environment, capture_stdout=True, capture_stderr=True
        )
        assert (tmp_path / "ca.crt").exists() == (sent == authority.authority)


async def test_by_plain_http_there_is_nothing_to_trust(
    database: Database, authority: LocalAuthority
) -> None:
    site = await build_site(database, authority=authority.authority)
    page = (await site.open()).data.decode()
    assert 'href="/certificate"' not in page
    assert "--cacert" not in page


@pytest.mark.parametrize("content", [None, b"junk", "server", "with its key"])
async def test_nothing_else_is_given_out(
    database: Database, authority: LocalAuthority, tmp_path: Path, content: bytes | str | None
) -> None:
    file = tmp_path / "ca.crt"
    if content == "server":
        file.write_bytes(authority.certificate.read_bytes())
    elif content == "with its key":
        key = authority.folder / "ca.key"
        file.write_bytes(authority.authority.read_bytes() + key.read_bytes())
    elif isinstance(content, bytes):
        file.write_bytes(content)
    site = await build_site(database, authority=file, url="https://gate.lan")
    for path in ("/ca.crt", "/certificate"):
        refused = await site.web.call("GET", path, secret=None)
        assert (refused.status, refused.json["code"]) == (404, "not_found")
        assert "phonegate certificate" in refused.json["detail"]
    assert 'href="/certificate"' not in (await site.open()).data.decode()
