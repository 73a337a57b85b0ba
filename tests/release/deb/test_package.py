"""The Debian package as it is built: what is in it, with which rights, and the same each time."""

import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import phonegate
from phonegate.cli import group
from phonegate.cli.service.unit import BACKUP_TIMER_NAME, BACKUP_UNIT_NAME, UNIT_NAME
from phonegate.cli.upgrade import package_file
from phonegate.config.reader import load
from release.deb import launcher, package
from release.deb.made_files import COMPLETIONS, DATABASE, UNIT

ROOT = Path(__file__).parent.parent.parent.parent
EPOCH = 1_796_000_000
RUN_S = 60
QUICK = "-z1"
"""Packs in a tenth of the time."""


@pytest.fixture(scope="module")
def deb(zipapp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not here (Debian: dpkg)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "LEVEL", QUICK)
        return package.build(zipapp, tmp_path_factory.mktemp("deb"), phonegate.__version__, EPOCH)


def archive(deb: Path, part: str) -> tarfile.TarFile:
    done = subprocess.run(["dpkg-deb", f"--{part}-tarfile", deb], capture_output=True, check=True)
    return tarfile.open(fileobj=io.BytesIO(done.stdout))


@pytest.fixture(scope="module")
def control(deb: Path) -> dict[str, str]:
    with archive(deb, "ctrl") as files:
        return {one.name.removeprefix("./"): content(files, one) for one in files if one.isfile()}


