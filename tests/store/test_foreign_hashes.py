"""Password hashes of other programs: fixed ones, and fresh ones by the programs themselves."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.debian import require_program
from support.installations import CHEAP

from authn.errors import OperationError
from authn.first_factor import Finding
from authn.secret import Password
from store import foreign_hashes, libcrypt
from store.passwords import PasswordHash, Passwords, read_foreign_hash

PASSWORDS = Passwords(CHEAP)

# Of the password "grün€", each by the program named; those of libcrypt by mkpasswd.
KNOWN = {
    "php bcrypt": "$2y$04$i12wJcm6nAqxOzBNmeqQ0.LXyUoeK.GYRaJrnxLNiOciggmziBpxu",
    "php argon2id": "$argon2id$v=19$m=64,t=1,p=1$c1dsdjFXbWpNQjI2OGNPaw$roPxB3FCaLUznBAenOYh2mBH44p1gfAxjH/nexR5FPY",
    "php argon2i": "$argon2i$v=19$m=64,t=1,p=1$Zy5JMVZEVXFya25DWFQ0MA$EF+SgO5UE93LQ43m93I/hWpAXDg3iLYWKU93cE/2Fqw",
    "argon2d": "$argon2d$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$X+6nkHAoh67J5hUaX8/RAg",
    "argon2i of version 1.0": "$argon2i$v=16$m=64,t=1,p=1$c2FsdHNhbHQ$z6zP/TR5Ekhok3U6xPKTzA",
    "yescrypt": "$y$j75$WUhAeNjJyR18UzOC6wKV00$Ra6a9yMgPHIfvG0LFqIvCbcrKC7NOMH9cJoHj1oUtq.",
    "sha512-crypt": "$6$pE5QG5ibELlb0Vsj$"
    "3wyYeUOFgEXXkAEYIR3FnTT.nZMDdA..R8oN19AKKAf9Gn6S2Spcw29vdcVjb4U9PIXTnJJiEo6Rk86OpDusj/",
    "sha256-crypt": "$5$rounds=1000$cik/6v.fxsSjS2xI$GamcYkrZ63cTtbuyBVoYtQxF5yYDlC53XZoiOHLQx82",
    "bcrypt": "$2b$05$gL7/W6/i88X2kM/rl4GqAeS.LIJ.41LAnxVcynFizNrwYWFbP4Co6",
    "older bcrypt": "$2a$05$Eb5M7Z/Dr.73BMdpnjQ9Met92qdxEowhWBMURkdYae.WuYJlYACfm",
    "slapd {SSHA}": "{SSHA}WncCl9UEIAfdWy3RsVUGJlhYo/+g/1Xh",
    "slapd {SSHA256}": "{SSHA256}0FKDysam49SJk7abVMp49vawKez5antYTq7es98JpaOHPzwBAodAEA==",
    "slapd {SSHA512}": "{SSHA512}"
    "ZbOEqWUoYMcjGyVur7BFg2jocM9EtYXESwZcsRIXlLa3iOC8Zjq2IGJ7tfVAOSQl7bZllPPWALsTipDD0aX8tWC9xosEe4en",
    "slapd {CRYPT}": "{CRYPT}$6$rounds=1000$1YIh6o8zpn6D$"
    "ahb6qzfKiIigCwH5lfsb3bPWi/SxPjXcd/6hBbO9KjuOa2U3FhhZTEDQU5MMacCysoCXe2U0cd8Xw3YzlbTOJ/",
    "slapd {ARGON2}": "{ARGON2}$argon2i$v=19$m=64,t=1,p=1$"
    "llRWGyqmZl74kmStV8TBHw$wQzRq2fNFyj8AOQ7sWvaip8OqZvee6ssHS0iH7zBNmY",
    "django pbkdf2_sha256": "pbkdf2_sha256$1000$salt0$yMY5pOq19uop6YWHtNjOHBvklPwJnGa5mIm14ctSwVM=",
    "django pbkdf2_sha1": "pbkdf2_sha1$1000$salt0$LgAVcpsTciFI2DSvRJRIJRWLhVo=",
    "django argon2": "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQw$66qbTE2qSmrZqHaTSjy5jQbytiYo2hJc1bWOF05Pcb4",
    "django bcrypt_sha256": "bcrypt_sha256$$2b$04$Bbz9kRORB8ps4MS3W3mfluv6/Vp2Vj5QwZxxAj4BVWSRmLkG2FtEq",
    "django bcrypt": "bcrypt$$2b$04$PtLTlBhH9dTsyz.K2CgDMuzQSCeK0Z70eu45ley6BxDcyApbvpQNO",
    "django scrypt": "scrypt$16$salt0$8$1$"
    "ElWSAjUpJt2cUJe8cki2zPnwxvXbTUy0Gm5nNXAqTkaJaQz35Yon0g33LrEDW54QglF4dj9Xcw5GnwkWAwxk6w==",
}

PEOPLE_TYPE = ["x", "correct horse", "grün€ ẞ", "ü" * 36, "a" * 71 + "ü", "a" * 100]


def check(password, text):
    octets = password if isinstance(password, bytes) else password.encode()
    return PASSWORDS.check(Password(octets), PasswordHash(text.encode()))


def assert_made_of(password, text):
    """The hash is taken in, knows its password, and no other."""
    read_foreign_hash(text)
    assert check(password, text) is Finding.PASSED
    for other in ("", "y", "Y" + password, password[1:][:70], password.swapcase()):
        assert check(other, text) is Finding.FAILED


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_hash_knows_its_password_and_no_other(name):
    assert_made_of("grün€", KNOWN[name])
    assert check("gru\u0308n€", KNOWN[name]) is Finding.PASSED
    assert check("grün€ ", KNOWN[name]) is Finding.FAILED
    assert check("grün€\0", KNOWN[name]) is Finding.FAILED
    assert check("grün€\0x" * 200, KNOWN[name]) is Finding.FAILED
    assert PASSWORDS.needs_renewal(PasswordHash(KNOWN[name].encode()))


@pytest.mark.parametrize(
    ("password", "text"),
    [
        (  # the specification of SHA-crypt, by Drepper
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),  # Openwall's crypt_blowfish
    ],
)
def test_published_answers(password, text):
    assert_made_of(password, text)


def test_the_scheme_of_an_ldap_hash_is_read_in_any_case():
    assert check("grün€", KNOWN["slapd {SSHA}"].replace("SSHA", "ssha")) is Finding.PASSED


def test_bcrypt_reads_72_octets_as_in_php_and_never_raises():
    made = "$2y$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"  # of 72 times "a"
    parsed = foreign_hashes.parse(made)
    assert parsed.check(b"a" * 72) is Finding.PASSED
    assert parsed.check(b"a" * 73) is Finding.PASSED
    assert parsed.check(b"a" * 71) is Finding.FAILED
    assert (parsed.reads_all(b"a" * 72), parsed.reads_all(b"a" * 73)) == (True, False)
    assert foreign_hashes.parse(KNOWN["django bcrypt_sha256"]).reads_all(b"a" * 73)


def test_a_hash_hides_itself():
    for text in KNOWN.values():
        parsed = foreign_hashes.parse(text)
        assert text[-20:] not in repr(parsed)
        assert "object at" in repr(parsed)


# --- the programs themselves


@pytest.mark.parametrize("password", PEOPLE_TYPE)
@pytest.mark.parametrize(
    "call",
    [
        "password_hash($p, PASSWORD_BCRYPT, ['cost' => 4])",
        "password_hash($p, PASSWORD_ARGON2ID, ['memory_cost' => 1024, 'time_cost' => 2])",
        "password_hash($p, PASSWORD_ARGON2I, ['memory_cost' => 1024, 'time_cost' => 2])",
        "crypt($p, '$6$rounds=1000$pepper$')",
    ],
)
def test_what_php_makes(password, call):
    php = require_program("php", "php-cli")
    assert_made_of(password, run(php, "-r", f"$p = stream_get_contents(STDIN); echo {call};", given=password))


def test_what_php_makes_by_default():
    php = require_program("php", "php-cli")
    for constant in ("PASSWORD_DEFAULT", "PASSWORD_ARGON2ID"):
        text = run(php, "-r", f"echo password_hash('x', {constant});")
        read_foreign_hash(text)
        assert check("x", text) is Finding.PASSED


@pytest.mark.parametrize("password", PEOPLE_TYPE)
@pytest.mark.parametrize("method", ["yescrypt -R 1", "sha512crypt", "sha256crypt -R 1000", "bcrypt -R 4", "bcrypt-a"])
def test_what_mkpasswd_makes(password, method):
    mkpasswd = require_program("mkpasswd", "whois")
    assert_made_of(password, run(mkpasswd, "-s", "-m", *method.split(), given=password))


def test_what_passwd_makes_on_debian():
    """yescrypt at its usual cost."""
    mkpasswd = require_program("mkpasswd", "whois")
    assert_made_of("grün€", run(mkpasswd, "-s", "-m", "yescrypt", given="grün€"))


@pytest.mark.parametrize("method", ["md5crypt", "descrypt", "bsdicrypt", "sunmd5"])
def test_weak_hashes_of_mkpasswd_are_refused(method):
    mkpasswd = require_program("mkpasswd", "whois")
    text = run(mkpasswd, "-s", "-m", method, given="x")
    for made in (text, "{CRYPT}" + text):
        with pytest.raises(OperationError, match="crypt is not imported"):
            read_foreign_hash(made)


@pytest.mark.parametrize("password", PEOPLE_TYPE)
@pytest.mark.parametrize(
    "options",
    [
        ["-h", "{SSHA}"],
        ["-o", "module-load=pw-sha2", "-h", "{SSHA256}"],
        ["-o", "module-load=pw-sha2", "-h", "{SSHA512}"],
        ["-o", "module-load=argon2 m=64 t=1", "-h", "{ARGON2}"],
        ["-h", "{CRYPT}", "-c", "$6$rounds=1000$%.16s"],
    ],
    ids=lambda options: options[options.index("-h") + 1],
)
def test_what_slapd_makes(password, options, tmp_path):
    slappasswd = require_program("slappasswd", "slapd")
    file = tmp_path / "password"
    file.write_text(password)
    file.chmod(0o600)
    assert_made_of(password, run(slappasswd, *options, "-T", str(file)))


@pytest.fixture(scope="module")
def django():
    """Django's hashers, without a project."""
    django_settings = pytest.importorskip("django.conf").settings
    if not django_settings.configured:
        django_settings.configure()
    from django.contrib.auth import hashers

    return hashers


