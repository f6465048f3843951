"""Commands about who may log in how: grace, bypasses, recovery codes, shadow mode, hashes, what if."""

import time

import bcrypt
import pyotp
import pytest

from authn.errors import ConfigError, OperationError
from twinward.dates import span_s


@pytest.fixture
def run(run):
    """An installation with a user and a client."""
    run("user", "add", "alice", "--password-file", "-", typed="secret\n")
    run("client", "add", "vpn", "--network", "192.0.2.0/24")
    return run


@pytest.mark.parametrize("kind", ["grace", "bypass"])
def test_an_exemption_is_granted_listed_and_ended(run, kind):
    granted = run(kind, "grant", "alice", "--for", "8h", "--logins", "3", "--client", "vpn", "--reason", "lost phone")
    assert 8 * 3600 - 5 < granted["until"] - time.time() <= 8 * 3600
    [one] = run(kind, "list")["exemptions"]
    assert (one["user"], one["client"], one["logins"], one["used"]) == ("alice", "vpn", 3, 0)
    assert one["reason"] == "lost phone"
    other = "bypass" if kind == "grace" else "grace"
    assert run(other, "list")["exemptions"] == []
    assert run(kind, "end", one["exemption"])["user"] == "alice"
    assert run(kind, "list", as_json=False) == f"No {kind} goes on.\n"
    events = [one["event"] for one in run("audit", "list", "--user", "alice")["entries"]]
    assert events[:2] == [f"{kind}.ended", f"{kind}.granted"]


@pytest.mark.parametrize(
    "words",
    [
        ["--for", "8h"],  # no reason
        ["--reason", "x"],  # no end
        ["--for", "8h", "--until", "2099-01-01", "--reason", "x"],
        ["--for", "soon", "--reason", "x"],
        ["--until", "2026-02-30", "--reason", "x"],
    ],
)
def test_an_exemption_without_end_or_reason_is_wrong_usage(run, words):
    run("bypass", "grant", "alice", *words, as_json=False, status=2)


def test_a_bypass_of_a_month_is_refused(run):
    with pytest.raises(OperationError, match="7 days from now at the latest"):
        run("bypass", "grant", "alice", "--for", "30d", "--reason", "x")


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("8h", 28800), ("2d", 172800)])
def test_spans_of_time(text, seconds):
    assert span_s(text) == seconds


def test_recovery_codes_are_shown_once(run):
    codes = run("recovery-codes", "renew", "alice", "--count", "4")["recovery_codes"]
    assert len(set(codes)) == 4
    assert all(len(code) == 19 for code in codes)
    assert run("recovery-codes", "show", "alice") == {"user": "alice", "left": 4}
    assert run("user", "show", "alice")["recovery_codes"] == 4
    assert run("recovery-codes", "remove", "alice")["removed"] == 4
    with pytest.raises(OperationError, match="1 to 50"):
        run("recovery-codes", "renew", "alice", "--count", "51")


def test_a_counted_token_is_enrolled_and_imported(run):
    enrolled = run("token", "enrol", "alice", "--counted")
    hotp = pyotp.parse_uri(enrolled["otpauth"])
    assert isinstance(hotp, pyotp.HOTP)
    run("token", "confirm", enrolled["token"], "--code-file", "-", typed=hotp.at(0) + "\n")
    assert run("token", "show", enrolled["token"])["kind"] == "hotp"
    seed = pyotp.random_base32()
    imported = run("token", "import", "alice", "--seed-file", "-", "--counted", "--counter", "7", typed=f"{seed}\n")
    codes = f"{pyotp.HOTP(seed).at(9)} {pyotp.HOTP(seed).at(10)}\n"
    run("token", "resync", imported["token"], "--codes-file", "-", typed=codes)
    run("token", "enrol", "alice", "--counted", "--period", "30", as_json=False, status=2)


def test_an_app_that_ignores_the_period_is_found_when_the_token_is_confirmed(run):
    enrolled = run("token", "enrol", "alice", "--period", "60")
    ignoring = pyotp.TOTP(pyotp.parse_uri(enrolled["otpauth"]).secret).now()
    with pytest.raises(OperationError, match=r"every 30 s with sha1.*--period 30"):
        run("token", "confirm", enrolled["token"], "--code-file", "-", typed=ignoring + "\n")
    assert run("token", "show", enrolled["token"])["phase"] == "pending"


def test_groups_are_set(run):
    assert run("user", "groups", "alice", "--set", "vpn, admins")["groups"] == ["vpn", "admins"]
    assert run("user", "show", "alice")["groups"] == ["admins", "vpn"]
    assert run("user", "groups", "alice", "--set", "")["groups"] == []


