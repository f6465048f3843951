"""The command line as scripts use it: no terminal, secrets from standard input, JSON out."""

import time

import pyotp
import pytest

from authn.errors import TwinwardError
from twinward.cli import cli


def test_init_makes_an_operator_with_a_password_of_its_own(run):
    assert run.init["admin"] == "admin"
    assert len(run.init["admin_password"]) >= 16
    assert run("user", "show", "admin")["groups"] == ["twinward-operators"]


def test_the_life_of_a_user_and_a_token(run):
    assert run("user", "add", "Alice", "--password-file", "-", "--group", "vpn", typed="secret\n") == {"user": "alice"}
    enrolled = run("token", "enrol", "alice")
    totp = pyotp.parse_uri(enrolled["otpauth"])
    assert (totp.interval, totp.digits, totp.issuer, totp.name) == (30, 6, "twinward", "alice")
    confirmed = run("token", "confirm", enrolled["token"], "--code-file", "-", typed=totp.now() + "\n")
    assert confirmed["phase"] == "active"
    assert run("token", "list", "alice")["tokens"][0]["phase"] == "active"
    now = time.time()
    codes = f"{totp.at(now + 60)} {totp.at(now + 90)}\n"
    assert run("token", "resync", enrolled["token"], "--codes-file", "-", typed=codes)["drift"] == 3
    assert run("token", "revoke", enrolled["token"])["phase"] == "revoked"
    assert run("token", "show", enrolled["token"])["user"] == "alice"
    assert run("user", "disable", "alice") == {"user": "alice", "sessions": []}
    assert run("user", "show", "alice")["standing"] == "disabled"
    for command in ("enable", "unlock", "remove"):
        run("user", command, "alice")
    assert [one["name"] for one in run("user", "list")["users"]] == ["admin"]
    assert run("audit", "verify")["findings"] == []
    newest = run("audit", "list", "--limit", "1")["entries"][0]
    assert newest["event"] == "user.removed"
    assert run("explain", newest["reference"])["user"] == "alice"


def test_a_qr_code_is_drawn_for_people(run):
    run("user", "add", "alice", "--no-password")
    text = run("token", "enrol", "alice", "--digits", "8", "--period", "60", "--algorithm", "sha256", as_json=False)
    assert "▄" in text
    assert "digits=8&period=60" in text
    assert "is pending" in text


def test_a_client_gets_a_secret_of_its_own_or_a_given_one(run):
    made = run("client", "add", "vpn", "--network", "192.0.2.0/24")
    assert len(made["shared_secret"]) == 32
    given = run("client", "add", "wifi", "--network", "2001:db8::/32", "--secret-file", "-", typed="sixteen octets!!\n")
    assert "shared_secret" not in given
    shown = run("client", "show", "wifi")
    assert shown["shared_secret_octets"] == 16
    assert shown["message_authenticator"] == "require"
    assert len(run("client", "set-secret", "wifi")["shared_secret"]) == 32
    run("client", "remove", "vpn")
    assert [one["name"] for one in run("client", "list")["clients"]] == ["wifi"]


