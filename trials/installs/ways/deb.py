"""The Debian package of the release, by apt."""

from trials.installs.way import Way

WAY = Way(
    name="deb",
    title="Debian package",
    files=("phonegate_*_all.deb",),
    install="apt-get install -q -y --no-install-recommends ./phonegate_*_all.deb",
)
