"""The configuration: where values come from, what is refused, and the example file."""

from pathlib import Path
from typing import get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.config import reader
from phonegate.config.reader import ConfigError, Fault, load
from phonegate.config.rules import RULES
from phonegate.config.settings import OrgSettings, Settings
from phonegate.domain.pacing import PacingRate, PacingRates
from phonegate.domain.registration import DEFAULT, MODES

ROOT = Path(__file__).parents[2]
DEFAULTS = {
    section: getattr(Settings(), section)
    for section in attrs.fields_dict(Settings)
    if section not in {"assistants", "sources"}
}
KINDS = {
    f"{section}.{field.name}": field.type
    for section, values in DEFAULTS.items()
    for field in attrs.fields(type(values))
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def faults_of(
    text: str = "", environ: dict[str, str] | None = None, **overrides: object
) -> list[str]:
    path = Path("test.toml")
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        reader.load(
            path, environ or {}, {key.replace("__", "."): v for key, v in overrides.items()}
        )
    return [str(fault) for fault in caught.value.faults]


def test_nothing_given_is_every_default() -> None:
    assert reader.load(None, {}, {}) == Settings()


def test_file_then_environment_then_option() -> None:
    Path("gateway.toml").write_text(
        '[http]\nbind = ["127.0.0.1:1", "[::1]:1"]\ndrain_s = 3\nmax_connections = 7\n'
        '[database]\npath = "file.db"\n[log]\nlevel = "debug"'
    )
    environ = {
        "PHONEGATE_HTTP_DRAIN_S": "4.5",
        "PHONEGATE_HTTP_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8",
        "PHONEGATE_DATABASE_PATH": "environment.db",
        "PHONEGATE_URL": "http://of.the.client",
        "HOME": "/somewhere",
    }
    settings = reader.load(None, environ, {"database.path": "option.db"})
    assert settings.http.bind == ("127.0.0.1:1", "[::1]:1")
    assert settings.http.drain_s == 4.5
    assert settings.http.max_connections == 7
    assert settings.http.trusted_proxies == ("10.0.0.0/8", "fd00::/8")
    assert settings.database.path == "option.db"
    assert settings.log.level == "debug"


def test_whole_numbers_serve_as_numbers() -> None:
    Path("gateway.toml").write_text("[http]\nhead_timeout_s = 3")
    assert reader.load().http.head_timeout_s == 3.0


def test_every_fault_is_told_at_once_with_key_and_source() -> None:
    faults = faults_of(
        '[http]\nmax_body_bytes = "big"\nbnd = ["x:1"]\n[htp]\n[log]\nlevel = "loud"',
        {"PHONEGATE_HTTP_DRAIN_S": "soon", "PHONEGATE_PACING_SEGMENTS_PER_MINUTE": "few"},
        http__bind=["nonsense"],
    )
    assert len(faults) == 7
    assert any(
        "http.max_body_bytes (file test.toml): a whole number is needed, not 'big'" in fault
        for fault in faults
    )
    assert any("http.bnd (file test.toml)" in f and "did you mean bind?" in f for f in faults)
    assert any("htp (file test.toml)" in f and "did you mean http?" in f for f in faults)
    assert any('one of "debug", "info", "warning", "error" is needed' in f for f in faults)
    assert any("environment variable PHONEGATE_HTTP_DRAIN_S" in fault for fault in faults)
    assert any("variable PHONEGATE_PACING_SEGMENTS_PER_MINUTE" in f for f in faults)
    assert any("http.bind (option --bind)" in fault for fault in faults)


@pytest.mark.parametrize(
    "line",
    [
        "[http]\nmax_connections = true",
        "[http]\nmax_connections = 1.0",
        "[http]\nmax_connections = 0",
        "[http]\nmax_connections = -1",
        "[http]\ndrain_s = -0.1",
        "[http]\ndrain_s = nan",
        "[http]\ndrain_s = inf",
        "[http]\nhead_timeout_s = 0",
        "[http]\nhead_timeout_s = 1e9",
        "[http]\nbind = []",
        '[http]\nbind = "0.0.0.0:8080"',
        "[http]\nbind = [8080]",
        '[http]\nbind = [":8080"]',
        '[http]\nbind = ["::1:8080"]',
        '[http]\nbind = ["[::1]"]',
        '[http]\nbind = ["[nonsense]:1"]',
        '[http]\nbind = ["http://host:1"]',
        '[http]\nbind = ["host:65536"]',
        '[http]\nbind = ["host:-1"]',
        '[http]\nbind = ["host:1", "host:1"]',
        '[http]\ntrusted_proxies = ["10.0.0.0/33"]',
        '[http]\ntrusted_proxies = ["10.0.0.1/8"]',
        '[http]\ntrusted_proxies = ["proxy.example.org"]',
        '[http]\npublic_url = "sms.example.org"',
        '[http]\npublic_url = "ftp://sms.example.org"',
        '[http]\npublic_url = "https://user@sms.example.org"',
        '[http]\npublic_url = "https://sms.example.org/?q"',
        '[http]\npublic_url = "https://sms.example.org:port"',
        '[http]\nprefix = "sms"',
        '[http]\nprefix = "/sms/"',
        '[http]\nprefix = "/"',
        '[http]\nprefix = "/sms?"',
        '[http]\nprefix = "/sms"\npublic_url = "https://example.org/text"',
        '[tls]\ncertificate = "chain.pem"',
        '[tls]\nkey = "key.pem"',
        '[tls]\ncertificate = "chain.pem"\nkey = 5',
        '[database]\npath = ""',
        '[database]\npath = "new\\nline"',
        "[database]\nreaders = 0",
        '[orgs]\nregistration = "half"',
        "[orgs]\nregistration = true",
        "orgs = 5",
        "[delivery]\nmax_attempts = 0",
        "[pacing]\nsegments_per_minute = -1",
        "[phones]\nmax_frame_bytes = 10",
        '[carriers]\ntwilio_url = ""',
        '[carriers]\ntelnyx_url = "api.telnyx.com"',
        "[carriers]\ndeadline_s = 0",
    ],
)
def test_a_wrong_value_is_one_fault(line: str) -> None:
    (fault,) = faults_of(line)
    assert "(file test.toml): " in fault


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[http", "is not TOML"),
        (b"[log]\nlevel = info", "text needs quotes"),
        (b"[http]\npublic_url = '\xff'", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml(content: bytes, words: str) -> None:
    Path("test.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        reader.load(Path("test.toml"))
    assert "\n" not in str(caught.value)


def test_a_named_file_must_exist_and_be_a_file() -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml.*No such file"):
        reader.load(Path("missing.toml"))
    with pytest.raises(ConfigError, match="directory"):
        reader.load(Path())


def test_kubernetes_service_links_are_no_settings() -> None:
    environ = {"PHONEGATE_SERVICE_HOST": "10.0.0.1", "PHONEGATE_PORT_8080_TCP": "tcp://10.0.0.1"}
    assert reader.load(None, environ) == Settings()


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such key"):
        reader.load(None, {}, {"http.bnd": ["x:1"]})


def test_tls_pair_may_come_from_two_sources() -> None:
    Path("gateway.toml").write_text('[tls]\ncertificate = "chain.pem"')
    settings = reader.load(None, {"PHONEGATE_TLS_KEY": "key.pem"})
    assert (settings.tls.certificate, settings.tls.key) == ("chain.pem", "key.pem")


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[stand_in]\nenabled = true", ["stand_in.bind "]),
        ('[stand_in]\nenabled = true\nbind = ["0.0.0.0:443"]', []),
        ('[stand_in]\nenabled = true\n[tls]\ncertificate = "c"\nkey = "k"', []),
        ('[stand_in]\nbind = ["nothing"]', ["stand_in.bind "]),
        (
            '[stand_in]\nenabled = true\nbind = ["x:443"]\n[dialects]\nenabled = ["generic"]',
            ["dialects.enabled "],
        ),
        ('[stand_in]\nbind = ["x:443", "x:443", "x:0", "x:0"]', ["stand_in.bind "]),
        ('[http]\nbind = ["x:443"]\n[stand_in]\nenabled = true\nbind = ["x:443"]', ["stand_in."]),
        ('[http]\nbind = ["x:443"]\n[stand_in]\nbind = ["x:443"]', []),
        ('[http]\nbind = ["x:443"]\nplain_bind = ["x:443"]', ["http.plain_bind "]),
        ('[http]\nplain_bind = ["x:80", "x:81"]', []),
    ],
)
def test_the_addresses_of_a_stand_in(text: str, faults: list[str]) -> None:
    Path("gateway.toml").write_text(text)
    if not faults:
        reader.load(None, {})
        return
    found = faults_of(text)
    assert [fault.startswith(begin) for fault, begin in zip(found, faults, strict=True)] == [True]


def test_every_number_and_address_has_a_rule() -> None:
    assert {key for key, kind in KINDS.items() if kind in (int, float)} <= set(RULES) <= set(KINDS)


def test_every_default_passes_its_rule() -> None:
    settings = Settings()
    for key, rule in RULES.items():
        section, name = key.split(".")
        assert rule(getattr(getattr(settings, section), name)) is None


@pytest.mark.parametrize("sim", ["my-phone=10", "=10", "0=10", "12=5", "+15551112222=many"])
def test_the_pace_of_a_sim_is_set_by_its_number(sim: str) -> None:
    (fault,) = faults_of(f'[pacing]\nsims = ["{sim}"]')
    assert "pacing" in fault
    assert sim in fault


@pytest.mark.parametrize("sim", ["+15551112222=10", "15551112222=10", "+1 (555) 111-2222=10"])
def test_the_number_of_a_sim_may_be_written_as_its_phone_does(sim: str) -> None:
    pacing = reader.load(None, {"PHONEGATE_PACING_SIMS": sim}, {}).pacing
    rates = PacingRates.of_settings(pacing.segments_per_minute, pacing.orgs, pacing.sims)
    assert rates.of("any", "+15551112222") == PacingRate(10)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(KINDS)) | st.text(), values, max_size=8))
