"""By uvx, from a folder with the wheel of the release. uv comes from PyPI by pipx."""

from trials.installs.way import Way

WAY = Way(
    name="uvx",
    title="uvx (uv by pipx)",
    debian=("pipx",),
    files=("*.whl",),
    install="""
pipx install uv
UV_FIND_LINKS=/root uvx phonegate version
""",
    demo="UV_FIND_LINKS=/root uvx --offline phonegate demo --once",
)
