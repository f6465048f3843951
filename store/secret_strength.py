"""How strong a shared secret is: what `client audit` says of it.

An offline attacker tries secrets against one captured packet; eight characters
fall in an afternoon. What people make up is weaker than its length.
"""

import itertools
import math
import string
from enum import StrEnum

from authn.secret import SharedSecret

_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation + " ")
_WEAK_BITS, _FAIR_BITS = 64, 96


class Strength(StrEnum):
    """A verdict an operator can act on."""

    WEAK = "weak"
    FAIR = "fair"
    STRONG = "strong"


def strength(shared_secret: SharedSecret) -> Strength:
    """By an estimate of its entropy: the letters it draws from, and how varied it is."""
    octets = shared_secret.reveal()
    alphabet = sum(len(letters) for letters in _CLASSES if any(octet in letters.encode() for octet in octets))
    if not octets.isascii():
        alphabet += 128
    counts = [octets.count(octet) for octet in set(octets)]
    varied = -sum(count / len(octets) * math.log2(count / len(octets)) for count in counts)
    # The order of letters in a word or a keyboard row is worth little: runs of neighbours count as one letter.
    runs = 1 + sum(abs(one - other) > 1 for one, other in itertools.pairwise(octets))
    bits = min(len(octets), runs) * min(math.log2(max(alphabet, 2)), varied + 1)
    if bits < _WEAK_BITS:
        return Strength.WEAK
    return Strength.FAIR if bits < _FAIR_BITS else Strength.STRONG