@pytest.mark.parametrize("password", PEOPLE_TYPE)
@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("PBKDF2PasswordHasher", {"iterations": 1000}),
        ("PBKDF2SHA1PasswordHasher", {"iterations": 1000}),
        ("Argon2PasswordHasher", {"memory_cost": 64, "parallelism": 2}),
        ("BCryptSHA256PasswordHasher", {"rounds": 4}),
        ("BCryptPasswordHasher", {"rounds": 4}),
        ("ScryptPasswordHasher", {"work_factor": 64}),
    ],
)
def test_what_django_makes(password, name, cost, django):
    hasher = getattr(django, name)()
    vars(hasher).update(cost)
    if name == "BCryptPasswordHasher":
        password = password.encode()[:72].decode("utf-8", "ignore")  # beyond, Django itself raises with bcrypt 5
    assert_made_of(password, hasher.encode(password, hasher.salt()))


def test_what_django_makes_by_default(django):
    for hasher in (django.PBKDF2PasswordHasher(), django.Argon2PasswordHasher(), django.ScryptPasswordHasher()):
        text = hasher.encode("x", hasher.salt())
        read_foreign_hash(text)
        assert check("x", text) is Finding.PASSED


def test_an_unusable_password_of_django_is_refused(django):
    with pytest.raises(OperationError, match="locked there, or has no password"):
        read_foreign_hash(django.make_password(None))


