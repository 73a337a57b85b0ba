"""The digests of a release's files."""

import subprocess
from pathlib import Path

from release import checksums
from tests.patience import PATIENCE_S


def test_sha256sum_reads_them_and_sees_a_change(tmp_path: Path) -> None:
    for name in ("b.whl", "a.pyz"):
        (tmp_path / name).write_text(name)
    written = checksums.write(tmp_path, tmp_path.iterdir())
    command = ["sha256sum", "--check", "--quiet", written.name]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=PATIENCE_S)
    assert [path.name for path in checksums.named(tmp_path)] == ["SHA256SUMS", "a.pyz", "b.whl"]
    (tmp_path / "a.pyz").write_text("other")
    done = subprocess.run(
        command, cwd=tmp_path, check=False, timeout=PATIENCE_S, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "a.pyz" in done.stdout


def test_a_folder_without_digests_has_nothing_of_a_build(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    assert checksums.named(tmp_path) == []