@pytest.fixture(scope="module")
def tree(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, unpacked."""
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--extract", deb, folder], check=True)
    return folder


def content(files: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = files.extractfile(member)
    assert file is not None
    return file.read().decode()


def test_an_upgrade_shows_what_changes_with_it(deb: Path) -> None:
    offer = package_file.read(deb.read_bytes())
    assert offer is not None
    assert offer.changelog == (ROOT / "CHANGELOG.md").read_text()


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))


def test_the_fields_say_what_it_is_and_needs(deb: Path, control: dict[str, str]) -> None:
    found = fields(control["control"])
    assert deb.name == f"phonegate_{phonegate.__version__}_all.deb"
    assert found["Version"] == phonegate.__version__
    assert found["Architecture"] == "all"
    oldest = ".".join(map(str, phonegate.__main__.OLDEST))
    assert f"python3 (>= {oldest}~)" in found["Depends"]
    assert int(found["Installed-Size"]) > 10_000
    assert "@" not in re.sub(r"<.*>", "", control["control"])


def test_all_belongs_to_root_and_has_the_time_and_mode_that_it_should(deb: Path) -> None:
    programs = {
        "./usr/bin/phonegate",
        "./usr/share/python3/runtime.d/phonegate.rtupdate",
        *(f"./{name}" for name in package.SCRIPTS),
    }
    for part in ("fsys", "ctrl"):
        with archive(deb, part) as files:
            for one in files:
                assert (one.uid, one.gid, one.uname, one.gname) == (0, 0, "root", "root"), one.name
                assert one.mtime == EPOCH, one.name
                assert one.isfile() or one.isdir(), one.name
                expected = 0o755 if one.isdir() or one.name in programs else 0o644
                if one.name == "./etc/phonegate/gateway.toml":
                    expected = 0o640
                assert one.mode == expected, one.name


def test_the_sums_are_those_of_the_files(control: dict[str, str], tree: Path) -> None:
    sums = dict(line.split("  ")[::-1] for line in control["md5sums"].splitlines())
    for name, digest in sums.items():
        assert hashlib.md5((tree / name).read_bytes()).hexdigest() == digest
    files = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    assert files - set(sums) == set(package.CONFFILES)


def test_the_configuration_is_a_conffile_that_names_the_service_s_database(
    control: dict[str, str], tree: Path
) -> None:
    assert control["conffiles"] == f"{UNIT.config}\n"
    path = tree / str(UNIT.config).removeprefix("/")
    settings = load(path)
    assert settings.database.path == str(DATABASE)
    assert len(path.read_text().splitlines()) < 60
    assert re.search(r'^#bind = \["0\.0\.0\.0:8080"\]$', path.read_text(), re.MULTILINE)
    # Each line that is commented out is right if it is not.
    path.write_text(re.sub(r"^#(?=\w+ =)", "", path.read_text(), flags=re.MULTILINE))
    assert load(path).database == settings.database


def test_one_declaration_has_the_paths_of_scripts_launcher_and_units(
    control: dict[str, str],
) -> None:
    assert str(UNIT.config) == launcher.CONFIG
    assert f"/{package.PACKAGES}" == launcher.PACKAGES
    for script in ("postinst", "postrm"):
        assert f"state={UNIT.state}\n" in control[script]
        assert f"backups={UNIT.backups}\n" in control[script]
    assert f"configuration={UNIT.config}\n" in control["postinst"]
    for name in (UNIT_NAME, BACKUP_TIMER_NAME):
        assert name in control["postinst"]
        assert name in control["postrm"]


def test_nothing_inside_is_native_compiled_or_the_zipapp_s_own(tree: Path, zipapp: Path) -> None:
    site = tree / package.PACKAGES
    assert not [path for path in site.rglob("*") if path.suffix in {".so", ".pyc", ".pyd"}]
    assert not [name for name in package.LEFT_OUT if (site / name).exists()]
    assert (site / "phonegate/pages/files").is_dir()
    traces = {str(ROOT).encode(), str(zipapp.parent).encode()}
    for path in tree.rglob("*"):
        if path.is_file() and site not in path.parents:
            assert not [trace for trace in traces if trace in path.read_bytes()], path


def test_it_runs_from_its_folder_and_uses_nothing_else(tree: Path, tmp_path: Path) -> None:
    program = tmp_path / "phonegate"
    text = (tree / "usr/bin/phonegate").read_text()
    program.write_text(text.replace(f"/{package.PACKAGES}", str(tree / package.PACKAGES)))
    assert text.startswith("#!/usr/bin/python3 -I\n")
    script = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print(sys.modules['phonegate'].__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, program, "version"],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=True,
        cwd=tmp_path,
    )
    first, *_, last = done.stdout.splitlines()
    assert first.startswith(f"phonegate {phonegate.__version__} (Python ")
    assert last == str(tree / package.PACKAGES / "phonegate/__init__.py")
    assert not list((tree / package.PACKAGES).rglob("*.pyc"))


def commands(above: click.Group, context: click.Context) -> Iterator[tuple[str, list[str]]]:
    """Each command of the program, with the options that its help shows."""
    for name in above.list_commands(context):
        command = above.get_command(context, name)
        assert command is not None
        below = click.Context(command, parent=context, info_name=name)
        shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        yield below.command_path, [option.opts[-1] for option in shown]
        if isinstance(command, click.Group):
            yield from commands(command, below)


def test_every_command_and_option_has_its_man_page(tree: Path) -> None:
    folder = tree / "usr/share/man/man1"
    pages = {path.name: gzip.decompress(path.read_bytes()).decode() for path in folder.glob("*.gz")}
    named = {"phonegate.1.gz"}
    for path, options in commands(group, click.Context(group, info_name="phonegate")):
        name = "-".join(path.split()[:2]) + ".1.gz"
        named.add(name)
        text = pages[name].replace("\\-", "-")
        assert f"\\fB{path}\\fR" in text
        for option in options:
            assert option in text, (path, option)
    assert set(pages) == named


def test_every_setting_has_its_entry_in_a_man_page(tree: Path) -> None:
    page = tree / "usr/share/man/man5/gateway.toml.5.gz"
    text = gzip.decompress(page.read_bytes()).decode()
    example = (ROOT / "gateway.toml.example").read_text()
    for key in re.findall(r"^#(\w+) = ", example.partition("\n# [[")[0], re.MULTILINE):
        assert f"\\fB{key}\\fR" in text, key


def test_the_man_pages_are_shown_without_a_warning(tree: Path, tmp_path: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not here (Debian: groff-base)")
    pages = []
    for path in sorted((tree / "usr/share/man").rglob("*.gz")):
        pages.append(tmp_path / path.stem)
        pages[-1].write_bytes(gzip.decompress(path.read_bytes()))
    # What `man --warnings` runs, for all pages at once.
    command = ["groff", "-k", "-ww", "-z", "-mandoc", "-Tutf8", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", sorted(COMPLETIONS))
def test_the_completions_are_scripts_of_their_shell(tree: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    script = tree / COMPLETIONS[shell]
    subprocess.run([shell, "-n", script], check=True)
    assert "_PHONEGATE_COMPLETE" in script.read_text()


def test_the_units_start_what_the_package_brings(tree: Path) -> None:
    folder = tree / "lib/systemd/system"
    assert {path.name for path in folder.iterdir()} == {
        UNIT_NAME,
        BACKUP_UNIT_NAME,
        BACKUP_TIMER_NAME,
    }
    unit = (folder / UNIT_NAME).read_text()
    program = re.findall(r"^ExecStart=(\S+) serve ", unit, re.MULTILINE)
    assert [(tree / one.removeprefix("/")).is_file() for one in program] == [True]
    assert "SHIV_ROOT" not in unit
    assert "\nLimitCORE=0\n" in unit
    assert "\nMemoryMax=" in unit
    assert f"\nReadWritePaths=-{UNIT.backups}\n" in unit


def test_the_scripts_are_read_by_a_shell(tree: Path, control: dict[str, str]) -> None:
    update = (tree / "usr/share/python3/runtime.d/phonegate.rtupdate").read_text()
    for text in (*(control[name] for name in package.SCRIPTS), update):
        assert text.startswith("#!/bin/sh\n")
        assert "\nset -e\n" in text
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_the_copyright_file_names_every_file_and_every_licence(tree: Path) -> None:
    text = (tree / "usr/share/doc/phonegate/copyright").read_text()
    for path in (tree / package.PACKAGES).iterdir():
        if not path.name.startswith("phonegate"):
            end = "/*" if path.is_dir() else ""
            assert f" {package.PACKAGES}/{path.name}{end}\n" in text, path.name
    assert "Copyright (c) 2026 phonegate maintainers" in text
    paragraphs = [one for one in text.split("\n\n") if one.strip()]
    alone = {fields(one)["License"] for one in paragraphs if one.startswith("License: ")}
    for one in paragraphs:
        if one.startswith("Files: ") and "\n " not in one.partition("\nLicense: ")[2]:
            assert fields(one)["License"] in alone, one


def test_the_same_zipapp_gives_the_same_bytes(
    deb: Path, zipapp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "LEVEL", QUICK)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("LANG", "C")
    before = os.umask(0o077)
    try:
        again = package.build(zipapp, tmp_path, phonegate.__version__, EPOCH)
    finally:
        os.umask(before)
    assert again.read_bytes() == deb.read_bytes()


def test_without_dpkg_it_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match="dpkg-deb is not here: install dpkg"):
        package.build(tmp_path / "no.pyz", tmp_path, "1.0.0", EPOCH)
