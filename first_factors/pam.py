"""The first factor of users whose password the host keeps: PAM, asked in worker processes.

PAM modules are C that blocks, leaks and sometimes crashes, and a thread cannot be
stopped; a process can. So a few workers (`pam_worker.py`) ask one password each
at a time. One that does not answer in time, dies or babbles is killed with all
it has started, and replaced; its question is CANNOT_TELL and never asked twice,
since a module may have counted it. Workers are renewed after some hundred checks.

PASSED is one thing only: PAM_SUCCESS from pam_authenticate and pam_acct_mgmt, in
answer to this very question, after the service did ask for the password.
"""

import logging
import os
import pwd
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from first_factors.pam_worker import HELLO, NONCE_OCTETS, Answer, PamCode, Question, receive_frame, send_frame

_log = logging.getLogger(__name__)

MAX_PASSWORD_OCTETS = 511
"""What a module takes in an answer, with its NUL (PAM_MAX_RESP_SIZE of Linux-PAM). Longer ones would be cut."""

_MAX_NAME_OCTETS = 253
_SERVICE_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,63}")  # libpam folds a service's name to lower case
_SERVICE_FOLDERS = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"))
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_START_LIMIT_S = 10.0
_KILL_LIMIT_S = 1.0


_WRONG = frozenset((PamCode.AUTH_ERR, PamCode.USER_UNKNOWN))
_REFUSED = _WRONG | {
    PamCode.PERM_DENIED,
    PamCode.CRED_INSUFFICIENT,
    PamCode.MAXTRIES,
    PamCode.NEW_AUTHTOK_REQD,  # the password has expired, and there is no way to change it here
    PamCode.ACCT_EXPIRED,
    PamCode.CRED_EXPIRED,
    PamCode.AUTHTOK_EXPIRED,
}


@dataclass(frozen=True, slots=True)
class PamSettings:
    """How the host is asked. Raises ValueError for values that cannot be used.

    `allowed_names` is a regular expression for whole names; others are refused
    without asking, and so is any name with a slash, a leading minus or a
    character that cannot be printed, whatever the expression says.
    """

    service: str = "twinward"
    workers: int = 2
    max_name_octets: int = 128
    allowed_names: str = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*\$?"
    max_checks_per_worker: int = 500

    def __post_init__(self) -> None:
        if not _SERVICE_NAME.fullmatch(self.service):
            raise ValueError(f"{self.service!r} is no PAM service: lower-case letters, digits, `_`, `.` and `-` are")
        if not 1 <= self.workers <= 64:
            raise ValueError("there are 1 to 64 PAM workers")
        if not 1 <= self.max_name_octets <= _MAX_NAME_OCTETS:
            raise ValueError(f"a name has 1 to {_MAX_NAME_OCTETS} octets")
        if self.max_checks_per_worker < 1:
            raise ValueError("a PAM worker makes at least one check")
        try:
            re.compile(self.allowed_names)
        except re.error as error:
            raise ValueError(f"the allowed names are no regular expression: {error}") from error

    def allows(self, username: str) -> bool:
        """Whether PAM may be asked about a name."""
        return (
            len(username.encode()) <= self.max_name_octets
            and username.isprintable()
            and "/" not in username
            and not username.startswith("-")
            and re.fullmatch(self.allowed_names, username) is not None
        )


class _NoAnswerError(Exception):
    """PAM did not answer; the text says why. Does not leave this module."""

    def __init__(self, why: str, finding: Finding = Finding.CANNOT_TELL) -> None:
        super().__init__(why)
        self.finding = finding


