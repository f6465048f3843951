"""A NAS in front of the real handler over the simulator's world: no socket, a hand-wound clock."""

import os

from authn.desk import Desk
from radius_server.admission import Gate
from radius_server.clients import Clients
from radius_server.datagrams import Datagram, Moment
from radius_server.drops import Drops
from radius_server.duplicates import Duplicates
from radius_server.handler import Handler, HandlerSettings
from radius_server.sightings import Sightings
from radius_wire.packet import PacketCode, build_request, parse
from radius_wire.password_hiding import hide
from support.simulator import LAB, World

PEER = ("192.0.2.5", 40000)


class InstantFirstFactor:
    """Answers at the next turn."""

    def __init__(self, world):
        self._world, self._asked = world, []

    def ask(self, ticket, question, until):
        self._asked.append((ticket, question))

    def answers(self):
        asked, self._asked = self._asked, []
        return [(ticket, self._world.check(question)) for ticket, question in asked]


class Nas:
    """A handler over the simulator's world, a clock, and a NAS in front of it."""

    def __init__(self, client=LAB, *others, max_waiting=1000, jitter=0.0, **settings):
        self.world = World()
        self.faults = []
        desk = Desk(
            self.world.attempts,
            InstantFirstFactor(self.world),
            self.world.policy,
            max_waiting=max_waiting,
            on_fault=self.faults.append,
        )
        self.gate = Gate(Clients([client, *others]), Drops(), Sightings())
        self.drops = self.gate.drops
        self.client = client
        self.is_well = True
        self.handler = Handler(
            self.gate,
            desk,
            Duplicates(lifetime_s=45, max_entries=1000),
            HandlerSettings(**({"max_held": 1000} | settings)),
            self.world.states,
            jitter=lambda: jitter,
            random_octets=os.urandom,
            is_well=lambda: self.is_well,
        )
        self.passed = 0.0

    def moment(self):
        return Moment(self.world.now, self.passed)

    def turn(self, *octets, peer=PEER, seconds=0.0):
        """Wind the clock, hand datagrams in, and return what goes out now."""
        self.passed += seconds
        out = self.handler.handle([Datagram(one, 0, peer) for one in octets], self.moment())
        while self.handler.wait_s(self.moment()) == 0.0 or not self.handler._desk.is_idle():
            out += self.handler.handle([], self.moment())
        return [datagram.octets for datagram in out]

    def request(self, name, typed, identifier=1, signed=True, extra=(), secret=None):
        secret, authenticator = secret or self.client.shared_secret.reveal(), os.urandom(16)
        asked = [(1, name.encode()), (2, hide(typed, secret, authenticator)), *extra]
        octets = build_request(PacketCode.ACCESS_REQUEST, identifier, authenticator, asked, secret)
        return octets if signed else without_signature(octets)

    def log_in(self, name, typed, **more):
        """One login; what comes back at once, parsed, or None."""
        replies = self.turn(self.request(name, typed, **more))
        return parse(replies[0]) if replies else None


def without_signature(octets):
    """The packet without the Message-Authenticator that stands first in it."""
    bare = octets[:20] + octets[38:]
    return bare[:2] + len(bare).to_bytes(2, "big") + bare[4:]
