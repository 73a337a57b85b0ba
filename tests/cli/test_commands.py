"""The command line as a whole: overview, help, exit codes, one-sentence failures."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import phonegate
from phonegate.cli import COMMANDS, group, main
from phonegate.cli.failure import Failure, explain, reader_left
from phonegate.config import client_environment
from phonegate.config.client_environment import client_variables
from phonegate.config.reader import ConfigError, Fault
from phonegate.model.refusals import NotFound
from phonegate.model.storage_errors import DatabaseBusy
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


def every_command() -> list[click.Command]:
    found: list[click.Command] = []
    for name in COMMANDS:
        command = loaded(name)
        found += command.commands.values() if isinstance(command, click.Group) else [command]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_what_the_command_itself_says(name: str) -> None:
    # The same verb: the table must not go stale when a command changes.
    assert (loaded(name).help or "").split()[0].strip(",:") == COMMANDS[name].about.split()[
        0
    ].strip(",:")


def test_every_command_and_option_has_help() -> None:
    for command in every_command():
        assert command.help, command
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command, parameter)


def test_each_command_of_a_group_has_a_line_that_a_narrow_terminal_shows_whole() -> None:
    for name in COMMANDS:
        command = loaded(name)
        if isinstance(command, click.Group):
            # click leaves two of a terminal's 80 columns free.
            context = click.Context(command, info_name=name, terminal_width=78)
            _, overview = command.get_help(context).split("\nCommands:\n")
            assert "..." not in overview, overview


def test_no_secret_can_be_an_argument_of_the_owners_commands() -> None:
    for name in ("org", "key", "send", "messages", "sims", "serve", "backup", "check"):
        command = loaded(name)
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        options = {option for one in commands for p in one.params for option in p.opts}
        assert not options & {"--secret", "--key", "--secret-key"}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_works(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    assert "Usage: phonegate" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from phonegate.cli import main; code = main(['--help']);"
        "heavy = {'trio', 'httpx', 'quart', 'cattrs', 'sqlite3'} & set(sys.modules);"
        "sys.exit(code or str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


HEAVY = (
    *("cattrs", "hashlib", "httpx", "sqlite3", "tomllib", "trio"),
    *("phonegate.carriers", "phonegate.domain", "phonegate.model.messages"),
)


def test_a_check_of_health_loads_nothing_heavy(tmp_path: Path) -> None:
    """Containers make one every few seconds."""
    program = (
        "import sys; from phonegate.cli import main; code = main(['health']);"
        "print(*sorted({*sys.modules} & {*sys.argv[1:]})); sys.exit(code)"
    )
    with socket.socket() as silent:
        # It has the port, and takes no connection.
        silent.bind(("127.0.0.1", 0))
        done = subprocess.run(
            [sys.executable, "-c", program, *HEAVY],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PHONEGATE_HTTP_BIND": f"127.0.0.1:{silent.getsockname()[1]}"},
            text=True,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 1, done.stderr
    assert "No gateway answers" in done.stderr
    assert done.stdout.split() == []


LATER = (
    "aiofiles",
    "asyncio",
    "cryptography",
    "email",
    "flask",
    "h11",
    "h2",
    "httpcore",
    "httpx",
    "hypercorn",
    "jeepney",
    "jinja2",
    "multiprocessing",
    "phonegate.api.assistants_api",
    "phonegate.api.dialects",
    "phonegate.api.hooks_api",
    "phonegate.api.mcp.api",
    "phonegate.api.webhooks_api",
    "phonegate.applications",
    "phonegate.domain.hooks.mapping",
    "phonegate.domain.hooks.ready_mappings",
    "phonegate.domain.numbering_plans",
    "phonegate.domain.one_time_codes",
    "phonegate.local_ca.authority",
    "phonegate.operations.owner_api",
    "phonegate.pages",
    "phonenumbers",
    "prometheus_client",
    "quart",
    "quart_trio",
    "segno",
    "statistics",
    "trio_websocket",
    "werkzeug",
    "wsproto",
)
"""What a gateway loads when it is needed: a start that loads one of these is slower and larger."""

A_START = """
import sys
import trio
from phonegate import gateway
from phonegate.config.settings import DatabaseSettings, HttpSettings, Settings

async def start():
    http = HttpSettings(bind=("127.0.0.1:0",))
    database = DatabaseSettings(path=sys.argv[1])
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        await nursery.start(gateway.serve, Settings(http=http, database=database), stop)
        print(*sorted({*sys.modules} & {*sys.argv[2:]}))
        stop.set()

