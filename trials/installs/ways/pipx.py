"""By pipx, from a folder with the wheel of the release."""

from trials.installs.way import Way

WAY = Way(
    name="pipx",
    title="pipx",
    debian=("pipx",),
    files=("*.whl",),
    install="PIP_FIND_LINKS=/root pipx install phonegate",
)
