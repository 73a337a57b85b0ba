"""How this machine reaches the registries of packages, for a root that is to reach them too.

A machine behind a proxy that opens TLS has certificate authorities of its own, and one with a
mirror has addresses of its own. Both stand in files and variables that a new root has not.
"""

import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

AUTHORITIES: Final = Path("usr/local/share/ca-certificates")
"""Where Debian has the authorities that a machine's owner adds."""

BUNDLE: Final = Path("usr/local/share/authorities.pem")
"""All authorities, for installers that bring their own list."""

BUNDLE_VARIABLES: Final = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
KEPT_VARIABLES: Final = (
    *("PIP_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT"),
    *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INSECURE_HOST"),
)
APT_SETTINGS: Final = (
    *("Acquire::http", "Acquire::https"),
    *("Acquire::Check-Date", "Acquire::Check-Valid-Until"),
)


def give(root: Path) -> dict[str, str]:
    """Copies what the registries need into a root. Returns the variables for its programs."""
    shutil.copyfile("/etc/resolv.conf", root / "etc" / "resolv.conf")
    settings = subprocess.run(
        ["apt-config", "dump", *APT_SETTINGS], capture_output=True, text=True, check=True
    )
    (root / "etc/apt/apt.conf.d/90-this-machine").write_text(settings.stdout)
    if (own := "/" / AUTHORITIES).is_dir():
        shutil.copytree(own, root / AUTHORITIES, dirs_exist_ok=True)
    variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    bundle = ssl.get_default_verify_paths().cafile
    if bundle and Path(bundle).is_file():
        shutil.copyfile(bundle, root / BUNDLE)
        variables |= dict.fromkeys(BUNDLE_VARIABLES, f"/{BUNDLE}")
    return variables