trio.run(start)
"""


def test_a_gateway_that_has_started_has_loaded_no_more_than_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", A_START, str(tmp_path / "x.db"), *LATER],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == []


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("phonegate ")
    assert main([]) == 2
    assert main(["no-such"]) == 2
    assert main(["version", "--no-such"]) == 2
    assert main(["send"]) == 2
    assert main(["org", "list"]) == 1
    captured = capsys.readouterr()
    assert "There is no database" in captured.err
    assert "Traceback" not in captured.err


def test_version_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"phonegate {phonegate.__version__}\n"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["help"], "Usage: phonegate [OPTIONS] COMMAND"),
        (["help", "serve"], "Usage: phonegate serve [OPTIONS]"),
        (["help", "org", "add"], "Usage: phonegate org add [OPTIONS] NAME"),
    ],
)
def test_help_as_a_command(
    words: list[str], first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(first)
    assert main([*words[1:], "--help"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("serv", "No such command 'serv'. Did you mean 'serve'?"),
        ("mesages", "Did you mean 'messages'?"),
        ("help mesages", "Did you mean 'messages'?"),
        ("xyzzy", "'phonegate help' lists them."),
        ("org ad", "Did you mean 'add'?"),
        ("help serve now", "has no commands of its own"),
    ],
)
def test_a_misspelt_command_is_told_with_what_was_meant(
    words: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_each_shell(shell: str) -> None:
    command = [sys.executable, "-c", "import sys; from phonegate.cli import main; main()"]
    environ = {**os.environ, "_PHONEGATE_COMPLETE": f"{shell}_source"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert f"_PHONEGATE_COMPLETE={shell}_complete" in done.stdout
    asked = {"COMP_WORDS": "phonegate mess", "COMP_CWORD": "1" if shell != "fish" else "mess"}
    environ |= {"_PHONEGATE_COMPLETE": f"{shell}_complete", **asked}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert "messages" in done.stdout


def options_of(command: click.Command) -> Iterator[click.Option]:
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        yield from options_of(one)
    yield from (one for one in command.params if isinstance(one, click.Option))


def test_every_variable_that_an_option_reads_is_known_to_the_configuration() -> None:
    read = {
        variable
        for name in COMMANDS
        for option in options_of(loaded(name))
        for variable in ([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
    }
    assert (
        {client_environment.URL, client_environment.ORG, client_environment.CONFIG}
        <= read
        <= client_variables() | {"PHONEGATE_MODEM_PIN"}
    ), "the PIN is a setting of the gateway, too"


def test_python_m_phonegate() -> None:
    command = [sys.executable, "-m", "phonegate", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("phonegate ")


def test_a_reader_that_has_enough_is_no_failure_of_ours() -> None:
    pipe = f"{sys.executable} -m phonegate check --example | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert reader_left(ExceptionGroup("", [BrokenPipeError()]))
    assert not reader_left(ExceptionGroup("", [BrokenPipeError(), ValueError()]))


def test_configuration_faults_are_told_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gateway.toml").write_text('[http]\nbnd = 1\ndrain_s = "x"\n')
    assert main(["serve"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("phonegate: the configuration has 2 faults:\n")
    assert "http.bnd (file gateway.toml)" in error
    assert "http.drain_s" in error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Failure("It can't."), "It can't."),
        (NotFound("There is no such org."), "There is no such org."),
        (DatabaseBusy(Path("x.db")), "x.db: another phonegate"),
        (OSError(98, "Address already in use"), "Address already in use"),
        (FileNotFoundError(2, "No such file or directory", "x.pem"), "x.pem: No such file"),
        (ConfigError((Fault(key="a", source="b", problem="c"),)), "configuration:\n  a (b): c"),
        (ExceptionGroup("", [ExceptionGroup("", [Failure("Deep.")])]), "Deep."),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "no"), "Some of the input is not UTF-8"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "Some of the input is not UTF-8"),
        (UnicodeEncodeError("latin-1", "日", 0, 1, "no"), "The character set latin-1 can't show"),
        (ValueError("a fault of ours"), None),
        (ExceptionGroup("", [Failure("x"), ValueError("a fault of ours")]), None),
    ],
)
def test_explain(error: Exception, text: str | None) -> None:
    told = explain(error)
    if text is None:
        assert told is None
    else:
        assert told is not None
        assert told.startswith(text)