def test_any_value_gives_settings_or_faults_of_one_line(overrides: dict[str, object]) -> None:
    faults: tuple[Fault, ...] = (Fault(key="none", source="none", problem="none"),)
    try:
        reader.load(None, {}, overrides)
    except ConfigError as error:
        faults = error.faults
    assert faults
    assert all(len(str(fault).splitlines()) == 1 for fault in faults)


@pytest.mark.parametrize(
    "token", ["short", "with a space in the middle", "ünïcödé-of-twenty-letters"]
)
def test_a_bad_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(reader.ConfigError) as caught:
        reader.load(environ={"PHONEGATE_OPERATOR_TOKEN": token})
    (fault,) = caught.value.faults
    assert fault.key == "operator.token"
    assert token not in str(fault)


def test_a_token_is_not_in_the_settings_as_shown() -> None:
    settings = reader.load(environ={"PHONEGATE_OPERATOR_TOKEN": "a-token-of-twenty-letters"})
    assert settings.operator.token == "a-token-of-twenty-letters"
    assert settings.operator.token not in repr(settings)


def test_the_rules_about_new_orgs_are_those_of_the_domain() -> None:
    kind = attrs.fields_dict(OrgSettings)["registration"].type
    assert get_args(kind) == MODES
    assert OrgSettings().registration == DEFAULT


