"""Asks the host's PAM about one password after another, in a process of its own.

`first_factors.pam` runs this file as a script, with `-I`, and speaks to it over a
socket at descriptor 0. It needs the standard library and python-pam only, so it
runs the same from a checkout and from the wheel. A module may sleep, leak or
crash here: the server kills this process and starts another. No password leaves
it but into PAM, and it leaves no core dump.

    worker  -> server   HELLO and, if PAM cannot be asked, one sentence
    server  -> worker   a question: nonce, time limit, name, password
    worker  -> server   the answer: the same nonce, PAM's code, who gave it, how often the password was asked for

Every message is a frame: its length in two octets, then its octets. The end of
the stream ends the worker.
"""

import ctypes
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

HELLO = b"twinward-pam 1 "
NONCE_OCTETS = 16
MAX_FRAME_OCTETS = 2048

_LENGTH = struct.Struct("!H")
_QUESTION = struct.Struct("!16sIHH")  # nonce, time limit in ms, octets of the name, octets of the password
_ANSWER = struct.Struct("!16sBBB")  # nonce, code, whether account management gave it, hidden prompts

_PAM_FAIL_DELAY = 10  # an item of Linux-PAM that python-pam has no name for
_PAM_PROMPT_ECHO_OFF = 1
_PAM_PROMPT_ECHO_ON = 2
_PR_SET_DUMPABLE = 4
_MAX_PROMPTS = 255
_GRACE_S = 1.0


class PamCode(IntEnum):
    """What PAM returns (Linux-PAM, _pam_types.h)."""

    SUCCESS = 0
    OPEN_ERR = 1
    SYMBOL_ERR = 2
    SERVICE_ERR = 3
    SYSTEM_ERR = 4
    BUF_ERR = 5
    PERM_DENIED = 6
    AUTH_ERR = 7
    CRED_INSUFFICIENT = 8
    AUTHINFO_UNAVAIL = 9
    USER_UNKNOWN = 10
    MAXTRIES = 11
    NEW_AUTHTOK_REQD = 12
    ACCT_EXPIRED = 13
    SESSION_ERR = 14
    CRED_UNAVAIL = 15
    CRED_EXPIRED = 16
    CRED_ERR = 17
    NO_MODULE_DATA = 18
    CONV_ERR = 19
    AUTHTOK_ERR = 20
    AUTHTOK_RECOVERY_ERR = 21
    AUTHTOK_LOCK_BUSY = 22
    AUTHTOK_DISABLE_AGING = 23
    TRY_AGAIN = 24
    IGNORE = 25
    ABORT = 26
    AUTHTOK_EXPIRED = 27
    MODULE_UNKNOWN = 28
    BAD_ITEM = 29
    CONV_AGAIN = 30
    INCOMPLETE = 31


class Question(NamedTuple):
    """One password to check. `time_limit_ms` is when the worker ends itself, should the server be gone by then."""

    nonce: bytes
    time_limit_ms: int
    username: bytes
    password: bytes

    def __repr__(self) -> str:
        return f"Question({self.username!r}, hidden)"

    def to_octets(self) -> bytes:
        """The question as a frame holds it."""
        head = _QUESTION.pack(self.nonce, self.time_limit_ms, len(self.username), len(self.password))
        return head + self.username + self.password

    @classmethod
    def from_octets(cls, octets: bytes) -> "Question":
        """Read a question. Raises ValueError if its lengths do not add up."""
        if len(octets) < _QUESTION.size:
            raise ValueError("a question is too short")
        nonce, time_limit_ms, name_octets, password_octets = _QUESTION.unpack_from(octets)
        rest = octets[_QUESTION.size :]
        if len(rest) != name_octets + password_octets:
            raise ValueError("the lengths in a question do not add up")
        return cls(nonce, time_limit_ms, rest[:name_octets], rest[name_octets:])


class Answer(NamedTuple):
    """What PAM said: its code, whether `pam_acct_mgmt` gave it, and how many hidden prompts the password answered."""

    nonce: bytes
    code: int
    of_account: bool
    prompts: int

    def to_octets(self) -> bytes:
        """The answer as a frame holds it."""
        return _ANSWER.pack(self.nonce, self.code, self.of_account, min(self.prompts, _MAX_PROMPTS))

    @classmethod
    def from_octets(cls, octets: bytes) -> "Answer":
        """Read an answer. Raises ValueError if it is none."""
        if len(octets) != _ANSWER.size:
            raise ValueError("an answer has the wrong length")
        nonce, code, of_account, prompts = _ANSWER.unpack(octets)
        return cls(nonce, code, bool(of_account), prompts)


def send_frame(line: socket.socket, octets: bytes) -> None:
    """Send one frame. Raises OSError, and TimeoutError if the socket has a timeout."""
    line.sendall(_LENGTH.pack(len(octets)) + octets)


