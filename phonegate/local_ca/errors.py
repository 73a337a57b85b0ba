"""What can go wrong with one's own certificates. The texts are for the person who asked."""


class LocalCaError(Exception):
    """A certificate could not be made or read."""


class NameRefused(LocalCaError):
    """A name or address that no certificate can be for."""


class OutsideAuthority(LocalCaError):
    """Names that this authority may not vouch for."""


class FolderUnusable(LocalCaError):
    """The folder, or a file in it, can't be used."""


class SigningFailed(LocalCaError):
    """No program signs here, or the one that should has failed."""


class NoCertificate(LocalCaError):
    """A file holds no X.509 certificate."""
