"""CHAP and MS-CHAPv2: responses that prove a code without sending it (RFC 2865 §2.2, RFC 2759).

Only a code can be proven so, since the server must know in clear what was typed.
An observer finds a six-digit code from a response in no time; that a code works
once is what protects it. `read_proof` tells what a packet holds, and a proof,
called with a code, whether it was made with it.
"""

import hmac
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from authn.client import Method
from authn.secret import Password
from radius_wire import attributes
from radius_wire.chap import RESPONSE_OCTETS, chap_response
from radius_wire.errors import InvalidAttributeError
from radius_wire.mschapv2 import (
    CHALLENGE_OCTETS,
    NT_RESPONSE_OCTETS,
    MppeKeys,
    authenticator_response,
    mppe_keys,
    nt_password_hash,
    nt_response,
)
from radius_wire.packet import Packet
from radius_wire.vendor_attributes import vendor_attributes

MICROSOFT = 311  # RFC 2548
MS_CHAP_RESPONSE = 1  # MS-CHAPv1, which is not offered
MS_CHAP_ERROR = 2
MS_MPPE_ENCRYPTION_POLICY = 7
MS_MPPE_ENCRYPTION_TYPES = 8
MS_CHAP_CHALLENGE = 11
MS_MPPE_SEND_KEY = 16
MS_MPPE_RECV_KEY = 17
MS_CHAP2_RESPONSE = 25
MS_CHAP2_SUCCESS = 26
_MS_CHAP2_RESPONSE_OCTETS = 50


@dataclass(frozen=True, slots=True, repr=False)
class ChapProof:
    """A CHAP response."""

    identifier: int
    challenge: bytes
    response: bytes

    def __call__(self, code: str) -> bool:
        expected = chap_response(self.identifier, code.encode("ascii"), self.challenge)
        return hmac.compare_digest(expected, self.response)


@dataclass(frozen=True, slots=True, repr=False)
class MsChapV2Proof:
    """An MS-CHAPv2 response (RFC 2548 §2.3.2)."""

    identifier: int
    challenge: bytes
    peer_challenge: bytes
    response: bytes
    user_name: bytes

    def __call__(self, code: str) -> bool:
        nt_hash = nt_password_hash(code.encode("ascii"))
        expected = nt_response(self.challenge, self.peer_challenge, self.user_name, nt_hash, _des)
        return hmac.compare_digest(expected, self.response)

    def success(self, code: Password) -> bytes:
        """The value of MS-CHAP2-Success: the server proves that it knows the code as well (RFC 2548 §2.3.3)."""
        nt_hash = nt_password_hash(code.reveal())
        proof = authenticator_response(self.challenge, self.peer_challenge, self.user_name, nt_hash, self.response)
        return bytes((self.identifier,)) + proof

    def keys(self, code: Password) -> MppeKeys:
        """The session keys that both ends derive from the code (RFC 3079 §3)."""
        return mppe_keys(nt_password_hash(code.reveal()), self.response)


Proof = ChapProof | MsChapV2Proof


_METHODS_BY_ATTRIBUTE: tuple[tuple[int, Method | None], ...] = (
    (attributes.USER_PASSWORD, Method.PAP),
    (attributes.CHAP_PASSWORD, Method.CHAP),
    (attributes.EAP_MESSAGE, None),
)


def methods_of(packet: Packet) -> set[Method | None]:
    """Which methods the credentials in a packet are for; None stands for one that is not known here."""
    found = {method for kind, method in _METHODS_BY_ATTRIBUTE if packet.first(kind) is not None}
    if packet.first(attributes.VENDOR_SPECIFIC) is not None:
        kinds = {kind for _, kind, _ in _microsoft(packet)}
        if MS_CHAP2_RESPONSE in kinds:
            found.add(Method.MSCHAPV2)
        if MS_CHAP_RESPONSE in kinds:
            found.add(None)
    return found


def read_proof(packet: Packet, method: Method) -> Proof | None:
    """The response that a packet carries for CHAP or MS-CHAPv2, or None if its attributes are not what they must be."""
    return _chap(packet) if method is Method.CHAP else _mschapv2(packet)


def _chap(packet: Packet) -> ChapProof | None:
    value = packet.first(attributes.CHAP_PASSWORD)
    if value is None or len(value) != 1 + RESPONSE_OCTETS:
        return None
    challenge = packet.first(attributes.CHAP_CHALLENGE)
    return ChapProof(value[0], packet.authenticator if challenge is None else challenge, value[1:])


def _mschapv2(packet: Packet) -> MsChapV2Proof | None:
    told = {kind: value for _, kind, value in _microsoft(packet)}
    challenge, response = told.get(MS_CHAP_CHALLENGE, b""), told.get(MS_CHAP2_RESPONSE, b"")
    name = packet.first(attributes.USER_NAME)
    if len(challenge) != CHALLENGE_OCTETS or len(response) != _MS_CHAP2_RESPONSE_OCTETS or name is None:
        return None
    # Identifier, flags, peer challenge, eight reserved octets, response
    peer_challenge, nt = response[2 : 2 + CHALLENGE_OCTETS], response[-NT_RESPONSE_OCTETS:]
    return MsChapV2Proof(response[0], challenge, peer_challenge, nt, name)


def _microsoft(packet: Packet) -> list[tuple[int, int, bytes]]:
    found: list[tuple[int, int, bytes]] = []
    for value in packet.all(attributes.VENDOR_SPECIFIC):
        try:
            found += [one for one in vendor_attributes(value) if one[0] == MICROSOFT]
        except InvalidAttributeError:
            continue  # an attribute that cannot be read is ignored (RFC 6929 §2.8)
    return found


def _des(key: bytes, block: bytes) -> bytes:
    """One block of single DES: three times the same key makes it of the only form that the library still has."""
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305 - RFC 2759 §8.6 asks for it
    return encryptor.update(block) + encryptor.finalize()
