"""MS-CHAPv2 and its keys, value by value as RFC 2759 §9.2 and RFC 3079 §3.5.3 print them; MD4 by RFC 1320."""

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st
from support import vectors

from radius_wire import mschapv2
from radius_wire.md4 import md4

VECTOR = vectors.load("rfc2759_9_2_rfc3079_3_5_3")
USERNAME = VECTOR["user_name"].encode()
AUTHENTICATOR_CHALLENGE = bytes.fromhex(VECTOR["authenticator_challenge"])
PEER_CHALLENGE = bytes.fromhex(VECTOR["peer_challenge"])
NT_HASH = bytes.fromhex(VECTOR["nt_password_hash"])
NT_RESPONSE = bytes.fromhex(VECTOR["nt_response"])

RFC_1320_A_5 = {
    "": "31d6cfe0d16ae931b73c59d7e0c089c0",
    "a": "bde52cb31de33e46245e05fbdbd6fb24",
    "abc": "a448017aaf21d8525fc10ae87aa6729d",
    "message digest": "d9130a8164549fe818874806e1c7014b",
    "abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "043f8582f241db351ce627e153e7f0e4",
    "1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}


def des(key: bytes, block: bytes) -> bytes:
    """DES by way of Triple DES with one key three times."""
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


@pytest.mark.parametrize(("text", "digest"), RFC_1320_A_5.items())
def test_md4_gives_the_digests_of_rfc_1320(text, digest):
    assert md4(text.encode()).hex() == digest


# By OpenSSL's legacy provider: the lengths at which the padding just fits a block, or needs one more.
EDGES = {
    55: "2df5a83f688f18c0866c64173be82a8f",
    56: "7b9b4593cd9322ea492cf0bcdd84f0ae",
    64: "2f6f7b10c5cadca6d5770f428c899ba7",
}


@pytest.mark.parametrize(("octets", "digest"), EDGES.items())
def test_md4_pads_at_the_edges_of_a_block(octets, digest):
    assert md4(bytes(octets)).hex() == digest


def test_the_nt_hash_of_rfc_2759():
    assert mschapv2.nt_password_hash(VECTOR["password"].encode()) == NT_HASH
    assert md4(NT_HASH).hex() == VECTOR["password_hash_hash"]


def test_a_password_is_hashed_in_utf_16():
    assert mschapv2.nt_password_hash("pässwörd€".encode()) == md4("pässwörd€".encode("utf-16-le"))
    assert mschapv2.nt_password_hash("🔑".encode()) == md4(b"\x3d\xd8\x11\xdd")  # a surrogate pair


def test_a_password_that_is_not_utf_8_is_refused_without_being_repeated():
    with pytest.raises(ValueError, match="not UTF-8") as raised:
        mschapv2.nt_password_hash(b"hunter2\xff")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("username", [USERNAME, b"BIGCO\\" + USERNAME])
def test_the_answers_of_rfc_2759_with_and_without_a_domain(username):
    challenge = mschapv2.challenge_hash(PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, username)
    assert challenge.hex() == VECTOR["challenge_hash"]
    response = mschapv2.nt_response(AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, username, NT_HASH, des)
    assert response == NT_RESPONSE
    proof = mschapv2.authenticator_response(AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, username, NT_HASH, NT_RESPONSE)
    assert proof == VECTOR["authenticator_response"].encode()
    assert len(proof) == 42


@given(st.binary(min_size=16, max_size=16))
def test_des_gets_keys_with_odd_parity_that_hold_every_bit_of_the_hash(nt_hash):
    keys = []

    def note(key: bytes, block: bytes) -> bytes:
        keys.append(key)
        return block

    mschapv2.nt_response(AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, USERNAME, nt_hash, note)
    assert [len(key) for key in keys] == [8, 8, 8]
    octets = b"".join(keys)
    assert all(octet.bit_count() % 2 for octet in octets)
    bits = "".join(f"{octet >> 1:07b}" for octet in octets)
    assert int(bits, 2).to_bytes(21, "big") == nt_hash + bytes(5)


def test_the_key_of_rfc_3079_is_the_one_the_server_sends_with():
    """The RFC makes SendStartKey128 with IsSend and IsServer true; a client finds it as its receive key."""
    keys = mschapv2.mppe_keys(NT_HASH, NT_RESPONSE)
    assert keys.send.hex() == VECTOR["mppe_send_start_key_128"]
    assert len(keys.recv) == len(keys.send) == 16
    assert keys.recv != keys.send


def test_keys_do_not_show():
    keys = mschapv2.mppe_keys(NT_HASH, NT_RESPONSE)
    assert repr(keys) == "MppeKeys()"
