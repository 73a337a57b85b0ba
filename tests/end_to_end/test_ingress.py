"""The add-on of Home Assistant: its start, and the console in the sidebar."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from kit.program import ROOT, Program
from tests.deploy.test_homeassistant import CONFIG, NETWORK
from tests.end_to_end.chromium import Browser, browser, chromium, needed
from tests.end_to_end.home_assistant import HomeAssistant, home_assistant

__all__ = ["browser", "chromium"]

SECRET = "a-long-secret-of-a-test"

START = """
import importlib.util, pathlib, pwd, os, sys
spec = importlib.util.spec_from_file_location("start", sys.argv[1])
start = importlib.util.module_from_spec(spec)
spec.loader.exec_module(start)
start.DATA = pathlib.Path(sys.argv[2])
start.SUPERVISOR, start.PORT, start.INGRESS_PORT = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
start.PROXIES = ("127.0.0.0/8",)
# The user who runs the tests, in place of one that the image has.
start.USER = pwd.getpwuid(os.getuid()).pw_name
start.main()
"""


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


class AddOn(Program):
    """The add-on's start, with the options of a test."""

    def __init__(self, folder: Path, home: HomeAssistant, ports: tuple[int, int]) -> None:
        options = {
            **CONFIG["options"],
            "registration": "local",
            "settings": ['log.format = "json"'],
        }
        (folder / "options.json").write_text(json.dumps(options))
        start = ROOT / "deploy" / "homeassistant" / "phonegate" / "start.py"
        words = [str(start), str(folder), home.url, *map(str, ports)]
        super().__init__(
            [str(ROOT / ".venv" / "bin" / "python"), "-c", START, *words],
            folder=folder,
            environment={
                "PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin",
                "SUPERVISOR_TOKEN": "token-of-the-add-on",
            },
        )
        self.port = ports[0]

    def wait_until_ready(self) -> None:
        self.wait_for_line('"listening"')


def push(url: str, body: str) -> None:
    sms = {"address": "+15551112222", "body": body, "date": 1_700_000_000_000}
    pushed = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
    httpx.post(f"{url}/webhook", json=pushed, trust_env=False).raise_for_status()


def until_shown(browser: Browser, text: str) -> None:
    """Waits for a text in the sidebar's page, which may be another one by now."""

    def is_shown(driver: WebDriver) -> bool:
        driver.switch_to.default_content()
        driver.switch_to.frame(driver.find_element(By.ID, "panel"))
        return text in driver.find_element(By.TAG_NAME, "body").text

    browser.until(is_shown)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    folder, ports = tmp_path_factory.mktemp("data"), free_ports()
    network = {"network": {f"{ports[0]}/tcp": ports[0]}}
    with home_assistant(network, NETWORK) as home, AddOn(folder, home, ports) as add_on:
        home.add_on_url = f"http://127.0.0.1:{ports[1]}"
        push(add_on.url, "hello")
        yield home


def test_the_start_asks_the_supervisor_for_the_address_of_phones(home: HomeAssistant) -> None:
    token = "Bearer token-of-the-add-on"
    assert home.asked == [("/network/info", token), ("/addons/self/info", token)]
    page = httpx.get(f"{home.url}{home.path}/", trust_env=False)
    assert "http://192.168.1.10:" in page.text


def test_a_page_may_be_framed_by_the_same_host_alone_and_only_there(home: HomeAssistant) -> None:
    with httpx.Client(trust_env=False) as client:
        for path in ("/console/sign-in", "/"):
            policy = "content-security-policy"
            through = client.get(f"{home.url}{home.path}{path}").headers
            assert "frame-ancestors 'self'" in through[policy]
            direct = client.get(f"{home.add_on_url}{path}").headers
            assert "frame-ancestors 'none'" in direct[policy]
        assert direct.get("x-frame-options", "DENY") == "DENY"


@needed
def test_the_console_works_in_the_sidebar_under_a_path_that_changes(
    browser: Browser, home: HomeAssistant
) -> None:
    for number in range(2):
        home.change_path()
        browser.look(f"{home.url}/panel")
        until_shown(browser, "Secret")
        browser.find("#org").send_keys("myorg")
        browser.find("#secret").send_keys(SECRET)
        browser.click("main button")
        until_shown(browser, "hello" if number == 0 else "live 0")
        assert browser.run("return location.pathname").startswith(f"{home.path}/console")
        # What comes in is shown at once: the stream gets through.
        push(home.add_on_url, f"live {number}")
        until_shown(browser, f"live {number}")
        for link in browser.run("return [...document.links].map((one) => one.pathname)"):
            assert link.startswith(f"{home.path}/"), link
        browser.click("[data-sign-out] button")
        until_shown(browser, "Secret")
    browser.driver.switch_to.default_content()
