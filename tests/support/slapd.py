"""OpenLDAP's slapd: a directory with a few users, on loopback ports, in a folder of the test.

Runs from a configuration of its own in the foreground, and is ended by its process
id. It logs every operation, so that a test can count the binds.
"""

import base64
import datetime
import hashlib
import ipaddress
import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.debian import require_program

BASE_DN = "dc=example,dc=org"
PEOPLE_DN = f"ou=people,{BASE_DN}"
SEARCH_DN = f"cn=twinward,{BASE_DN}"
SEARCH_PASSWORD = b"the search account's own"
PASSWORDS = {
    "alice": "correct horse",
    "bob": "battery staple",
    "zoë": "pässwörd",
    "we*ird(na)me, \\x": "odd but mine",
}
LONG = "x" * 253  # too long to be part of a DN here: found by search alone
LONG_PASSWORD = "a long way"
TWIN = "twin"  # has two entries; this is the password of both
TWIN_PASSWORD = "either of us"

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
maxsize 16777216
dbnosync
suffix "{base}"
rootdn "cn=root,{base}"
directory {folder}/data
index uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{search}" read by * auth
"""


def reserve_tcp_port() -> socket.socket:
    """A socket that keeps a port of loopback for slapd, which sets SO_REUSEADDR too: nobody else is given it."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    return keeper


def free_tcp_port() -> int:
    """A TCP port of loopback that nobody serves now."""
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return tcp.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: `ca_file` is what a client trusts."""

    ca_file: Path
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    @classmethod
    def create(cls, folder: Path, name: str = "ca") -> "Authority":
        """Make one, and leave its certificate in the folder as `name`.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(f"test {name}", key, None, key, is_ca=True)
        ca_file = folder / f"{name}.pem"
        ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(ca_file, key, certificate)

    def issue(self, folder: Path, names: list[str]) -> tuple[Path, Path]:
        """A server's certificate and key, in the folder as server.pem and server.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(names[0], key, self._certificate, self._key, names=names)
        (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "server.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return folder / "server.pem", folder / "server.key"


class Slapd:
    """A slapd with `PASSWORDS`, plain and StartTLS on `port`, TLS on `tls_port`. Its certificate is for `names`."""

    def __init__(self, folder: Path, authority: Authority, *, names: tuple[str, ...] = ("localhost", "127.0.0.1")):
        program = require_program("slapd", "slapd")
        self.folder = folder
        (folder / "data").mkdir(parents=True)
        if authority.ca_file != folder / "ca.pem":
            (folder / "ca.pem").write_bytes(authority.ca_file.read_bytes())
        authority.issue(folder, list(names))
        config = folder / "slapd.conf"
        config.write_text(_CONFIG.format(folder=folder, base=BASE_DN, search=SEARCH_DN))
        entries = folder / "entries.ldif"
        entries.write_text(_ldif())
        subprocess.run([program, "-T", "add", "-f", config, "-l", entries], check=True, capture_output=True)
        self._ports = [reserve_tcp_port(), reserve_tcp_port()]
        self.port, self.tls_port = (keeper.getsockname()[1] for keeper in self._ports)
        self._command = [
            program, "-d", "stats", "-f", str(config),
            "-h", f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Plain, or for StartTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """TLS from the start, by a name of the certificate."""
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def log(self) -> str:
        """What it has written since it was created."""
        return (self.folder / "slapd.log").read_text(errors="replace")

    def binds(self) -> list[str]:
        """The names of all bind requests so far, in order."""
        return re.findall(r'BIND dn="(.*)" method=128', self.log)

    def user_binds(self) -> list[str]:
        """As `binds`, without those of the search account."""
        return [name for name in self.binds() if name != SEARCH_DN]

    def open_connections(self) -> int:
        """How many connections it has accepted and not seen the end of."""
        return len(re.findall(r" ACCEPT from ", self.log)) - len(re.findall(r"fd=\d+ closed", self.log))

    def start(self) -> None:
        """Start, and wait until it serves."""
        with (self.folder / "slapd.log").open("ab") as log:
            log_octets = log.tell()
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 20
        try:
            while "slapd starting" not in self.log[log_octets:]:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < until, self.log
                time.sleep(0.02)
            for port in (self.port, self.tls_port):
                while not _accepts(port):  # it says that it starts, and listens after that
                    assert time.monotonic() < until, self.log
                    time.sleep(0.02)
        except BaseException:
            self.stop()
            raise

    def freeze(self) -> None:
        """It keeps its connections, the kernel accepts more, and nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # until its last thread stands

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def halt(self) -> None:
        """End it, by SIGKILL where SIGTERM does not help. It may be started again, on the same ports."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def stop(self) -> None:
        """End it for good."""
        self.halt()
        for keeper in self._ports:
            keeper.close()


def _accepts(port: int) -> bool:
    with socket.socket() as tcp:
        return tcp.connect_ex(("127.0.0.1", port)) == 0


def _sign(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    names: list[str] | None = None,
    is_ca: bool = False,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_key_usage(is_ca), critical=True)
    )
    if names is not None:
        alternatives = x509.SubjectAlternativeName([_general_name(text) for text in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _ldif() -> str:
    entries = [
        _entry(BASE_DN, objectClass=["dcObject", "organization"], dc="example", o="Example"),
        _entry(PEOPLE_DN, objectClass="organizationalUnit", ou="people"),
        _entry(f"ou=guests,{BASE_DN}", objectClass="organizationalUnit", ou="guests"),
        _entry(
            SEARCH_DN,
            objectClass=["organizationalRole", "simpleSecurityObject"],
            cn="twinward",
            userPassword=_ssha(SEARCH_PASSWORD),
        ),
    ]
    for uid, password in PASSWORDS.items():
        entries.append(_person(uid, password, PEOPLE_DN))
    entries.append(_person(LONG, LONG_PASSWORD, PEOPLE_DN))
    entries.append(_person(TWIN, TWIN_PASSWORD, PEOPLE_DN))
    entries.append(_person(TWIN, TWIN_PASSWORD, f"ou=guests,{BASE_DN}"))
    return "\n".join(entries)


def _person(uid: str, password: str, parent: str) -> str:
    escaped = "".join(f"\\{octet:02x}" for octet in uid.encode())
    rdn = f"uid={escaped}" if uid != LONG else "cn=someone"
    return _entry(
        f"{rdn},{parent}",
        objectClass="inetOrgPerson",
        uid=uid,
        cn="someone",
        sn="else",
        userPassword=_ssha(password.encode()),
    )


def _entry(dn: str, **attributes: str | list[str]) -> str:
    lines = [f"dn:: {_base64(dn)}"]
    for name, values in attributes.items():
        for value in [values] if isinstance(values, str) else values:
            lines.append(f"{name}:: {_base64(value)}")
    return "\n".join(lines) + "\n"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _ssha(password: bytes) -> str:
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password + salt).digest() + salt).decode()
