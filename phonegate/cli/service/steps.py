"""The steps of which an installation and a removal are made, each with its sentence. Pure."""

from pathlib import Path

import attrs


@attrs.frozen
class AddUser:
    """Adds the system user and group that the service runs as."""

    name: str
    home: Path

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"add the system user {self.name}"


@attrs.frozen
class MakeFolder:
    """Makes a folder, and those above it, unless it is there. It belongs to `owner`, or root."""

    path: Path
    mode: int
    owner: str | None = None

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"make the folder {self.path}"


@attrs.frozen
class WriteFile:
    """Writes a file, as a whole or not at all. `group` may read it, where one is named."""

    path: Path
    text: str = attrs.field(repr=False)
    mode: int
    group: str | None = None

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"write {self.path} (mode {self.mode:04o})"


@attrs.frozen
class PlaceProgram:
    """Copies the zipapp, and keeps what was there as `previous`."""

    source: Path
    path: Path
    previous: Path

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"copy {self.source} to {self.path}"


@attrs.frozen
class CopyDatabase:
    """Copies the database before a newer program changes it."""

    path: Path

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"copy the database to {self.path}, since the new program changes it"


@attrs.frozen
class Manage:
    """Has systemd do something. `may_fail`: it may have been done already."""

    words: tuple[str, ...]
    may_fail: bool = False

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"systemctl {' '.join(self.words)}"


@attrs.frozen
class Remove:
    """Removes a file, or a folder with all that is in it."""

    path: Path

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"remove {self.path}"


@attrs.frozen
class RemoveUser:
    """Removes the system user and group."""

    name: str

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"remove the system user {self.name}"


Step = AddUser | MakeFolder | WriteFile | PlaceProgram | CopyDatabase | Manage | Remove | RemoveUser
