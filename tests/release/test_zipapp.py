"""The zipapp, built and run as its users do."""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import phonegate
from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S
from tests.release.conftest import BUILD_S, ROOT, build, copy
from tests.release.pythons import found

RUN_S = 60


@pytest.fixture(scope="module")
def folder(zipapp: Path) -> Path:
    return zipapp.parent.parent


def test_another_checkout_umask_and_python_with_nothing_installed_pack_the_same(
    folder: Path, zipapp: Path, tmp_path: Path
) -> None:
    """The same bytes, but for what another Python's zlib may make of the same content."""
    python = found("3.13") or Path(sys.executable)
    bare = tmp_path / "bare"
    subprocess.run([python, "-m", "venv", bare], check=True, timeout=BUILD_S)
    checkout = copy(folder / "checkout", tmp_path / "elsewhere")
    cache = checkout / "phonegate" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "rubbish.cpython-311.pyc").write_bytes(b"rubbish")
    again = tmp_path / "again.pyz"
    build(checkout, again, umask=0o077, python=str(bare / "bin" / "python"))
    assert packed(again) == packed(zipapp)
    assert again.stat().st_mode == zipapp.stat().st_mode


def packed(path: Path) -> list[object]:
    """All that an archive holds, in its order."""
    with zipfile.ZipFile(path) as archive:
        assert archive.fp is not None
        archive.fp.seek(0)
        shebang = archive.fp.readline()
        entries = archive.infolist()
        return [
            shebang,
            *((e.filename, e.date_time, e.external_attr, e.compress_type) for e in entries),
            *(hashlib.sha256(archive.read(e)).hexdigest() for e in entries),
        ]


def test_nothing_inside_is_native_or_names_the_builder(zipapp: Path) -> None:
    with zipfile.ZipFile(zipapp) as archive:
        names = archive.namelist()
        traces = {str(ROOT).encode(), sys.executable.encode()}
        assert not [
            name for name in names if traces & {t for t in traces if t in archive.read(name)}
        ]
    assert not [name for name in names if re.search(r"\.(so|pyd|pyc)$|/RECORD$|direct_url", name)]
    assert "site-packages/phonegate/cli/serve.py" in names
    assert "site-packages/phonegate/py.typed" in names
    assert "CHANGELOG.md" in names


def test_every_dependency_is_pinned_to_what_the_project_accepts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "release" / "requirements.txt").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+) \\$", text, re.MULTILINE))
    for line in project["dependencies"]:
        wanted = Requirement(line)
        assert pins[canonicalize_name(wanted.name)] in wanted.specifier, line
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def run(zipapp: Path, version: str, *words: str) -> "subprocess.CompletedProcess[str]":
    python = Path(sys.executable) if version == "3.11" else found(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    environment = {"SHIV_ROOT": str(zipapp.parent / "root"), "PATH": os.environ["PATH"]}
    # -I: this checkout and the packages beside the interpreter stay out.
    command = [str(python), "-I", "-W", "error::SyntaxWarning", str(zipapp), *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S,
        env=environment,
        cwd=zipapp.parent,
    )


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_runs(zipapp: Path, version: str) -> None:
    done = run(zipapp, version, "version")
    assert done.stdout.startswith(f"phonegate {phonegate.__version__} (Python {version}."), done
    done = run(zipapp, version, "demo", "--once")
    assert done.returncode == 0, done
    assert "Both ways work." in done.stdout
    assert done.stderr == ""


def test_a_later_start_unpacks_nothing_and_finds_bytecode(zipapp: Path) -> None:
    environment = {"SHIV_ROOT": str(zipapp.parent / "later"), "PATH": os.environ["PATH"]}
    # -B: as where PYTHONDONTWRITEBYTECODE is set.
    command = [sys.executable, "-I", "-B", "-X", "importtime", str(zipapp), "version"]
    first, later = (
        subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=RUN_S, env=environment
        )
        for _ in range(2)
    )
    assert "_bootstrap" in {line.split("|")[-1].strip() for line in first.stderr.splitlines()}
    assert "_bootstrap" not in {line.split("|")[-1].strip() for line in later.stderr.splitlines()}
    assert first.stdout == later.stdout
    (build,) = (zipapp.parent / "later").glob("phonegate.pyz_*")
    assert list(build.rglob("phonegate/cli/__pycache__/*.pyc"))
    assert (build / ".in_use").exists(), "the preamble has run"


def test_it_serves_its_pages_and_the_licence_of_swagger_ui(
    zipapp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIV_ROOT", str(zipapp.parent / "root"))
    program = ("-I", str(zipapp))
    with (
        GatewayProcess(tmp_path / "phonegate.db", program=program) as gateway,
        httpx.Client(base_url=gateway.url, trust_env=False, timeout=PATIENCE_S) as client,
    ):
        assert "made of" in client.get("/").raise_for_status().text
        page = client.get("/docs").raise_for_status().text
        addresses = re.findall(r'(?:src|href)="(assets/[^"]+)"', page)
        files = {a.rpartition("/")[2]: client.get(f"/{a}") for a in addresses}
    assert {"docs.js", "swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"} <= set(files)
    assert [answer.status_code for answer in files.values()] == [200] * len(files)
    assert "SwaggerUIBundle" in files["swagger-ui-bundle.js"].text
    assert "Apache License" in files["LICENSE"].text
    assert "END OF TERMS AND CONDITIONS" in files["apache-2.0.txt"].text
    with zipfile.ZipFile(zipapp) as archive:
        names = archive.namelist()
    assert "site-packages/flask_swagger_ui/dist/LICENSE" in names
    assert [n for n in names if re.search(r"/flask_swagger_ui-[^/]+/licenses/LICENSE$", n)]


@pytest.mark.parametrize("root", ["/proc/no/such/folder", "file", None])
def test_a_place_that_cannot_be_written_is_a_sentence(
    zipapp: Path, tmp_path: Path, root: str | None
) -> None:
    (tmp_path / "file").touch()
    environment = {"PATH": os.environ["PATH"], "HOME": "/proc/no/such/home"}
    if root is not None:
        environment["SHIV_ROOT"] = str(tmp_path / root)
    done = subprocess.run(
        [sys.executable, "-I", str(zipapp), "version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("phonegate: ")
    assert "set SHIV_ROOT to a folder that this user can write" in done.stderr


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_an_older_python_is_told_what_is_missing(zipapp: Path, version: str) -> None:
    done = run(zipapp, version, "version")
    assert done.returncode == 1
    assert done.stderr.startswith("phonegate needs Python 3.11 or newer; this is Python ")
    assert len(done.stderr.splitlines()) == 1
