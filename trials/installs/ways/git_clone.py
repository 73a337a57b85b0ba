"""From a clone, by README's own commands."""

from trials.installs.way import Way

WAY = Way(
    name="git_clone",
    title="git clone",
    debian=("git", "python3-venv"),
    repository=True,
    install="""
git clone --quiet file:///repository phonegate
cd phonegate
python3 -m venv .venv && .venv/bin/pip install -q .
""",
    demo="phonegate/.venv/bin/phonegate demo --once",
)
