"""The host as a first factor: real PAM and pam_unix, a throw-away user, and workers that hang, die and babble."""

import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from authn.client import ClientId
from authn.first_factor import AskFirstFactor, Finding, Keeper
from authn.request import Username
from authn.secret import Password
from first_factors import pam
from first_factors.pam import PamFirstFactor, PamSettings
from first_factors.pam_worker import HELLO, MAX_FRAME_OCTETS, Question

pytestmark = pytest.mark.timeout(60)

UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"
RIGHT = b"correct horse battery"
AMPLE_S = 20.0  # for a machine that is busy with other things


@pytest.fixture(scope="module", autouse=True)
def _root():
    if os.geteuid() != 0:
        pytest.skip("PAM services and users can be made by root only: run the tests as root")


@pytest.fixture
def service():
    """Makes PAM services of the lines given, and takes them away again."""
    made = []

    def make(lines=UNIX):
        path = Path("/etc/pam.d") / f"twinward-test-{secrets.token_hex(8)}"
        made.append(path)
        path.write_text(lines)
        return path.name

    yield make
    for path in made:
        path.unlink()


@pytest.fixture
def user():
    """A user of the host with the password RIGHT."""
    for program in ("useradd", "chpasswd", "usermod", "chage", "userdel"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: install Debian's package passwd")
    name = f"twt{secrets.token_hex(6)}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True, timeout=30)
    try:
        set_password(name, RIGHT)
        yield name
    finally:
        subprocess.run(["userdel", name], check=True, timeout=30)


@pytest.fixture
def host():
    """Makes first factors, and closes them."""
    made = []

    def make(service="twinward", *, command=None, **settings):
        made.append(PamFirstFactor(PamSettings(service=service, **settings), time.monotonic, command))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def hanging(service, tmp_path):
    """A service whose module runs a program that never ends, and the file where each of those leaves its id."""
    pids, script = tmp_path / "pids", tmp_path / "hang"
    pids.touch()
    script.write_text(f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 300\n")
    script.chmod(0o755)
    yield service(f"auth required pam_exec.so quiet expose_authtok {script}\naccount required pam_permit.so\n"), pids
    for pid in pids.read_text().split():
        if runs(int(pid)):
            os.kill(int(pid), signal.SIGKILL)


def set_password(name, password):
    subprocess.run(["chpasswd"], input=name.encode() + b":" + password + b"\n", check=True, timeout=30)


def check(host, name, password=RIGHT, timeout_s=AMPLE_S):
    question = AskFirstFactor(Username(name), Password(password), Keeper("host"), ClientId(1))
    checked = host.check(question, timeout_s)
    assert checked.keeper is question.keeper
    return checked.finding


def children():
    """The ids of this process's children, dead ones that were not waited for among them."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for one in lists for pid in one.read_text().split()}


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, limit_s=AMPLE_S):
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.01)


def in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    return thread, found


# What the host says


def test_the_right_password_passes_and_a_wrong_one_fails(host, service, user):
    one = host(service())
    assert check(one, user) is Finding.PASSED
    assert check(one, user, b"wrong") is Finding.FAILED
    assert check(one, user) is Finding.PASSED


@pytest.mark.parametrize("more", ["", "auth optional pam_faildelay.so delay=4000000\n"], ids=["pam_unix", "faildelay"])
def test_a_wrong_password_does_not_wait_for_the_delay_that_modules_ask_for(host, service, user, more):
    """pam_unix asks for 2 s, give or take half; a refusal that late would tell that the code was right."""
    one = host(service(more + UNIX), workers=1)
    assert check(one, user) is Finding.PASSED  # the worker is warm
    started_at = time.monotonic()
    assert check(one, user, b"wrong") is Finding.FAILED
    assert time.monotonic() - started_at < 0.9


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["usermod", "-e", "1"], "PAM_ACCT_EXPIRED"),
        (["chage", "-d", "0"], "PAM_NEW_AUTHTOK_REQD"),
        (["passwd", "-q", "-l"], None),  # the hash is made unusable: PAM tells it from a wrong password in no way
    ],
    ids=["expired", "must change", "locked"],
)
def test_an_account_that_may_not_log_in_fails_and_the_log_says_why(host, service, user, caplog, command, said):
    caplog.set_level(logging.INFO)
    subprocess.run([*command, user], check=True, timeout=30, stdout=subprocess.DEVNULL)
    assert check(host(service()), user) is Finding.FAILED
    if said is not None:
        assert f"the password of {user} is right, but the account is refused: {said}" in caplog.text


def test_an_unknown_user_fails(host, service):
    assert check(host(service()), f"twt{secrets.token_hex(6)}") is Finding.FAILED


@pytest.mark.parametrize("password", [b"p\xe4ssw\xf6rd", "Пароль 🔑".encode(), b"\xff\xfe", b"a b\tc", b"x" * 128])
def test_any_octets_but_nul_are_carried_as_they_are(host, service, user, password):
    set_password(user, password)
    assert check(host(service()), user, password) is Finding.PASSED


def test_texts_of_modules_do_not_disturb(host, service, user, tmp_path):
    """Nor do octets in them that are not UTF-8."""
    text = tmp_path / "text"
    text.write_bytes(b"gr\xfc\xdf Gott \xff\n")
    assert check(host(service(f"auth optional pam_echo.so file={text}\n" + UNIX)), user) is Finding.PASSED


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("auth_err", Finding.FAILED),
        ("user_unknown", Finding.FAILED),
        ("maxtries", Finding.FAILED),
        ("perm_denied", Finding.FAILED),
        ("cred_insufficient", Finding.FAILED),
        ("acct_expired", Finding.FAILED),
        ("cred_expired", Finding.FAILED),
        ("authinfo_unavail", Finding.CANNOT_TELL),
        ("system_err", Finding.CANNOT_TELL),
        ("service_err", Finding.CANNOT_TELL),
        ("open_err", Finding.CANNOT_TELL),
        ("conv_err", Finding.CANNOT_TELL),
        ("abort", Finding.CANNOT_TELL),
    ],
)
@pytest.mark.parametrize("stage", ["auth", "acct"])
def test_what_each_answer_of_a_module_means(host, service, user, stage, code, finding):
    if stage == "auth":
        lines = f"auth required pam_debug.so auth={code}\naccount required pam_unix.so\n"
    else:
        lines = f"auth required pam_unix.so\naccount required pam_debug.so acct={code}\n"
    assert check(host(service(lines), workers=1), user) is finding


def test_a_module_that_is_missing_cannot_tell(host, service, user):
    one = host(service("auth required pam_twinward_nonesuch.so\naccount required pam_unix.so\n"))
    assert check(one, user) is Finding.CANNOT_TELL
    assert "PAM_MODULE_UNKNOWN" in one.probe(AMPLE_S)


@pytest.mark.parametrize("module", ["pam_rootok.so", "pam_permit.so"])
def test_a_service_that_lets_in_without_the_password_lets_nobody_in(host, service, user, caplog, module):
    """`su` has pam_rootok, and the worker may be root: anybody would pass with any password."""
    one = host(service(f"auth sufficient {module}\n" + UNIX))
    assert check(one, user) is Finding.CANNOT_TELL
    assert f"lets {user} in without the password" in caplog.text
    assert "lets in whatever the password is" in one.probe(AMPLE_S)


def test_an_account_without_a_password_is_not_let_in(host, service, user):
    """With `nullok` pam_unix asks for none."""
    subprocess.run(["passwd", "-q", "-d", user], check=True, timeout=30, stdout=subprocess.DEVNULL)
    assert check(host(service(UNIX.replace("pam_unix.so", "pam_unix.so nullok", 1))), user) is not Finding.PASSED


# What the host is not asked


@pytest.mark.parametrize(
    "name",
    ["", "-rf", "../root", "a/b", "nul\0l", "new\nline", "spa ce", "semi;colon", "grüße", "a" * 129, "ro:ot", "."],
)
def test_a_name_that_pam_must_not_see_fails_without_asking(host, name):
    assert check(host(command=["/bin/false"]), name) is Finding.FAILED


@pytest.mark.parametrize("name", ["/etc/passwd", "-x", "\0", "\x1b[2J"])
def test_no_expression_allows_the_worst_names(name):
    assert not PamSettings(allowed_names="(?s).*").allows(name)


@pytest.mark.parametrize("name", ["alice", "a.b-c_d", "alice@example.org", "host$", "1001", "a+b"])
def test_usual_names_are_allowed(name):
    assert PamSettings().allows(name)


@pytest.mark.parametrize("password", [b"", b"nul\0l", b"\0", b"x" * 512])
def test_a_password_that_pam_cannot_take_fails_without_asking(host, password):
    assert check(host(command=["/bin/false"]), "alice", password) is Finding.FAILED


@pytest.mark.parametrize(
    "settings",
    [
        {"service": "../shadow"},
        {"service": "Twinward"},
        {"service": ""},
        {"workers": 0},
        {"max_name_octets": 0},
        {"allowed_names": "("},
        {"max_checks_per_worker": 0},
    ],
    ids=lambda one: next(iter(one)),
)
def test_settings_that_cannot_be_used_are_refused(settings):
    with pytest.raises(ValueError):
        PamSettings(**settings)


# What is wrong with the host


def test_a_host_that_is_well_gives_the_probe_nothing_to_say(host, service):
    assert host(service()).probe(AMPLE_S) is None


def test_without_a_service_file_nobody_is_checked(host, user, caplog):
    """libpam would take the service `other`, which on Debian checks passwords by another policy."""
    one = host(f"twinward-missing-{secrets.token_hex(4)}")
    assert "is missing: copy conf/pam.d/twinward there" in caplog.text
    assert check(one, user) is Finding.CANNOT_TELL
    assert "is missing: copy conf/pam.d/twinward there" in one.probe(AMPLE_S)


def test_the_probe_tells_who_may_not_read_shadow(host, service, monkeypatch):
    outer = service(f"# a comment\n@include {service()}\n")
    one = host(outer)
    monkeypatch.setattr(pam.os, "access", lambda *_, **__: False)
    monkeypatch.setattr(pam.os, "geteuid", lambda: 65533)
    assert one.probe(AMPLE_S) == (
        "65533 may not read /etc/shadow, so pam_unix checks that user's own password only:"
        " run twinward in the group shadow or as root"
    )


@pytest.mark.parametrize(
    ("replacement", "said"),
    [("raise ImportError", "python-pam is missing"), ("raise OSError", "libpam is missing")],
)
def test_the_probe_tells_what_the_worker_lacks(host, service, tmp_path, replacement, said):
    worker = Path(pam.__file__).with_name("pam_worker.py").read_text()
    crippled = tmp_path / "worker.py"
    crippled.write_text(worker.replace("    import pam ", f"    {replacement}\n    import pam ", 1))
    one = host(service(), command=[sys.executable, "-I", str(crippled), "x"])
    assert said in one.probe(AMPLE_S)
    assert check(one, "alice") is Finding.CANNOT_TELL


def test_a_worker_that_cannot_be_started_cannot_tell(host, service, caplog):
    one = host(service(), command=["/nonexistent/python"])
    assert check(one, "alice") is Finding.CANNOT_TELL
    assert "no PAM worker could be started" in one.probe(AMPLE_S)


def test_the_example_is_a_service_that_works(host, service, user):
    example = Path(__file__).parents[2] / "conf" / "pam.d" / "twinward"
    one = host(service(example.read_text()))
    assert one.probe(AMPLE_S) is None
    assert check(one, user) is Finding.PASSED
    assert check(one, user, b"wrong") is Finding.FAILED


# Workers that hang, die and babble


def test_a_module_that_hangs_is_killed_with_its_program(host, hanging):
    service, pids = hanging
    before = children()
    one = host(service, workers=1)
    (worker,) = children() - before
    warm_up(one)
    started_at = time.monotonic()
    assert check(one, "alice", timeout_s=1.0) is Finding.CANNOT_TELL
    assert 0.9 < time.monotonic() - started_at < 2.0
    (program,) = map(int, pids.read_text().split())
    wait_until(lambda: not runs(program), 2.0)
    assert worker not in children()
    assert len(children() - before) == 1  # another one stands ready


def warm_up(one):
    """Wait until the workers have said hello, so that a time limit is all the module's."""
    for worker in one._idle:
        worker._get_ready(time.monotonic() + AMPLE_S)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_dies_in_the_middle_cannot_tell_and_is_replaced(host, hanging, caplog, number):
    service, pids = hanging
    before = children()
    one = host(service, workers=1)
    thread, found = in_thread(lambda: check(one, "alice"))
    wait_until(pids.read_text)
    (worker,) = children() - before
    os.kill(worker, number)
    thread.join(AMPLE_S)
    assert found == [Finding.CANNOT_TELL]
    assert f"ended by {number.name}" in caplog.text
    assert worker not in children()
    assert len(children() - before) == 1


def test_a_worker_that_was_stopped_is_killed(host, service, user):
    before = children()
    one = host(service(), workers=1)
    assert check(one, user) is Finding.PASSED
    (worker,) = children() - before
    os.kill(worker, signal.SIGSTOP)
    assert check(one, user, timeout_s=0.3) is Finding.CANNOT_TELL
    assert worker not in children()
    assert check(one, user) is Finding.PASSED


def test_an_idle_worker_that_died_is_replaced_before_use(host, service, user):
    before = children()
    one = host(service(), workers=1)
    assert check(one, user) is Finding.PASSED
    (worker,) = children() - before
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not runs(worker))
    assert check(one, user) is Finding.PASSED
    assert worker not in children()


def test_a_worker_that_died_before_it_was_ready_is_replaced(host, service, user):
    before = children()
    one = host(service(), workers=1)
    (worker,) = children() - before
    os.kill(worker, signal.SIGKILL)
    assert check(one, user) is Finding.PASSED


def stand_in(script):
    """A command that speaks in the place of a worker. `line` is its socket, `hello` and `frame` are ready to use."""
    start = f"""
        import os, socket, struct, sys, time
        line = socket.socket(fileno=0)
        def frame(octets): return struct.pack("!H", len(octets)) + octets
        hello = frame({HELLO!r})
        """
    return [sys.executable, "-I", "-c", textwrap.dedent(start) + textwrap.dedent(script)]


@pytest.mark.parametrize(
    "script",
    [
        "line.sendall(os.urandom(4096))",
        "line.sendall(bytes(4096))",
        "line.sendall(b'\\xff' * 4096); time.sleep(60)",
        "line.sendall(frame(b'hello')); time.sleep(60)",
        "line.sendall(hello); line.recv(4096); line.sendall(bytes(4096)); time.sleep(60)",
        "line.sendall(hello); line.recv(4096); line.sendall(frame(bytes(19))); time.sleep(60)",
        "line.sendall(hello); line.recv(4096); line.sendall(frame(b'')); time.sleep(60)",
        f"line.sendall(hello); line.recv(9999); line.sendall(struct.pack('!H', {MAX_FRAME_OCTETS + 1})); time.sleep(9)",
        "line.sendall(hello); line.sendall(line.recv(4096)); time.sleep(60)",
        "line.sendall(hello + frame(bytes(16) + bytes([0, 1, 1]))); time.sleep(60)",
        "line.sendall(hello); line.recv(4096)",
        "line.sendall(hello); line.recv(4096); line.sendall(frame(bytes(19))[:7])",
        "os.kill(os.getpid(), 11)",
    ],
)
def test_a_worker_that_babbles_cannot_tell(host, service, script):
    one = host(service(), command=stand_in(script), workers=1)
    for _ in range(2):
        assert check(one, "alice") is Finding.CANNOT_TELL


@pytest.mark.parametrize(
    "script",
    [
        "time.sleep(60)",
        "line.sendall(hello[:5]); time.sleep(60)",
        "line.sendall(hello); time.sleep(60)",
        "line.sendall(hello); line.recv(4096); line.sendall(frame(bytes(19))[:7]); time.sleep(60)",
        "line.sendall(hello)\nwhile True: line.sendall(b'\\0'); time.sleep(0.01)",
    ],
)
def test_a_worker_that_is_silent_cannot_tell_within_the_time(host, service, script):
    one = host(service(), command=stand_in(script), workers=1)
    started_at = time.monotonic()
    assert check(one, "alice", timeout_s=0.4) is Finding.CANNOT_TELL
    assert time.monotonic() - started_at < 1.5


def test_only_an_answer_to_this_question_is_believed(host, service):
    """Octet for octet an answer that PAM was content, but for the nonce."""
    yes = "line.sendall(hello); asked = line.recv(4096); line.sendall(frame({} + bytes([0, 1, 1]))); time.sleep(60)"
    assert check(host(service(), command=stand_in(yes.format("asked[2:18]"))), "alice") is Finding.PASSED
    assert check(host(service(), command=stand_in(yes.format("asked[3:19]"))), "alice") is Finding.CANNOT_TELL


@pytest.mark.parametrize("rest", [(0, 0, 1), (0, 1, 0)], ids=["no account management", "no prompt"])
def test_success_without_account_management_or_prompt_is_none(host, service, rest):
    script = f"line.sendall(hello); line.sendall(frame(line.recv(4096)[2:18] + bytes({rest!r}))); time.sleep(60)"
    assert check(host(service(), command=stand_in(script)), "alice") is Finding.CANNOT_TELL


# Many at once, and what is left afterwards


def test_sixteen_threads_at_once(host, service, user):
    one = host(service())
    found = []
    passwords = [RIGHT, b"wrong"] * 8

    def work(password):
        found.extend((password, check(one, user, password)) for _ in range(3))

    threads = [threading.Thread(target=work, args=(password,)) for password in passwords]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert sorted({(password, finding.name) for password, finding in found}) == [
        (RIGHT, "PASSED"),
        (b"wrong", "FAILED"),
    ]
    assert len(found) == 48


def test_a_question_that_no_worker_is_free_for_says_so(host, hanging):
    service, pids = hanging
    one = host(service, workers=1)
    thread, found = in_thread(lambda: check(one, "alice", timeout_s=2.0))
    wait_until(pids.read_text)
    assert check(one, "bob", timeout_s=0.1) is Finding.OVERLOADED
    thread.join(AMPLE_S)
    assert found == [Finding.CANNOT_TELL]


def test_nothing_is_left_behind_by_fifty_checks_that_time_out(hanging):
    service, pids = hanging
    descriptors, before = len(os.listdir("/proc/self/fd")), children()
    one = PamFirstFactor(PamSettings(service=service), time.monotonic)
    findings = []
    threads = [
        threading.Thread(target=lambda: findings.extend(check(one, "alice", timeout_s=0.3) for _ in range(25)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert findings == [Finding.CANNOT_TELL] * 50
    assert len(children() - before) == 2  # the workers that stand ready, and no zombies
    one.close()
    assert children() == before
    assert len(os.listdir("/proc/self/fd")) == descriptors
    programs = pids.read_text().split()
    assert programs
    wait_until(lambda: not any(runs(int(pid)) for pid in programs), 5.0)


def test_workers_are_renewed(host, service, user):
    before = children()
    one = host(service(), workers=1, max_checks_per_worker=2)
    seen = []
    for _ in range(6):
        seen += [children() - before]
        assert check(one, user) is Finding.PASSED
    assert [len(pids) for pids in seen] == [1] * 6
    assert len(set().union(*seen)) == 3


def test_after_the_end_nothing_is_asked(host, service, user):
    before = children()
    one = host(service())
    one.close()
    assert children() == before
    assert check(one, user) is Finding.CANNOT_TELL


def test_workers_end_with_the_server(hanging, tmp_path):
    """Killed the hard way: idle workers see the end of their line, one whose module hangs ends by its alarm."""
    service, pids = hanging
    server = f"""
        import sys, time
        sys.path.insert(0, {str(Path(pam.__file__).parents[1])!r})
        from authn.first_factor import AskFirstFactor, Keeper
        from authn.secret import Password
        from first_factors.pam import PamFirstFactor, PamSettings
        one = PamFirstFactor(PamSettings(service={service!r}), time.monotonic)
        one.check(AskFirstFactor("alice", Password(b"x"), Keeper("host"), 1), 2.0)
        """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(server)])
    try:
        wait_until(pids.read_text)
        workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        assert len(workers) == 2
    finally:
        process.kill()
        process.wait(AMPLE_S)
    wait_until(lambda: not any(runs(pid) for pid in workers), 10.0)


# Secrets


def test_the_password_shows_nowhere(host, hanging, caplog):
    caplog.set_level(logging.DEBUG)
    service, pids = hanging
    before = children()
    one = host(service, workers=1)
    thread, _ = in_thread(lambda: check(one, "alice", timeout_s=2.0))
    wait_until(pids.read_text)
    (worker,) = children() - before
    for pid in (worker, int(pids.read_text())):
        for place in ("cmdline", "environ"):
            assert RIGHT not in Path(f"/proc/{pid}/{place}").read_bytes()
    limits = Path(f"/proc/{worker}/limits").read_text()
    assert next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4:6] == [
        "0",
        "0",
    ]
    thread.join(AMPLE_S)
    assert RIGHT.decode() not in caplog.text
    assert RIGHT.decode() not in repr(Question(b"", 0, b"alice", RIGHT))
