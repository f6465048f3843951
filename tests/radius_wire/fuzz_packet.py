"""Fuzz the packet parser: whatever comes in, it parses or raises ProtocolError.

    python tests/radius_wire/fuzz_packet.py [-max_total_time=SECONDS]

With atheris installed it is guided by coverage; without, packets of the corpus
are mutated at random from a printed seed. Exit status 1 on any other exception.
"""

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from radius_wire.authenticators import verify_message_authenticator
from radius_wire.errors import InvalidAttributeError, ProtocolError
from radius_wire.packet import PacketCode, build_reply, parse
from radius_wire.password_hiding import reveal

CORPUS = Path(__file__).parent / "corpus"


def one(octets: bytes) -> None:
    """Take one input the whole way that a stranger's octets can go."""
    try:
        packet = parse(octets)
    except ProtocolError:
        return
    for kind, value in packet.attributes:
        if kind == 2:
            try:
                reveal(value, b"secret", packet.authenticator)
            except InvalidAttributeError:
                pass
    try:
        parse(build_reply(PacketCode.ACCESS_REJECT, packet, [(18, b"no")], b"secret"))
    except ValueError:
        assert len(octets) > 4000, "a reply to a small request must fit"
    try:
        verify_message_authenticator(packet, b"secret")
    except ProtocolError:
        return


def mutate(octets: bytes, chance: random.Random) -> bytes:
    """Change, insert, remove or double some octets."""
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0 if at < len(changed):
                changed[at] = chance.choice((0, 1, 2, 80, 255, chance.randrange(256)))
            case 1:
                changed[at:at] = chance.randbytes(chance.randint(1, 40))
            case 2:
                del changed[at : at + chance.randint(1, 20)]
            case _:
                changed[at:at] = changed[at : at + chance.randint(1, 60)]
    if len(changed) >= 4 and chance.random() < 0.7:  # keep the Length honest, to get past it
        changed[2:4] = min(len(changed), 65535).to_bytes(2, "big")
    return bytes(changed)


def main() -> None:
    """Fuzz for the time that was asked for."""
    seeds = [bytes.fromhex(path.read_text()) for path in sorted(CORPUS.glob("*.hex"))]
    try:
        import atheris
    except ImportError:
        seconds = next((float(word.split("=")[1]) for word in sys.argv if word.startswith("-max_total_time=")), 60.0)
        seed = random.SystemRandom().randrange(2**32)
        chance, until, count = random.Random(seed), time.monotonic() + seconds, 0
        print(f"atheris is not installed: mutating the corpus for {seconds:.0f} s from seed {seed}")
        while time.monotonic() < until:
            octets = mutate(chance.choice(seeds), chance)
            try:
                one(octets)
            except BaseException:
                print(f"input: {octets.hex()}")
                raise
            count += 1
        print(f"{count} inputs, every one parsed or refused")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