class PamFirstFactor:
    """A `first_factors.pool.Checker` that asks the host. Used by several threads at once.

    `clock` tells monotonic seconds. `command` stands in for the worker in tests.
    Workers are started at once and get ready beside what follows.
    """

    def __init__(self, settings: PamSettings, clock: Callable[[], float], command: Sequence[str] | None = None) -> None:
        self._settings = settings
        self._clock = clock
        if command is None:
            # By its path: `-I` keeps the environment and the working directory out, and with them a checkout's modules.
            command = (sys.executable, "-I", str(Path(__file__).with_name("pam_worker.py")), settings.service)
        self._change = threading.Condition()
        self._is_closed = False
        self._idle = deque(_Worker(command, clock) for _ in range(settings.workers))  # warm ones to the right
        for worker in self._idle:
            _start(worker)
        if (missing := self._missing_service()) is not None:
            _log.error("%s", missing)

    def check(self, question: AskFirstFactor, timeout_s: float) -> CheckedPassword:
        """Check one password. What cannot be found out within `timeout_s` is CANNOT_TELL.

        A name or password that PAM must not see is FAILED without asking.
        OVERLOADED means that no worker became free in time.
        """
        return CheckedPassword(self._find(question, timeout_s), question.keeper)

    def probe(self, timeout_s: float) -> str | None:
        """None if the host can be asked, else one sentence with what is wrong and the cure.

        Asks about an account that no one logs in to, with a password made up, so
        the host's log gets an entry.
        """
        me = _own_name()
        try:
            answer = self._ask(
                "daemon" if me == "nobody" else "nobody", secrets.token_bytes(8).hex().encode(), timeout_s
            )
        except _NoAnswerError as error:
            return str(error)
        service = self._settings.service
        unprivileged = os.geteuid() != 0 and not os.access("/etc/shadow", os.R_OK, effective_ids=True)
        if unprivileged and (answer.code == PamCode.AUTHINFO_UNAVAIL or _names_pam_unix(service)):
            return (
                f"{me} may not read /etc/shadow, so pam_unix checks that user's own password only:"
                " run twinward in the group shadow or as root"
            )
        if answer.code == PamCode.SUCCESS:
            return f"the PAM service {service} lets in whatever the password is: write auth lines that check it"
        if answer.code not in _REFUSED:
            return (
                f"the PAM service {service} says {_name(answer.code)}: see the host's authentication log, mend its file"
            )
        return None

    def close(self) -> None:
        """End the workers. No check is under way; a later one is CANNOT_TELL."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
            for worker in self._idle:
                worker.stop()

    def _find(self, question: AskFirstFactor, timeout_s: float) -> Finding:
        username, password = question.username, question.password.reveal()
        if not self._settings.allows(username) or not 0 < len(password) <= MAX_PASSWORD_OCTETS or b"\0" in password:
            return Finding.FAILED
        try:
            answer = self._ask(username, password, timeout_s)
        except _NoAnswerError as error:
            _log.warning("PAM was not heard about %s: %s", username, error)
            return error.finding
        return self._judge(username, answer)

    def _judge(self, username: str, answer: Answer) -> Finding:
        code = _name(answer.code)
        if answer.code == PamCode.SUCCESS and answer.of_account and answer.prompts > 0:
            return Finding.PASSED
        if answer.code == PamCode.SUCCESS:
            # pam_rootok lets root ask as anybody, and the worker may be root; nullok lets accounts in that have none.
            _log.error("the PAM service %s lets %s in without the password", self._settings.service, username)
            return Finding.CANNOT_TELL
        if answer.code not in _REFUSED:
            _log.warning("PAM cannot tell about %s: %s", username, code)
            return Finding.CANNOT_TELL
        if answer.of_account:
            _log.info("the password of %s is right, but the account is refused: %s", username, code)
        elif answer.code not in _WRONG:
            _log.info("PAM refuses %s: %s", username, code)
        return Finding.FAILED

    def _ask(self, username: str, password: bytes, timeout_s: float) -> Answer:
        """PAM's answer. Raises _NoAnswerError."""
        until = self._clock() + timeout_s
        if (missing := self._missing_service()) is not None:
            raise _NoAnswerError(missing)
        worker = self._take(timeout_s)
        try:
            return worker.ask(username.encode(), password, until)
        finally:
            self._give_back(worker)

    def _missing_service(self) -> str | None:
        """A sentence if the service has no file: libpam would go by the service `other`, which is another policy."""
        if any((folder / self._settings.service).exists() for folder in _SERVICE_FOLDERS):
            return None
        path = _SERVICE_FOLDERS[0] / self._settings.service
        return f"{path} is missing: copy conf/pam.d/twinward there, or set `service` to one that exists"

    def _take(self, timeout_s: float) -> "_Worker":
        with self._change:
            if not self._change.wait_for(lambda: self._idle or self._is_closed, max(timeout_s, 0)):
                raise _NoAnswerError("no PAM worker became free in time", Finding.OVERLOADED)
            if self._is_closed:
                raise _NoAnswerError("the PAM workers have been ended")
            return self._idle.pop()

    def _give_back(self, worker: "_Worker") -> None:
        if worker.checks >= self._settings.max_checks_per_worker:
            worker.stop()
        if not worker.is_started:
            _start(worker)
        with self._change:
            if worker.is_ready:
                self._idle.append(worker)
            else:
                self._idle.appendleft(worker)
            self._change.notify()


