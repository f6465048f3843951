"""A thief of database, configuration and logs, without the key file, holds nothing."""

import base64
import sqlite3
import urllib.parse

from support import installations
from support.daemon import Daemon
from support.nas import Nas, access_request

from radius_wire.packet import PacketCode

PASSWORD = "Canary-Password-7"


def forms_of(secret: bytes) -> list[bytes]:
    """How a secret might lie about: raw, hexadecimal, base32, base64, and quoted."""
    forms = [secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b32encode(secret).rstrip(b"=")]
    for shift in range(3):  # base64 at each offset, without the letters that neighbours share
        forms.append(base64.b64encode(bytes(shift) + secret)[4:-4])
    forms.append(base64.urlsafe_b64encode(secret)[:-4])
    forms.append(urllib.parse.quote_from_bytes(secret).encode())
    return [form for form in forms if len(form) > 7]


def test_a_dump_without_the_key_file_holds_no_secret(folder, installation):
    alice = installations.add_person(installation, "alice", PASSWORD)
    daemon = Daemon(folder)
    with Nas(daemon.port) as nas:
        typed = alice.typed()
        assert nas.ask(access_request("alice", typed)).packet_code == PacketCode.ACCESS_ACCEPT
        assert nas.ask(access_request("alice", typed, identifier=2)).packet_code == PacketCode.ACCESS_REJECT
        nas.send(access_request("alice", typed, shared_secret=b"not the shared secret"))
        assert nas.receive(0.2) is None
    daemon.stop()
    connection = sqlite3.connect(folder / "twinward.db")
    dump = "\n".join(connection.iterdump()).encode()
    connection.close()
    loot = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "twinward.key"}
    loot["dump"] = dump
    assert "serve.log" in loot
    key = base64.b64decode((folder / "twinward.key").read_text().split()[1])
    for what, secret in {
        "seed": alice.seed.reveal(),
        "password": PASSWORD.encode(),
        "shared secret": installations.SHARED_SECRET,
        "key": key,
        "typed": typed.encode(),
        "argon2 hash": b"$argon2id$",
    }.items():
        for form in forms_of(secret):
            for name, octets in loot.items():
                assert form not in octets, f"{what} stands in {name}"


def test_the_search_itself_finds_a_secret():
    secret = b"a secret of some length"
    for form in (secret, secret.hex().encode(), base64.b32encode(secret), base64.b64encode(b"xy" + secret + b"z")):
        assert any(one in b"before" + form + b"after" for one in forms_of(secret))
