"""The errors of a phone program. No message holds a secret or the text of an SMS."""

from pathlib import Path


class PhoneError(Exception):
    """The phone has to stop. The text is one sentence for the person who runs it."""


class CredentialsRefused(PhoneError):
    """The gateway knows no such org and secret (HTTP 401), or the key can't do this (403)."""

    def __init__(
        self, org: str | None, status: int, detail: str | None = None, *, by_key: bool = False
    ) -> None:
        self.org = org
        self.status = status
        said = ": " + detail.rstrip(".") if detail else ""
        whose, check = ("the API key", "Check the key.")
        if by_key and org is not None:
            check = f"Check the key, and that it is one of org {org}."
        elif org is not None:
            whose, check = f"the secret of org {org}", "Check the org and its secret."
        super().__init__(f"The gateway refused {whose} (HTTP {status}){said}. {check}")


class LinkRefused(PhoneError):
    """The gateway refuses this phone, for a reason that trying again does not change."""

    def __init__(self, code: int, detail: str | None = None) -> None:
        self.code = code
        self.detail = detail
        said = ": " + detail.rstrip(".") if detail else ""
        super().__init__(f"The gateway refused this phone (code {code}){said}.")


class RadioUnusable(PhoneError):
    """The radio does not work, for a reason that only a person can change."""


class JournalUnusable(PhoneError):
    """The journal file can't be read or written, or another program uses it."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"The journal {path} can't be used: {problem}.")


class RadioLogUnusable(PhoneError):
    """The radio log can't be written."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"The radio log {path} can't be written: {problem}.")
