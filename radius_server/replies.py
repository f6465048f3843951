"""From verdict to reply: the only place that builds what a NAS gets to hear.

Every Reject is built in one way, so that none tells why. An Accept carries what
the reply rules say, and for MS-CHAPv2 the server's own proof and the keys.
"""

from collections.abc import Callable, Iterable, Iterator

from authn.client import NasClient
from authn.ports import StateSeal
from authn.request import AccessRequest
from authn.verdict import Accept, Challenge, Prompt
from radius_server.admission import Admitted
from radius_server.notices import notice_text, with_notice
from radius_server.proofs import (
    MICROSOFT,
    MS_CHAP2_SUCCESS,
    MS_CHAP_ERROR,
    MS_MPPE_ENCRYPTION_POLICY,
    MS_MPPE_ENCRYPTION_TYPES,
    MS_MPPE_RECV_KEY,
    MS_MPPE_SEND_KEY,
    MsChapV2Proof,
)
from radius_server.reply_rules import ReplyRules
from radius_wire import attributes
from radius_wire.packet import Attribute, PacketCode, build_reply
from radius_wire.salt_encryption import encrypt
from radius_wire.vendor_attributes import encode_vendor

REJECT_TEXT = b"Login refused."
ASK_AGAIN_TEXT = "That code did not do. "
NEXT_CODE_TEXT = "That code is from another time. Wait for the next one and enter it: "
_EAP_FAILURE = 4
_ENCRYPTION_ALLOWED = attributes.encode_integer(1)  # RFC 2548 §2.4.4
_RC4_128_BIT = attributes.encode_integer(4)  # RFC 2548 §2.4.5; the keys are made for no other


class Replies:
    """Builds replies, Message-Authenticator first unless the client is known to drop such."""

    def __init__(self, rules: ReplyRules, states: StateSeal, random_octets: Callable[[int], bytes]) -> None:
        self.rules = rules  # replaced whole at a reload
        self._states = states
        self._random_octets = random_octets

    def accept(self, accept: Accept, admitted: Admitted, request: AccessRequest) -> bytes:
        """An Access-Accept."""
        salts = self._salts()
        secret, authenticator = admitted.shared_secret, admitted.packet.authenticator
        rules = self.rules.attributes_for(request.username, accept.groups, admitted.client.name)
        told = [one.attribute(secret, authenticator, next(salts)) for one in rules]
        if accept.notice is not None:
            told = with_notice(told, notice_text(accept.notice))
        if isinstance(request.code_proof, MsChapV2Proof) and accept.code is not None:
            keys = request.code_proof.keys(accept.code)
            told += [
                _microsoft(MS_CHAP2_SUCCESS, request.code_proof.success(accept.code)),
                _microsoft(MS_MPPE_ENCRYPTION_POLICY, _ENCRYPTION_ALLOWED),
                _microsoft(MS_MPPE_ENCRYPTION_TYPES, _RC4_128_BIT),
                _microsoft(MS_MPPE_SEND_KEY, encrypt(keys.send, next(salts), secret, authenticator)),
                _microsoft(MS_MPPE_RECV_KEY, encrypt(keys.recv, next(salts), secret, authenticator)),
            ]
        return self._build(PacketCode.ACCESS_ACCEPT, admitted, told)

    def reject(self, admitted: Admitted, request: AccessRequest) -> bytes:
        """An Access-Reject.

        A refused EAP conversation gets its EAP-Failure and no Reply-Message
        (RFC 3579 §2.6.3, §2.6.5), a refused MS-CHAPv2 its error (RFC 2548 §2.1.5).
        """
        eap = admitted.packet.first(attributes.EAP_MESSAGE)
        if eap is not None and len(eap) >= 2:
            return self._build(
                PacketCode.ACCESS_REJECT, admitted, [(attributes.EAP_MESSAGE, bytes((_EAP_FAILURE, eap[1], 0, 4)))]
            )
        told = [(attributes.REPLY_MESSAGE, REJECT_TEXT)]
        if isinstance(request.code_proof, MsChapV2Proof):
            error = b"E=691 R=0 C=%b V=3" % self._random_octets(16).hex().upper().encode("ascii")
            told.append(_microsoft(MS_CHAP_ERROR, bytes((request.code_proof.identifier,)) + error))
        return self._build(PacketCode.ACCESS_REJECT, admitted, told)

    def challenge(self, challenge: Challenge, admitted: Admitted, request: AccessRequest) -> bytes:
        """An Access-Challenge: one Reply-Message and one State.

        A conversation keeps its State through all rounds: there are NAS that
        answer every round with the first one.
        """
        if challenge.opening is not None:
            state = self._states.seal(challenge.opening, request.username, admitted.client)
        else:
            state = admitted.packet.first(attributes.STATE) or b""
        told = [(attributes.REPLY_MESSAGE, _question(challenge, admitted.client)), (attributes.STATE, state)]
        return self._build(PacketCode.ACCESS_CHALLENGE, admitted, told)

    def status(self, admitted: Admitted, packet_code: PacketCode) -> bytes:
        """The answer to Status-Server: this server is well (RFC 5997 §3)."""
        return self._build(packet_code, admitted, [])

    def _build(self, packet_code: PacketCode, admitted: Admitted, told: Iterable[Attribute]) -> bytes:
        return build_reply(
            packet_code,
            admitted.packet,
            told,
            admitted.shared_secret,
            signed=admitted.client.rules.sign_replies,
        )

    def _salts(self) -> Iterator[bytes]:
        """Salts that differ within a packet, their first bit set (RFC 2868 §3.5)."""
        first = int.from_bytes(self._random_octets(2), "big")
        for number in range(1 << 15):
            yield (0x8000 | (first + number) & 0x7FFF).to_bytes(2, "big")


def _question(challenge: Challenge, client: NasClient) -> bytes:
    match challenge.prompt:
        case Prompt.RELAYED:
            text = challenge.text or client.rules.prompt
        case Prompt.NEXT_CODE:
            text = NEXT_CODE_TEXT
        case Prompt.CODE_AGAIN:
            text = ASK_AGAIN_TEXT + client.rules.prompt
        case Prompt.CODE:
            text = client.rules.prompt
    return text.encode("utf-8")


def _microsoft(kind: int, value: bytes) -> Attribute:
    return attributes.VENDOR_SPECIFIC, encode_vendor(MICROSOFT, kind, value)