@pytest.mark.parametrize(
    ("words", "typed", "what"),
    [
        (("client", "add", "x", "--network", "192.0.2.1", "--secret-file", "-"), "tiny-canary\n", "at least 16"),
        (("client", "add", "x", "--network", "192.0.2.1/24"), "", "host bits"),
        (("client", "add", "x", "--network", "nonsense"), "", "not a network"),
        (("client", "add", "", "--network", "192.0.2.1"), "", "cannot be a client name"),
        (("client", "show", "zed"), "", "there is no client zed"),
        (("user", "add", "bob"), "", "no terminal"),
        (("user", "add", "bob", "--password-file", "-"), "\n", "nothing was given"),
        (("user", "add", "bob", "--password-file", "-"), "x" * 123 + "\n", "at most 122"),
        (("user", "add", "admin", "--no-password"), "", "already"),
        (("user", "add", "bob", "--password-file", "missing"), "", "cannot read"),
        (("token", "enrol", "zed"), "", "there is no user zed"),
        (("token", "import", "admin", "--seed-file", "-"), "not base32!\n", "not a seed"),
        (("token", "import", "admin", "--seed-file", "-"), "hex:00\n", "10 to 128"),
        (("token", "import", "admin", "--seed-file", "-", "--digits", "9"), "JBSWY3DPEHPK3PXP\n", "9 digits"),
        (("explain", "zzz"), "", "not a reference"),
        (("login-test", "admin", "--server", "127.0.0.1:1"), "", "no NAS client covers"),
    ],
)
def test_refusals_say_what_is_wrong_and_show_no_secret(run, words, typed, what):
    with pytest.raises(TwinwardError, match=what) as refused:
        run(*words, typed=typed)
    if len(typed) > 1:
        assert typed.strip() not in str(refused.value)


def test_equal_networks_are_refused_and_nested_ones_are_not(run):
    run("client", "add", "a", "--network", "192.0.2.0/24")
    run("client", "add", "b", "--network", "192.0.2.0/25")
    with pytest.raises(TwinwardError, match="client a has the network"):
        run("client", "add", "c", "--network", "192.0.2.0/24")
    run("client", "add", "c", "--network", "192.0.2.0/24", "--shared-address")
    with pytest.raises(TwinwardError, match="both need --message-authenticator require"):
        run("client", "set", "c", "--message-authenticator", "allow")


def test_users_are_imported_all_or_none(run):
    lines = "name,password,seed,period,groups\nann,pw,JBSW Y3DP-EHPK3PXP,60,vpn;wifi\nben,,,,\n"
    assert run("user", "import", "--file", "-", typed=lines) == {"added": 2}
    assert run("token", "list", "ann")["tokens"][0]["period"] == 60
    assert run("user", "show", "ann")["groups"] == ["vpn", "wifi"]
    for bad, what in (
        ("name,password\n", "line 1: the columns seed are missing"),
        ("name,password,seed,pin\n", "unknown columns pin"),
        ("name,password,seed\ncid,pw,JBSWY3DPEHPK3PXP\ndan,pw,!!!\n", "line 3"),
        ("name,password,seed\ncid,pw\n", "line 2"),
        ("name,password,seed\ncid,pw,JBSWY3DPEHPK3PXP\nANN,,\n", "already"),
    ):
        with pytest.raises(TwinwardError, match=what):
            run("user", "import", "--file", "-", typed=bad)
    assert [one["name"] for one in run("user", "list")["users"]] == ["admin", "ann", "ben"]


def test_wrong_usage_is_exit_status_2(run):
    for words in (
        ("user", "add"),
        ("nonsense",),
        ("client", "add", "x"),
        ("client", "add", "x", "--network", "1", "--input", "y"),
    ):
        run(*words, as_json=False, status=2)


def test_a_secret_is_never_an_argument():
    """No command takes the name of a secret but as a file."""

    def commands(command):
        for one in getattr(command, "commands", {}).values():
            yield one
            yield from commands(one)

    for command in commands(cli):
        for parameter in command.params:
            for word in ("password", "secret", "seed", "code"):
                if word in parameter.name and not getattr(parameter, "is_flag", False):
                    assert parameter.name.endswith("_file"), f"{command.name} {parameter.name}"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--input", "suffix,code-only"], "client c: code-only stands alone"),
        (["--method", "chap"], "client c: chap needs the input mode code-only"),
        (["--uniform-challenge"], "client c: a uniform challenge needs"),
        (["--nas-timeout", "0.1"], "client c: a NAS waits"),
        (["--charset", "klingon"], "client c: klingon is not a charset"),
        (["--input", "suffix@2026-12-31"], "client c: at least one input mode"),
    ],
)
def test_a_client_that_cannot_work_is_refused_by_name_with_the_reason(run, options, told):
    with pytest.raises(TwinwardError, match=told):
        run("client", "add", "c", "--network", "192.0.2.0/24", *options)
    run("client", "add", "c", "--network", "192.0.2.0/24")
    with pytest.raises(TwinwardError, match=told):
        run("client", "set", "c", *options)