def test_settings_say_where_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('[orgs]\nregistration = "open"\n')
    assert load(file, {}).sources == {"orgs.registration": f"file {file}"}
    variable = "PHONEGATE_ORGS_REGISTRATION"
    assert load(file, {variable: "closed"}).sources == {
        "orgs.registration": f"environment variable {variable}"
    }
    assert load(None, {}).sources == {}


@pytest.mark.parametrize(
    "name",
    ["PHONEGATE_KEY", "PHONEGATE_SECRET", "PHONEGATE_CACERT", "PHONEGATE_ASSISTANT_AUTH_TOKEN"],
)
def test_the_programs_own_client_variables_are_no_settings(name: str) -> None:
    warned: list[Fault] = []
    assert reader.load(None, {name: "x"}, warn=warned.append) == Settings()
    assert warned == []


def test_a_variable_that_may_be_another_programs_is_told_and_stops_nothing() -> None:
    warned: list[Fault] = []
    environ = {"PHONEGATE_HTTP_DRIAN_S": "5", "PHONEGATE_DOMAIN": "sms.example.org"}
    environ["PHONEGATE_FOO"] = "1"
    assert reader.load(None, environ, warn=warned.append) == Settings()
    foreign, short, close = map(str, warned)
    assert "did you mean" not in short
    assert foreign.startswith("PHONEGATE_DOMAIN (environment): there is no such setting")
    assert close.endswith("did you mean PHONEGATE_HTTP_DRAIN_S?")


