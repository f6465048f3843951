"""Measure twinward beside FreeRADIUS on the same job, in the same run, and print the ratios.

    python bench/run.py [--tools DIR] [--rounds 3] [--seconds 4] [--users 20000] [--inflight 64]

The job: check the Message-Authenticator, unhide the password field, verify a TOTP, refuse a spent step, write spend
and audit row durably before the reply. FreeRADIUS does it by rlm_sql (SQLite, WAL), rlm_totp and a conditional update;
`files-totp` is FreeRADIUS without any write or replay check, the ceiling. Machines are shared and noisy: only figures
of one run compare, and no test asserts any.

The load generator and the peers' configurations are the ones in the folder `shared/bench` beside the checkout.
"""

import argparse
import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "tests"))

from support import installations
from support.daemon import Daemon

from authn.client import InputMode
from authn.secret import Password, Seed
from store.passwords import HashingSettings, Passwords
from store.tokens import NewToken
from store.users import NewUser, Users

SECRET = "bench-shared-secret-24-octets"
SEED_KEY = "seedkey"
PASSWORD = "correct horse"
HASHING = HashingSettings()
CONFIG = """
[node]
name = "bench"
[radius]
listen = ["127.0.0.1:{port}"]
[login]
free_failures = 100
"""


class Twinward:
    """Our server over an installation with the load generator's users."""

    def __init__(self, work: Path, port: int, users: int, input_mode: InputMode) -> None:
        self.name = f"twinward, {'argon2id' if input_mode is InputMode.SUFFIX else 'no hashing'}"
        self.password = PASSWORD if input_mode is InputMode.SUFFIX else ""
        self.port = port
        self._folder = work / f"twinward-{input_mode.value}"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        installation = installations.create(self._folder)
        installations.add_client(installation, "bench", "127.0.0.1", shared_secret=SECRET.encode(), inputs=[input_mode])
        password_hash = Passwords(HASHING).hash(Password(PASSWORD.encode()))
        names = [f"user{number:06d}" for number in range(users)]
        Users(installation, "bench").add_all(
            (NewUser(name, password_hash, token=NewToken(_seed(name), confirmed=True)) for name in names),
            installations.now(),
        )
        with installation.database.read() as connection:
            fresh = connection.exec_driver_sql("SELECT last_step, drift, step_mark, id FROM tokens")
            self._fresh = [tuple(row) for row in fresh]
        installation.close()
        (self._folder / "twinward.toml").write_text(CONFIG.format(port=port))

    def __enter__(self) -> int:
        connection = sqlite3.connect(self._folder / "twinward.db")
        with connection:
            connection.executemany(
                "UPDATE tokens SET last_step = ?, drift = ?, step_mark = ? WHERE id = ?", self._fresh
            )
            connection.execute("DELETE FROM tallies")
        connection.close()
        self._daemon = Daemon(self._folder)
        return self._daemon.pid

    def __exit__(self, *_: object) -> None:
        self._daemon.stop()


class FreeRadius:
    """A peer from the shared folder."""

    def __init__(self, work: Path, tools: Path, case: str, port: int, users: int) -> None:
        self.name = f"FreeRADIUS {case}"
        self.password = "pw-{u:06d}"
        self.port = port
        self._folder = work / case
        self._configure = [sys.executable, str(tools / "freeradius_peer.py"), case, str(self._folder)]
        self._configure += ["--port", str(port), "--users", str(users), "--secret", SECRET, "--totp", SEED_KEY]
        self._configure += ["--sqlite", str(work / "freeradius.db"), "--wal"] + (["--init"] if "sql" in case else [])

    def __enter__(self) -> int:
        subprocess.run(self._configure, check=True)
        log = self._folder / "radius.log"
        log.unlink(missing_ok=True)
        program = shutil.which("freeradius", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "FreeRADIUS is missing: install Debian's package freeradius"
        self._process = subprocess.Popen(
            [program, "-f", "-d", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(150):
            time.sleep(0.1)
            if log.exists() and "Ready to process" in log.read_text():
                return self._process.pid
            assert self._process.poll() is None, log.read_text()
        raise AssertionError(log.read_text())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # version 3.2.1 sometimes spins at its exit
            self._process.kill()
            self._process.wait()


def _seed(name: str) -> Seed:
    return Seed(hmac.digest(SEED_KEY.encode(), name.encode(), hashlib.sha1))


def load(tools: Path, target: Twinward | FreeRadius, pid: int, arguments: argparse.Namespace) -> dict[str, float]:
    """One run of the load generator."""
    command = [sys.executable, str(tools / "radload.py"), "--target", f"127.0.0.1:{target.port}", "--secret", SECRET]
    command += ["--users", str(arguments.users), "--seconds", str(arguments.seconds), "--sockets", "32"]
    command += ["--inflight", str(arguments.inflight), "--password", target.password, "--totp", SEED_KEY]
    command += ["--codes", "now" if isinstance(target, FreeRadius) else "window", "--tree", f"server={pid}"]
    if arguments.rate:
        command += ["--rate", str(arguments.rate)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout)


def bare_hashes_per_second() -> float:
    """What all cores can do of argon2id alone: the bound of every server that hashes."""
    passwords, cores = Passwords(HASHING), len(os.sched_getaffinity(0))
    hashed, count = passwords.hash(Password(b"x")), 40 * cores
    with ThreadPoolExecutor(cores) as pool:
        started = time.monotonic()
        list(pool.map(lambda _: passwords.check(Password(b"x"), hashed), range(count)))
        return count / (time.monotonic() - started)


def main() -> None:
    """Run the rounds, interleaved, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=HERE.parent.parent / "shared" / "bench")
    parser.add_argument("--work", type=Path, default=HERE.parent / "bench-work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--users", type=int, default=20000)
    parser.add_argument("--inflight", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0)
    arguments = parser.parse_args()
    if not (arguments.tools / "radload.py").exists():
        sys.exit(f"{arguments.tools}: the load generator is not here; name its folder with --tools")
    arguments.work.mkdir(exist_ok=True)
    peer = FreeRadius(arguments.work, arguments.tools, "sql-sqlite-totp", 18120, arguments.users)
    targets = [
        peer,
        FreeRadius(arguments.work, arguments.tools, "files-totp", 18121, arguments.users),
        Twinward(arguments.work, 18122, arguments.users, InputMode.CODE_ONLY),
        Twinward(arguments.work, 18123, arguments.users, InputMode.SUFFIX),
    ]
    results: dict[str, list[dict[str, float]]] = {target.name: [] for target in targets}
    bare = []
    for _ in range(arguments.rounds):
        bare.append(bare_hashes_per_second())
        for target in targets:
            with target as pid:
                results[target.name].append(load(arguments.tools, target, pid, arguments))
    columns = ("rps", "server_cpu_us_per_req", "p50_ms", "p99_ms")
    median = {
        name: [statistics.median(run.get(key, 0) for run in runs) for key in columns] for name, runs in results.items()
    }
    base = median[peer.name]
    print("| server | requests/s | of the peer's | CPU us/request | of the peer's | p50 ms | p99 ms | last run |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (rps, cpu, p50, p99) in median.items():
        figures = f"{rps:.0f} | {rps / base[0]:.2f} | {cpu:.1f} | {cpu / base[1]:.2f} | {p50:.2f} | {p99:.2f}"
        print(f"| {name} | {figures} | {results[name][-1].get('codes')} |")
    hashed, bound = median[targets[3].name][0], statistics.median(bare)
    print(f"\nargon2id alone on all cores: {bound:.0f}/s; the server reaches {hashed / bound:.2f} of it")


if __name__ == "__main__":
    main()