def receive_frame(line: socket.socket, before_wait: Callable[[], None] = lambda: None) -> bytes:
    """Wait for one frame; `before_wait` may set the socket's timeout anew.

    Raises EOFError at the end of the stream, ValueError for a length that no
    frame has, OSError and TimeoutError from the socket.
    """
    (length,) = _LENGTH.unpack(_receive(line, _LENGTH.size, before_wait))
    if length > MAX_FRAME_OCTETS:
        raise ValueError("a frame is too long")
    return _receive(line, length, before_wait)


def _receive(line: socket.socket, length: int, before_wait: Callable[[], None]) -> bytes:
    octets = b""
    while len(octets) < length:
        before_wait()
        more = line.recv(length - len(octets))
        if not more:
            raise EOFError("the stream has ended")
        octets += more
    return octets


def _load() -> Callable[[Question, bytes], Answer]:
    """Load libpam by python-pam. Raises ImportError, OSError or AttributeError if either is missing."""
    import pam  # type: ignore[import-untyped]  # here, so that its lack can be told; it carries no types

    no_delay = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)(lambda code, delay_us, data: None)
    pam.pam()  # loads libpam now rather than in the first login

    def check(question: Question, service: bytes) -> Answer:
        """One conversation: pam_authenticate, and after its success pam_acct_mgmt. No session, no credentials."""
        authenticator = pam.pam()
        pam_start, pam_acct_mgmt = authenticator.pam_start, authenticator.pam_acct_mgmt
        prompts, of_account = 0, False

        # python-pam keeps libpam's functions as attributes of each authenticator, to be replaced for one conversation.
        def start(service: bytes, username: bytes, conversation: Any, handle: Any) -> int:
            answer = conversation._obj.conv
            conversation._obj.conv = watch(ctypes.cast(answer, type(answer)))  # a copy: `answer` is the field itself
            code = int(pam_start(service, username, conversation, handle))
            if code == PamCode.SUCCESS:
                # Modules ask for about 2 s after a wrong password, and pam_authenticate sleeps. A refusal would leave
                # later than all others and tell that the code was right. Guessing is slowed down elsewhere.
                authenticator.pam_set_item(
                    authenticator.handle, _PAM_FAIL_DELAY, ctypes.cast(no_delay, ctypes.c_void_p)
                )
            return code

        def watch(answer: Any) -> Any:
            def count(number: int, messages: Any, responses: Any, data: Any) -> int:
                nonlocal prompts
                styles = [messages[n].contents.msg_style for n in range(number)]
                if _PAM_PROMPT_ECHO_ON in styles:
                    return PamCode.CONV_ERR  # asks for something that is not a password
                prompts += styles.count(_PAM_PROMPT_ECHO_OFF)
                return int(answer(number, messages, responses, data))

            return type(answer)(count)

        def manage_account(handle: Any, flags: int) -> int:
            nonlocal of_account
            of_account = True
            return int(pam_acct_mgmt(handle, flags))

        authenticator.pam_start, authenticator.pam_acct_mgmt = start, manage_account
        authenticator.authenticate(
            question.username,
            question.password,
            service,
            encoding="latin-1",  # of prompts: any octets can be read, so the conversation cannot fail of them
            resetcreds=False,  # nobody is logged in here
        )
        code = authenticator.code if 0 <= authenticator.code <= 255 else PamCode.SYSTEM_ERR
        return Answer(question.nonce, code, of_account, prompts)

    return check


def main(service: str) -> None:
    """Say HELLO, then answer questions about a PAM service until the stream ends."""
    line = socket.socket(fileno=os.dup(0))  # away from 0, where a module's child would find it
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    _forbid_core_dumps()
    try:
        check = _load()
    except ImportError:
        send_frame(line, HELLO + b"python-pam is missing: install it beside twinward")
        return
    except (OSError, AttributeError):
        send_frame(line, HELLO + b"libpam is missing: install it (Debian's package libpam0g)")
        return
    send_frame(line, HELLO)
    os.dup2(nothing, 2)  # from here on only modules would write there, and nobody knows what
    while True:
        try:
            question = Question.from_octets(receive_frame(line))
        except (EOFError, ValueError, ConnectionError):
            return
        # Should the server be killed while a module hangs: SIGALRM ends this process, in C as in Python.
        signal.setitimer(signal.ITIMER_REAL, question.time_limit_ms / 1000 + _GRACE_S)
        answer = check(question, service.encode())
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            send_frame(line, answer.to_octets())
        except ConnectionError:
            return


def _forbid_core_dumps() -> None:
    """A module that crashes must not leave the password in a file, nor with a collector of core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1])