@pytest.mark.parametrize(
    "options",
    [["--input", "nonsense"], ["--input", "suffix,prefix@soon"], ["--method", "eap"], ["--message-authenticator", "x"]],
)
def test_what_is_no_rule_is_wrong_usage(run, options):
    run("client", "add", "c", "--network", "192.0.2.0/24", *options, as_json=False, status=2)


def test_rules_come_back_as_they_were_set(run):
    run(
        "client",
        "add",
        "c",
        "--network",
        "192.0.2.0/24",
        "--input",
        "challenge,prefix@2030-12-31",
        "--prompt",
        "Code: ",
    )
    run("client", "set", "c", "--nas-timeout", "10", "--nas-tries", "2", "--no-repeats", "--max-rate", "50")
    shown = run("client", "show", "c")
    assert shown["input"] == "challenge,prefix@2030-12-31"
    assert (shown["prompt"], shown["nas_timeout_s"], shown["repeat_window_s"]) == ("Code: ", 10.0, 0.0)
    assert shown["max_logins_per_s"] == 50
    run("client", "set", "c", "--max-rate", "0", "--charset", "cp1252", "--input", "code-only", "--method", "pap,chap")
    shown = run("client", "show", "c")
    assert (shown["max_logins_per_s"], shown["charset"], shown["methods"]) == (None, "cp1252", "chap,pap")
    run("client", "set", "c", as_json=False, status=2)


def test_a_rotation_needs_signed_requests_and_a_new_secret(run):
    run("client", "add", "c", "--network", "192.0.2.0/24", "--secret-file", "-", typed="sixteen octets!!\n")
    with pytest.raises(TwinwardError, match="has already"):
        run("client", "rotate-secret", "c", "--secret-file", "-", typed="sixteen octets!!\n")
    with pytest.raises(TwinwardError, match="one shared secret only"):
        run("client", "rotate-secret", "c", "--end-old")
    run("client", "rotate-secret", "c")
    assert run("client", "show", "c")["shared_secrets"] == 2
    with pytest.raises(TwinwardError, match="end the old one first"):
        run("client", "set", "c", "--message-authenticator", "allow")
    run("client", "rotate-secret", "c", "--end-old")
    run("client", "set", "c", "--message-authenticator", "allow")
    with pytest.raises(TwinwardError, match="do not tell which"):
        run("client", "rotate-secret", "c")


def test_the_audit_of_clients_names_weak_and_shared_secrets(run):
    run("client", "add", "a", "--network", "192.0.2.0/24", "--secret-file", "-", typed="aaaaaaaaaaaaaaaaaaaa\n")
    run("client", "add", "b", "--network", "198.51.100.0/24", "--secret-file", "-", typed="aaaaaaaaaaaaaaaaaaaa\n")
    run("client", "add", "c", "--network", "203.0.113.0/24", "--message-authenticator", "allow")
    a, b, c = run("client", "audit")["clients"]
    assert (a["secret_strength"], a["secret_shared_with"], b["secret_shared_with"]) == ("weak", ["b"], ["a"])
    assert (c["secret_strength"], c["safe_to_require"]) == ("strong", "no")


def test_names_fold_realms_at_the_command_line_as_at_a_login(run, tmp_path):
    path = tmp_path / "twinward.toml"
    path.write_text(path.read_text().replace("realms = []", 'realms = ["example.org"]'))
    assert run("user", "add", "Alice@Example.org", "--no-password")["user"] == "alice"
    assert run("user", "show", "CORP\\ALICE")["name"] == "alice"
