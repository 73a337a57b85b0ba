"""The zipapp: one file, and Debian's Python."""

from trials.installs.way import Way

WAY = Way(
    name="zipapp",
    title="zipapp",
    debian=("python3",),
    files=("phonegate.pyz",),
    demo="python3 phonegate.pyz demo --once",
)
