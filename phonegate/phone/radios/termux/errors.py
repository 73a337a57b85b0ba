"""The errors of Termux's commands. No message holds the text of an SMS."""

from collections.abc import Sequence

from phonegate.phone.errors import RadioUnusable

_APP = "com.termux.api"


class TermuxError(RadioUnusable):
    """A command of Termux did not do what it is for."""


class CommandMissing(TermuxError):
    """The program is not there, so nothing was done."""

    def __init__(self, program: str, *, in_termux: bool) -> None:
        self.program = program
        self.in_termux = in_termux
        super().__init__(
            f"The command {program} is missing. Install Termux's side of Termux:API: "
            "pkg install termux-api"
            if in_termux
            else f"The command {program} is missing: --termux works in Termux on an Android phone, "
            "with the app Termux:API and its package (pkg install termux-api)."
        )


class PermissionMissing(TermuxError):
    """Android keeps the app Termux:API from something, so nothing was done."""

    def __init__(self, permissions: Sequence[str]) -> None:
        self.permissions = tuple(permissions)
        names = " and ".join(permissions) or "what it asks for on the screen"
        grants = "; ".join(f"adb shell pm grant {_APP} {one}" for one in permissions)
        by_computer = f" From a computer it is: {grants}" if grants else ""
        super().__init__(
            f"The app Termux:API lacks the permission {names}. Grant it on the phone, in Android's "
            "settings under Apps, Termux:API, Permissions (if it is greyed out, choose Allow "
            f"restricted settings in that page's menu).{by_computer}"
        )


class ApiSilent(TermuxError):
    """A command did not end in time and was killed."""

    def __init__(self, program: str, deadline_s: float) -> None:
        self.program = program
        self.deadline_s = deadline_s
        super().__init__(
            f"{program} did not end within {deadline_s:g} s. Install the app Termux:API from the "
            "same source as Termux, open it once, and let both run in the background "
            "(Battery: Unrestricted)."
        )


class CommandFailed(TermuxError):
    """A command ended with an error, or with an answer that can't be read."""

    def __init__(self, program: str, problem: str) -> None:
        self.program = program
        self.problem = problem
        super().__init__(f"{program} failed: {problem}.")


class SimUnusable(TermuxError):
    """The phone has no SIM that can send, as far as Android says."""

    def __init__(self, sim_state: str) -> None:
        self.sim_state = sim_state
        what = {
            "absent": "The phone has no SIM.",
            "pin_required": "The SIM waits for its PIN. Unlock it on the phone.",
            "puk_required": "The SIM waits for its PUK. Unlock it on the phone.",
            "network_locked": "The SIM is locked to another network.",
        }.get(sim_state, f"The SIM can't be used (state {sim_state}).")
        super().__init__(what)