def test_a_hash_of_another_program_is_taken_over(run, tmp_path):
    hashed = bcrypt.hashpw(b"theirs", bcrypt.gensalt(4)).decode()
    run("user", "password", "alice", "--hash-file", "-", typed=hashed + "\n")
    csv = tmp_path / "users.csv"
    csv.write_text(f"name,password,seed,password_hash\nbob,,,{hashed}\ncarol,x,,\n")
    assert run("user", "import", "--file", str(csv)) == {"added": 2}
    assert run("user", "show", "bob")["has_password"] is True
    csv.write_text("name,password,seed,password_hash\ndave,,,5f4dcc3b5aa765d61d8327deb882cf99\n")
    with pytest.raises(OperationError, match="line 2"):
        run("user", "import", "--file", str(csv))
    csv.write_text(f"name,password,seed,password_hash\ndave,x,,{hashed}\n")
    with pytest.raises(OperationError, match="not both"):
        run("user", "import", "--file", str(csv))


def test_shadow_mode_has_an_end(run):
    soon = time.strftime("%Y-%m-%d", time.localtime(time.time() + 86400))
    assert "shadow mode" in run("client", "set", "vpn", "--shadow-until", soon)["warnings"][0]
    assert run("client", "show", "vpn")["shadow_until"] > time.time()
    assert run("client", "readiness", "vpn") == {
        "client": "vpn",
        "shadow_until": run("client", "show", "vpn")["shadow_until"],
        "ready": 0,
        "users": [],
    }
    assert run("client", "set", "vpn", "--shadow-until", "none")["warnings"] == []
    run("client", "set", "vpn", "--shadow-until", "2099-01-01", as_json=False, status=2)
    with pytest.raises(OperationError, match="this one is code-only"):
        run("client", "set", "vpn", "--input", "code-only", "--shadow-until", soon)


def test_what_if_tells_without_writing_or_asking(run):
    told = run("explain", "--what-if", "alice", "--client", "vpn", "--station", "192.0.2.9")
    assert told["outcome"] == "reject, no_token"
    assert told["circumstances"]["place"] == "new for this user"
    seed = pyotp.random_base32()
    run("token", "import", "alice", "--seed-file", "-", typed=seed + "\n")
    before = run("audit", "list")["entries"]
    typed = "secret" + pyotp.TOTP(seed).now() + "\n"
    for _ in range(2):
        told = run("explain", "--what-if", "alice", "--client", "vpn", "--typed-file", "-", typed=typed)
        assert told["outcome"] == "the first factor store would be asked about the password"
    told = run("explain", "--what-if", "alice", "--client", "vpn", "--typed-file", "-", typed="secret000000\n")
    assert told["outcome"].startswith("reject, wrong_code")
    assert "A typing error" in run(
        "explain", "--what-if", "alice", "--client", "vpn", "--typed-file", "-", typed="secret000000\n", as_json=False
    )
    assert run("explain", "--what-if", "zoe", "--client", "vpn")["outcome"] == "reject, unknown_user"
    assert run("audit", "list")["entries"] == before
    run("explain", as_json=False, status=2)
    run("explain", "--what-if", "alice", as_json=False, status=2)


def test_the_doctor_looks_at_clocks_first_factors_and_clients(run, tmp_path):
    report = run("doctor")
    assert report["well"] is True
    assert [one["what"] for one in report["findings"]] == ["clock", "client vpn"]
    config = tmp_path / "twinward.toml"
    config.write_text(config.read_text() + '\n[first_factors.corp]\nkind = "ldap"\nservers = ["ldap://127.0.0.1:1"]\n')
    config.write_text(config.read_text() + 'bind_dn = "uid={username},dc=example"\n')
    report = run("doctor", status=1)
    [bad] = [one for one in report["findings"] if not one["well"]]
    assert bad["what"] == "first factor corp"
    assert "BAD  first factor corp" in run("doctor", as_json=False, status=1)


def test_secrets_of_first_factors_are_for_their_owner_only(run, tmp_path):
    config, secret = tmp_path / "twinward.toml", tmp_path / "old.secret"
    secret.write_text("a secret of the old server\n")
    secret.chmod(0o644)
    config.write_text(
        config.read_text()
        + '\n[first_factors.old]\nkind = "radius"\nservers = ["127.0.0.1:1"]\nshared_secret_file = "old.secret"\n'
    )
    with pytest.raises(ConfigError, match="can be read by others"):
        run("check-config")
    secret.chmod(0o600)
    assert run("check-config")["policy_cases"] == 0
    secret.write_text("\n")
    with pytest.raises(ConfigError, match=r"first_factors\.old: .*the secret is empty"):
        run("check-config")


def test_an_up_to_date_database_needs_no_upgrade(run):
    assert run("upgrade")["done"] is False
    assert run("upgrade", "--check")["found"] == run("upgrade", "--check")["wanted"]