def test_a_known_variable_with_a_wrong_value_stays_a_fault() -> None:
    (fault,) = faults_of("", {"PHONEGATE_HTTP_DRAIN_S": "soon", "PHONEGATE_DOMAIN": "x"})
    assert "PHONEGATE_HTTP_DRAIN_S" in fault


def test_an_empty_variable_is_none() -> None:
    Path("gateway.toml").write_text('[http]\npublic_url = "https://sms.example.org"')
    every = {f"PHONEGATE_{key.replace('.', '_').upper()}": "" for key in KINDS}
    warned: list[Fault] = []
    settings = reader.load(None, {**every, "PHONEGATE_DOMAIN": ""}, warn=warned.append)
    assert settings.http.public_url == "https://sms.example.org"
    assert attrs.evolve(settings, http=Settings().http) == Settings()
    assert warned == []


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_file(ends: str) -> None:
    text = ends.join(["[http]", "drain_s = 3", ""])
    Path("gateway.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert reader.load().http.drain_s == 3
    Path("gateway.toml").write_bytes(text.encode("utf-16"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        reader.load()


def test_a_modem_needs_an_org() -> None:
    with pytest.raises(ConfigError, match=r"modem\.org .*needed"):
        load(environ={"PHONEGATE_MODEM_ENABLED": "true"})
    environ = {"PHONEGATE_MODEM_ENABLED": "true", "PHONEGATE_MODEM_ORG": "home"}
    assert load(environ=environ).modem.org == "home"


@pytest.mark.parametrize(
    ("key", "value"),
    [("org", "a b"), ("imei", "12"), ("number", "0151 23"), ("pin", "12a4"), ("pin", "123")],
)
def test_a_modem_that_can_not_be_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"modem\.{key}") as refusal:
        load(environ={f"PHONEGATE_MODEM_{key.upper()}": value})
    assert key != "pin" or value not in str(refusal.value)


def test_a_pin_without_quotes_is_refused_without_being_shown(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[modem]\npin = 4711\n")
    with pytest.raises(ConfigError, match="text in quotes is needed") as refusal:
        load(tmp_path / "gateway.toml")
    assert "4711" not in str(refusal.value)


def test_targets_of_alarms_are_checked_together_and_never_shown(tmp_path: Path) -> None:
    secret = "t0ps3cret"
    (tmp_path / "wrong.toml").write_text(
        "[alarms]\n"
        f'notify = ["webhook:{secret}", "sms:club:+15551112222", "{secret}"]\n'
        f'heartbeat_url = "{secret}"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "wrong.toml", {})
    notify, heartbeat = caught.value.faults
    assert "target 1: behind webhook: an address" in notify.problem
    assert "target 3: a target is webhook:URL" in notify.problem
    assert heartbeat.key == "alarms.heartbeat_url"
    assert secret not in str(caught.value)
    target = f"webhook:http://a/{secret}"
    settings = load(None, {"PHONEGATE_ALARMS_NOTIFY": f"{target}, sms:club:+15551112222"})
    assert settings.alarms.notify == (target, "sms:club:+15551112222")
    assert secret not in repr(settings)
