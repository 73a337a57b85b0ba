"""The script that starts a phone."""

import os
import subprocess
from pathlib import Path

from phonegate.phone.radios.termux.boot import boot_script


def test_it_tries_until_the_phone_ends_by_itself(tmp_path: Path) -> None:
    fakes = tmp_path / "bin"
    fakes.mkdir()
    for name in ("sleep", "termux-wake-lock"):
        (fakes / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (fakes / name).chmod(0o755)
    phone = 'echo "$SECRET" "$0" >> tries; test $(wc -l < tries) -ge 3'
    script = tmp_path / "phonegate"
    script.write_text(boot_script("", ["sh", "-c", phone, "it's $HOME"], {"SECRET": "a b'c$d"}))
    environment = {"PATH": f"{fakes}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    subprocess.run(["/bin/sh", str(script)], env=environment, cwd=tmp_path, check=True, timeout=20)
    assert (tmp_path / "tries").read_text() == "a b'c$d it's $HOME\n" * 3
    assert (tmp_path / ".phonegate-boot.log").read_text() == "sleep 60\n" * 2