def run(program, *arguments, given=""):
    """What a program prints, without its line end."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([program, *arguments], input=given.encode(), capture_output=True, check=True, env=environment)
    return done.stdout.decode().strip()


# --- what is refused


B86, B43 = "a" * 86, "a" * 43


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no hash"),
        ("!", "locked there"),
        ("*", "locked there"),
        ("!$6$abc$" + B86, "locked there"),
        ("$1$mxWV7Lmr$Fxiclg680P4/DZ7TQ87mV/", "MD5-crypt is not imported"),
        ("$apr1$mxWV7Lmr$Fxiclg680P4/DZ7TQ87mV/", "MD5-crypt is not imported"),
        ("9EzFwfktSQIHY", "DES-crypt is not imported: it reads eight characters"),
        ("{crypt}9EzFwfktSQIHY", "DES-crypt is not imported"),
        ("_J9..HoL8mpzvBv1Ylrs", "DES-crypt is not imported"),
        ("{MD5}nU4TmQ+LAFaYxSwjDy3w+Q==", "plain MD5 is not imported"),
        ("{SMD5}nU4TmQ+LAFaYxSwjDy3w+WFi", "plain MD5 is not imported"),
        ("9dd4e461268c8034f5c8564e155c67a6", "plain MD5 is not imported"),
        ("md5$salt$9dd4e461268c8034f5c8564e155c67a6", "plain MD5 is not imported"),
        ("{SHA}EfatjRyMqSZx+kPPkvM0cO8x3jQ=", "plain SHA digest is not imported"),
        ("sha1$salt$11f6ad8ec52a2984abaafd7c3b516503785c2072", "plain SHA digest is not imported"),
        ("11f6ad8ec52a2984abaafd7c3b516503785c2072", "plain SHA digest is not imported"),
        ("$2x$04$i12wJcm6nAqxOzBNmeqQ0.LXyUoeK.GYRaJrnxLNiOciggmziBpxu", "known faults"),
        ("$2y$15$i12wJcm6nAqxOzBNmeqQ0.LXyUoeK.GYRaJrnxLNiOciggmziBpxu", "bcrypt cost of 15 is too dear"),
        ("bcrypt$$2b$31$PtLTlBhH9dTsyz.K2CgDMuzQSCeK0Z70eu45ley6BxDcyApbvpQNO", "bcrypt cost of 31 is too dear"),
        ("$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + B43, "argon2 memory in KiB of 4194304 is too dear"),
        ("$argon2id$v=19$m=262144,t=5,p=1$c2FsdHNhbHQ$" + B43, "memory times passes"),
        ("$argon2i$v=19$m=8,t=999999999,p=1$c2FsdHNhbHQ$" + B43, "memory times passes"),
        ("argon2$argon2d$v=19$m=1024,t=1,p=64$c2FsdHNhbHQ$" + B43, "argon2 lanes of 64"),
        ("$argon2id$v=19$m=8,t=1,p=2$c2FsdHNhbHQ$" + "A" * 43, "argon2 hash is damaged"),
        ("$argon2id$v=19$m=64,t=1,p=1$c2FsdA$" + "A" * 43, "argon2 hash is damaged"),
        ("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$" + "A" * 42 + "B", "argon2 hash is damaged"),
        ("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAA", "tag of this argon2 hash is too short"),
        ("pbkdf2_sha256$99999999$salt0$yMY5pOq19uop6YWHtNjOHBvklPwJnGa5mIm14ctSwVM=", "PBKDF2 iteration count"),
        ("pbkdf2_sha256$1000$salt0$AAAA", "PBKDF2 hash is damaged"),
        ("pbkdf2_sha1$1000$salt0$AAAAA", "PBKDF2 hash is damaged"),
        ("scrypt$1048576$salt0$8$1$" + "A" * 86 + "==", "scrypt memory in KiB of 1048576"),
        ("scrypt$16384$salt0$8$99$" + "A" * 86 + "==", "scrypt work"),
        ("scrypt$17$salt0$8$1$" + "A" * 86 + "==", "scrypt hash is damaged"),
        ("$6$rounds=999999999$salt$" + B86, "number of rounds of 999999999"),
        ("{CRYPT}$5$rounds=2000001$salt$" + B43, "number of rounds of 2000001"),
        ("$6$rounds=10$salt$" + B86, "sha-crypt hash is damaged"),
        ("$y$jFT$abcdefgh$" + B43, "yescrypt memory in KiB of 1048576 is too dear"),
        ("$y$jjj$abcdefgh$" + B43, "yescrypt memory"),
        ("{SSHA}EfatjRyMqSZx+kPPkvM0cO8x3jQ=", "{SSHA} hash is damaged"),
        ("{SSHA}A", "{SSHA} hash is damaged"),
        ("correct horse", "no password hash of a form that is known here; accepted are argon2id"),
        ("$6$" + "a" * 17 + "$" + B86, "no password hash of a form"),
        ("$6$a:b$" + B86, "no password hash of a form"),
        ("$6$ä$" + B86, "no password hash of a form"),
        ("pbkdf2_sha256$１000$salt0$yMY5pOq19uop6YWHtNjOHBvklPwJnGa5mIm14ctSwVM=", "no password hash of a form"),
        ("{SSHA}" + "A" * 4000, "no password hash of a form"),
        ("{CRYPT}{CRYPT}$6$salt$" + B86, "no password hash of a form"),
    ],
)
def test_a_hash_that_is_not_taken_is_refused_with_its_reason(text, reason):
    with pytest.raises(OperationError) as caught:
        read_foreign_hash(text)
    assert reason in str(caught.value)
    assert "accepted" in str(caught.value)
    assert len(text) < 13 or text[-13:] not in str(caught.value)


@pytest.mark.parametrize("name", ["yescrypt", "sha512-crypt", "sha256-crypt", "slapd {CRYPT}"])
def test_without_libcrypt_nothing_can_be_told_and_the_import_says_so(name, monkeypatch):
    monkeypatch.setattr(libcrypt, "_library", lambda: None)
    monkeypatch.setattr(libcrypt, "knows", libcrypt.knows.__wrapped__)
    assert check("grün€", KNOWN[name]) is Finding.CANNOT_TELL
    with pytest.raises(OperationError, match="the libcrypt of this machine does not know"):
        read_foreign_hash(KNOWN[name])


@pytest.mark.parametrize("answer", [None, b"*0", b"*1"])
def test_a_libcrypt_that_does_not_know_the_method_cannot_tell(answer, monkeypatch):
    class Older:
        @staticmethod
        def crypt_r(_octets, _setting, _state):
            return answer

    monkeypatch.setattr(libcrypt, "_library", Older)
    monkeypatch.setattr(libcrypt, "knows", libcrypt.knows.__wrapped__)
    assert check("grün€", KNOWN["yescrypt"]) is Finding.CANNOT_TELL
    with pytest.raises(OperationError, match=r"does not know hashes of \$y\$"):
        read_foreign_hash(KNOWN["yescrypt"])


def test_without_a_library_to_load_there_is_none(monkeypatch):
    monkeypatch.setattr(libcrypt, "_LIBRARIES", ("libcrypt-that-is-nowhere.so.9",))
    assert libcrypt._library.__wrapped__() is None


def test_without_memory_nothing_can_be_told(monkeypatch):
    def fail(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr(foreign_hashes, "verify_secret", fail)
    monkeypatch.setattr("bcrypt.checkpw", fail)
    monkeypatch.setattr("hashlib.scrypt", fail)
    for name in ("php argon2i", "php bcrypt", "django scrypt"):
        assert check("grün€", KNOWN[name]) is Finding.CANNOT_TELL


def test_threads_do_not_meet_in_libcrypt():
    names = ["yescrypt", "sha512-crypt", "sha256-crypt"] * 20
    with ThreadPoolExecutor(4) as threads:
        right = threads.map(lambda name: check("grün€", KNOWN[name]), names)
        wrong = threads.map(lambda name: check("gelb", KNOWN[name]), names)
        assert set(right) == {Finding.PASSED}
        assert set(wrong) == {Finding.FAILED}


ANY_OCTETS = st.binary(max_size=200)


@given(octets=ANY_OCTETS, text=st.text(max_size=200) | st.binary(max_size=200))
@example(octets=b"", text="{SSHA}")
@example(octets=b"x", text="pbkdf2_sha256$1$s$")
def test_arbitrary_text_as_hash_never_raises_and_never_passes(octets, text):
    password_hash = PasswordHash(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    assert PASSWORDS.check(Password(octets), password_hash) is not Finding.PASSED
    assert PASSWORDS.needs_renewal(password_hash)
    if isinstance(text, str):
        try:
            read_foreign_hash(text)
        except OperationError:
            pass


@settings(max_examples=300)
@given(data=st.data(), octets=ANY_OCTETS, known=st.sampled_from(sorted(KNOWN.values())))
def test_a_damaged_hash_never_raises_and_never_passes_for_another_password(data, octets, known):
    place = data.draw(st.integers(0, len(known) - 1))
    damaged = (
        known[:place] + data.draw(st.sampled_from(["", "$", "/", "A", "z", "=", "0", "1", "{"])) + known[place + 1 :]
    )
    assert PASSWORDS.check(Password(octets), PasswordHash(damaged.encode())) is not Finding.PASSED
    try:
        foreign_hashes.parse(damaged)
    except OperationError:
        pass


@given(octets=ANY_OCTETS, name=st.sampled_from(sorted(KNOWN)))
def test_nothing_that_was_typed_makes_a_check_raise(octets, name):
    assert check(octets, KNOWN[name]) is Finding.FAILED
