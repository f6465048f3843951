"""The CHAP response in a packet is the one its password makes (RFC 1994 §4.1)."""

import hashlib

import pytest
from support import vectors

from radius_wire import attributes
from radius_wire.chap import RESPONSE_OCTETS, chap_response
from radius_wire.packet import parse

[CASE] = [one for one in vectors.load("rfc2865_7")["cases"] if "chap_password_ascii" in one]


def test_the_chap_password_of_rfc_2865_section_7_2():
    """There is no CHAP-Challenge in it: the Request Authenticator is the challenge."""
    request = parse(bytes.fromhex(CASE["request"]))
    chap_password = request.first(attributes.CHAP_PASSWORD)
    identifier, response = chap_password[0], chap_password[1:]
    assert identifier == CASE["chap_id"]
    assert chap_response(identifier, CASE["chap_password_ascii"].encode(), request.authenticator) == response
    assert len(response) == RESPONSE_OCTETS
    assert chap_response(identifier, b"arctangens", request.authenticator) != response


def test_the_identifier_stands_before_password_and_challenge():
    assert chap_response(255, b"password", b"any length") == hashlib.md5(b"\xffpasswordany length").digest()


@pytest.mark.parametrize("identifier", [-1, 256])
def test_an_identifier_is_one_octet(identifier):
    with pytest.raises(ValueError):
        chap_response(identifier, b"password", bytes(16))
