"""Asking the gateway that serves a database, through its control socket."""

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs

from phonegate.model.refusals import FieldProblem
from phonegate.operations.control_path import address, foreign_listener, socket_path
from phonegate.own_addresses import SOCKET_HOST

ANSWER_S: Final = 60.0
"""Seconds to wait for the next piece of an answer from a gateway under heavy load."""

LONGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of an answer: every org or key of a very large gateway."""

FIRST_ERROR: Final = 400

Progress = Callable[[int, int], None]
"""Gets what is done of a long command, and of how much."""


@attrs.frozen
class OwnerRequest:
    """A request of the owner: a method and a target of the API, with a JSON body where one goes."""

    method: str
    target: str
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        # Lone surrogates come from arguments that are not UTF-8. The gateway refuses them.
        return b"" if self.body is None else json.dumps(self.body).encode()


class ControlError(Exception):
    """The gateway could not be asked, or said no."""


class NotServing(ControlError):
    """No gateway listens beside this database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"No gateway is serving {path}. Start it with `phonegate serve`, or name the database "
            "of one that serves by --database."
        )


class ControlUnusable(ControlError):
    """The socket is there and can't be used. `problem` says why."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class ControlRefused(ControlError):
    """The gateway refused the command: `detail` for a person, `code` for a program.

    `problems` are the fields that are wrong.
    """

    def __init__(self, detail: str, code: str, problems: tuple[FieldProblem, ...] = ()) -> None:
        self.detail = detail
        self.problems = problems
        self.code = code
        super().__init__(detail)

    def without(self, prefix: str) -> "ControlRefused":
        """Returns the same with fields named without a prefix."""
        detail, problems = self.detail, list[FieldProblem]()
        for one in self.problems:
            name = one.field.removeprefix(prefix)
            detail = detail.replace(one.field, name)
            problems.append(FieldProblem(name, one.problem))
        return ControlRefused(detail, self.code, tuple(problems))


def ask(
    database: Path,
    request: OwnerRequest,
    *,
    progress: Progress | None = None,
    timeout_s: float = ANSWER_S,
) -> dict[str, Any]:
    """Asks the gateway that serves `database` to do something. Blocks until it has answered.

    Args:
        database: The gateway's database file.
        request: What to do.
        progress: Called with done and total while a long command runs.
        timeout_s: Seconds to wait for each next piece of the answer.

    Returns:
        The fields of the answer.

    Raises:
        NotServing: No gateway listens.
        ControlUnusable: Something may listen, but can't be talked to.
        ControlRefused: The gateway said no.
    """
    path = socket_path(database)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout_s)
            with address(path) as at:
                client.connect(at)
            if (user := foreign_listener(client, database)) is not None:
                problem = f"another user (uid {user}) listens there, so nothing was sent"
                raise ControlUnusable(path, problem)
            return _exchange(client, request, progress)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NotServing(database) from None
    except PermissionError:
        problem = "belongs to another user; run this as the user of the gateway (or as root)"
        raise ControlUnusable(path, problem) from None
    except TimeoutError:
        raise ControlUnusable(path, f"the gateway did not answer in {timeout_s:g} s") from None
    except (BrokenPipeError, ConnectionResetError, http.client.HTTPException, ValueError):
        problem = "the gateway broke off, or is of another version; its log says more"
        raise ControlUnusable(path, problem) from None
    except OSError as error:
        raise ControlUnusable(path, error.strerror or str(error)) from None


def _exchange(
    client: socket.socket, request: OwnerRequest, progress: Progress | None
) -> dict[str, Any]:
    connection = http.client.HTTPConnection(SOCKET_HOST)
    connection.sock = client
    headers = {} if request.body is None else {"Content-Type": "application/json"}
    connection.request(request.method, request.target, request.content or None, headers)
    with closing(connection.getresponse()) as response:
        if response.status < FIRST_ERROR and progress is not None:
            return _read_lines(response, progress)
        content = response.read(LONGEST_ANSWER)
        if response.length:
            raise ValueError("the answer has no end")
        return read_answer(response.status, content)


def _read_lines(lines: Any, progress: Progress) -> dict[str, Any]:
    """Reads an answer of JSON lines: reports of progress, then the answer itself."""
    while line := lines.readline(LONGEST_ANSWER):
        if not reports_progress(line, progress):
            return read_answer(http.client.OK, line)
    raise ValueError("the answer has no end")


def reports_progress(line: bytes, progress: Progress | None) -> bool:
    """Tells whether a line of an answer reports progress, and hands it on."""
    fields = json.loads(line)
    if "progress" not in fields:
        return False
    if progress is not None:
        done, total = fields["progress"]
        progress(done, total)
    return True


def read_answer(status: int, content: bytes) -> dict[str, Any]:
    """Reads an answer.

    Raises:
        ControlRefused: It says no.
        ValueError: It is none of the gateway's.
    """
    fields = json.loads(content)
    if not isinstance(fields, dict):
        raise ValueError("the answer is no object")  # noqa: TRY004 - of JSON, not of Python
    if status < FIRST_ERROR and fields.get("ok", True):
        fields.pop("ok", None)
        return fields
    try:
        problems = tuple(
            FieldProblem(str(one["field"]), str(one["problem"])) for one in fields.get("errors", ())
        )
        raise ControlRefused(fields["detail"], fields["code"], problems)
    except (KeyError, TypeError):
        raise ValueError("the answer is none of the gateway's") from None
