"""Seeds as people and apps exchange them: base32, hexadecimal, otpauth URI, QR code."""

import binascii
import io
from base64 import b32decode, b32encode

import pyotp
import segno

from authn.errors import OperationError
from authn.otp import HotpParameters, OtpParameters
from authn.secret import Seed


def read_seed(text: str) -> Seed:
    """A seed from base32 (blanks, hyphens and missing padding are forgiven) or `hex:` and hexadecimal.

    Raises OperationError; the message does not repeat the seed.
    """
    compact = "".join(text.split()).replace("-", "")
    try:
        if compact.lower().startswith("hex:"):
            return Seed(bytes.fromhex(compact[4:]))
        bare = compact.rstrip("=").upper()
        return Seed(b32decode(bare + "=" * (-len(bare) % 8)))
    except (ValueError, binascii.Error):
        raise OperationError("this is not a seed: write base32, or hex: and hexadecimal digits") from None


def otpauth_uri(seed: Seed, account: str, issuer: str, parameters: OtpParameters) -> str:
    """The otpauth URI of a token. It holds the seed in clear: shown once to its owner, never stored or logged.

    All parameters are written out, though some apps ignore them.
    """
    secret = b32encode(seed.reveal()).decode("ascii").rstrip("=")
    name, common = account.replace(":", "_"), f"&algorithm={parameters.algorithm.upper()}&digits={parameters.digits}"
    if isinstance(parameters, HotpParameters):
        return pyotp.HOTP(secret).provisioning_uri(name=name, issuer_name=issuer) + common
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
    return f"{uri}{common}&period={parameters.period_s}"


def qr_text(uri: str) -> str:
    """The QR code of a URI, drawn with half blocks for a terminal."""
    out = io.StringIO()
    segno.make(uri, error="l", micro=False).terminal(out, compact=True, border=2)
    return out.getvalue()
