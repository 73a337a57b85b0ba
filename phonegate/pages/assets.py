"""The files that the pages load: their own styles and scripts, and those of Swagger UI.

Each stands under an address that changes with its content, so that a browser keeps it for good.
The files of a folder have one address together, so that one script can import another beside it.
"""

import gzip
import hashlib
from collections.abc import Collection
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs
import trio

from phonegate.http.problem import PLAIN_MEDIA

PREFIX: Final = "/assets/"

MEDIA: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": PLAIN_MEDIA,
}
"""The Content-Type by a file's ending. A name without one is a notice, which is text."""

OWN: Final = (
    "page.css",
    "start.css",
    "copy.js",
    "docs.css",
    "docs.js",
    "pairing.css",
    "pairing.js",
    "favicon.svg",
    "apache-2.0.txt",
)
"""Among them the licence of Swagger UI, whose package holds no more than a notice of it."""

FOLDERS: Final = ("console",)
"""Folders of which all files are served."""

SWAGGER: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "LICENSE")
"""What the page needs of Swagger UI, and its copyright notice. The package holds more: a second
copy of the program, an OAuth redirect that no scheme of ours uses."""

SWAGGER_PACKAGE: Final = "flask_swagger_ui"

_DIGEST_CHARS = 12
"""48 bits tell a dozen files and their versions apart."""

_PACKED_FROM = 512
"""Bytes from which packing is worth a header more."""


@attrs.frozen(kw_only=True)
class Asset:
    """A file ready to be sent. `packed` is its gzip, None where that saves nothing."""

    media: str
    body: bytes = attrs.field(repr=False)
    packed: bytes | None = attrs.field(repr=False)
    tag: str
    """The digest of its content."""

    @classmethod
    def of(cls, media: str, body: bytes, *, pack: bool = True) -> "Asset":
        """Digests a content, and packs it unless it is not worth its time."""
        pack = pack and len(body) >= _PACKED_FROM
        packed = gzip.compress(body, mtime=0) if pack else None
        return cls(media=media, body=body, packed=packed, tag=digest(body))


def digest(body: bytes) -> str:
    """Returns a short name for a content."""
    return hashlib.sha256(body).hexdigest()[:_DIGEST_CHARS]


class Assets:
    """All files by their address. Swagger UI, two megabytes, is read when first asked for."""

    def __init__(self) -> None:
        """Reads the own files.

        Raises:
            ModuleNotFoundError: the package with Swagger UI is not installed.
        """
        self._loaded: dict[str, Asset] = {}
        self._waiting: dict[str, Path] = {}
        self._addresses: dict[str, str] = {}
        folder = files("phonegate.pages") / "files"
        for name in OWN:
            asset = Asset.of(MEDIA[Path(name).suffix], (folder / name).read_bytes())
            self._loaded[self._add(name, asset.tag)] = asset
        for name in FOLDERS:
            self._load_folder(name, folder / name)
        dist = _swagger_folder()
        self.swagger_version = (dist / "VERSION").read_text().strip().removeprefix("v")
        for name in SWAGGER:
            self._waiting[self._add(name, f"swagger-ui-{self.swagger_version}")] = dist / name

    def address(self, name: str) -> str:
        """Returns the path that a file is served under. Raises `KeyError` if there is none."""
        return self._addresses[name]

    @property
    def paths(self) -> Collection[str]:
        """The paths of all files."""
        return self._addresses.values()

    async def find(self, path: str) -> Asset:
        """Returns the file at one of the `paths`."""
        if (asset := self._loaded.get(path)) is None:
            asset = await trio.to_thread.run_sync(_load, self._waiting[path])
            self._loaded[path] = asset
        return asset

    def _load_folder(self, folder: str, files: Traversable) -> None:
        assets = {
            f"{folder}/{one.name}": Asset.of(MEDIA[Path(one.name).suffix], one.read_bytes())
            for one in sorted(files.iterdir(), key=lambda one: one.name)
            if Path(one.name).suffix in MEDIA
        }
        tag = digest("".join(f"{name} {asset.tag}\n" for name, asset in assets.items()).encode())
        for name, asset in assets.items():
            self._loaded[self._add(name, tag)] = asset

    def _add(self, name: str, version: str) -> str:
        address = f"{PREFIX}{version}/{name}"
        self._addresses[name] = address
        return address


def _swagger_folder() -> Path:
    """Finds the package's files. It is not imported: that would define routes for Flask."""
    spec = find_spec(SWAGGER_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{SWAGGER_PACKAGE} is not installed", name=SWAGGER_PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "dist"


def _load(path: Path) -> Asset:
    return Asset.of(MEDIA.get(path.suffix, MEDIA[".txt"]), path.read_bytes())