class _Worker:
    """A place for one worker process after another. Used by one thread at a time."""

    def __init__(self, command: Sequence[str], clock: Callable[[], float]) -> None:
        self._command = command
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._started_at = 0.0
        self.is_ready = False
        self.checks = 0

    @property
    def is_started(self) -> bool:
        """Whether there is a process, as far as is known."""
        return self._process is not None

    def start(self) -> socket.socket:
        """Start a process if there is none; its line. It gets ready by itself. Raises OSError."""
        if self._line is not None:
            return self._line
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script; no password in sight
                self._command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
                umask=0o077,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._line, self._started_at, self.is_ready, self.checks = ours, self._clock(), False, 0
        return ours

    def stop(self) -> str:
        """Kill the process with all it has started, and reap it. Says how it ended, if by itself."""
        process, line = self._process, self._line
        self._process, self._line, self.is_ready = None, None, False
        if process is None or line is None:
            return "not started"
        _kill_with_descendants(process.pid)
        line.close()
        try:
            code = process.wait(_KILL_LIMIT_S)
        except subprocess.TimeoutExpired:  # deep in the kernel; `subprocess` reaps it when it comes out
            return "cannot be killed"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def ask(self, username: bytes, password: bytes, until: float) -> Answer:
        """Have one password checked. Raises _NoAnswerError, and then the process is gone or still starting."""
        try:
            line = self._get_ready(until)
            self.checks += 1
            nonce = secrets.token_bytes(NONCE_OCTETS)
            time_limit_ms = max(0, int((until - self._clock()) * 1000))
            self._wait_no_longer_than(line, until)
            send_frame(line, Question(nonce, time_limit_ms, username, password).to_octets())
            answer = Answer.from_octets(receive_frame(line, lambda: self._wait_no_longer_than(line, until)))
            if answer.nonce != nonce:
                raise ValueError("an answer to another question")
        except TimeoutError as error:
            if self.is_ready or self._clock() - self._started_at > _START_LIMIT_S:
                self.stop()
                raise _NoAnswerError("a PAM worker did not answer in time and was killed") from error
            raise _NoAnswerError("a PAM worker was not ready in time") from error
        except ValueError as error:
            self.stop()
            raise _NoAnswerError(f"a PAM worker babbled and was killed: {error}") from error
        except (EOFError, OSError) as error:
            raise _NoAnswerError(f"a PAM worker {self.stop()}") from error
        return answer

    def _get_ready(self, until: float) -> socket.socket:
        """The line to a process that is alive and ready. One that has died meanwhile is replaced, once."""
        if self._line is not None:
            try:
                self._await_hello(self._line, until)
                if _is_quiet(self._line):
                    return self._line
            except (EOFError, ValueError, ConnectionError):
                pass  # it died or babbled before it was ready
            _log.warning("a PAM worker was found dead or babbling and is replaced: %s", self.stop())
        try:
            line = self.start()
        except OSError as error:
            raise _NoAnswerError(f"no PAM worker could be started: {error}") from error
        self._await_hello(line, until)
        return line

    def _await_hello(self, line: socket.socket, until: float) -> None:
        if self.is_ready:
            return
        hello = receive_frame(line, lambda: self._wait_no_longer_than(line, until))
        if not hello.startswith(HELLO):
            raise ValueError("not the greeting of a PAM worker")
        if fault := hello.removeprefix(HELLO):
            self.stop()
            raise _NoAnswerError(fault.decode(errors="replace"))
        self.is_ready = True

    def _wait_no_longer_than(self, line: socket.socket, until: float) -> None:
        left_s = until - self._clock()
        if left_s <= 0:
            raise TimeoutError
        line.settimeout(left_s)


def _is_quiet(line: socket.socket) -> bool:
    """Whether the other end is held by someone who has not spoken unasked."""
    poll = select.poll()  # `select.select` takes no descriptor above 1023
    poll.register(line, select.POLLIN)
    return not poll.poll(0)


def _start(worker: _Worker) -> None:
    """Start a worker ahead of its first question, which tries again and tells why if this does not work."""
    try:
        worker.start()
    except OSError:
        _log.warning("a PAM worker could not be started")


def _kill_with_descendants(pid: int) -> None:
    """Kill a child that was not waited for yet, its process group, and whatever it has started.

    pam_exec puts its program into a session of its own, so the group is not
    enough. Everything is stopped before it is killed: a stopped parent neither
    starts another child nor reaps one, so no process id can change hands.
    """
    for one in _stop(pid):
        _signal(os.kill, one, signal.SIGKILL)
    _signal(os.killpg, pid, signal.SIGKILL)


def _stop(pid: int) -> list[int]:
    _signal(os.kill, pid, signal.SIGSTOP)
    stopped = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = children.read_text().split()
        except OSError:
            continue  # the thread has ended
        for child in pids:
            stopped += _stop(int(child))
    return [*stopped, pid]


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # gone already, or a set-user-id program, which ends by itself


def _names_pam_unix(service: str, depth: int = 0) -> bool:
    """Whether a service goes to pam_unix, itself or by what it includes."""
    for folder in _SERVICE_FOLDERS:
        try:
            lines = (folder / service).read_text(errors="replace").splitlines()
        except OSError:
            continue
        for words in (line.partition("#")[0].split() for line in lines):
            if any(Path(word).name == "pam_unix.so" for word in words):
                return True
            includes = len(words) > 1 and not {"@include", "include", "substack"}.isdisjoint(words[:2])
            if includes and depth < 8 and _names_pam_unix(words[-1], depth + 1):
                return True
        return False
    return False


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _name(code: int) -> str:
    try:
        return f"PAM_{PamCode(code).name}"
    except ValueError:
        return f"PAM code {code}"
