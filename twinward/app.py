"""Builds the rooms from settings and joins them. The only module that knows them all."""

import gc
import logging
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from authn.client import MessageAuthenticatorRule
from authn.desk import Desk
from authn.errors import ConfigError, TwinwardError
from authn.first_factor import OWN_STORE
from authn.instants import UnixSeconds
from radius_server.accounting import AccountingHandler
from radius_server.admission import Gate
from radius_server.clients import Clients
from radius_server.drops import Drops
from radius_server.duplicates import Duplicates
from radius_server.handler import Handler, Pending
from radius_server.sightings import Sightings
from radius_server.udp import Listener, Service, UdpServer, open_listeners
from store.attempts import SqliteAttempts
from store.challenge_states import ChallengeStates
from store.client_sightings import ClientSightings, Sighting
from store.exemptions import Exemptions
from store.fleet_clock import fleet_clock
from store.installation import Installation
from store.nas_clients import NasClients
from store.sessions import Sessions
from twinward.clock import WallClock
from twinward.config import Settings, read_config
from twinward.factors import make_router
from twinward.signals import Signals

_log = logging.getLogger(__name__)

HEALTH_KEPT_S = 1.0
SIGHTINGS_EVERY_S = 10
PRUNE_EVERY_S = 300
_FIXED = (  # settings that take a restart to change
    "listen",
    "accounting_listen",
    "database_path",
    "key_path",
    "node_name",
    "hashing",
    "hashing_threads",
    "first_factors",
    "radius",
)


def open_installation(settings: Settings, worker: str) -> Installation:
    """Open the installation of a configuration, writing to this worker's audit chain. Raises ConfigError."""
    return Installation.open(settings.database_path, settings.key_path, f"{settings.node_name}/{worker}")


class Server:
    """Everything that serves, built and joined. Raises ConfigError when something cannot be had."""

    def __init__(self, settings: Settings) -> None:
        self._settings = self._built_by = settings
        self._listeners = open_listeners(settings.listen)
        self._accounting_listeners = (
            open_listeners(settings.accounting_listen, first_number=len(self._listeners))
            if settings.accounting_listen
            else []
        )
        self._installation = open_installation(settings, "0")
        database, keyring = self._installation.database, self._installation.keyring
        self._nas_clients = NasClients(self._installation, "server")
        self._client_sightings = ClientSightings(database)
        self._sessions = Sessions(database)
        self._exemptions = Exemptions(self._installation, "server")
        self._attempts = SqliteAttempts(database, keyring, self._installation.audit)
        self._first_factors = make_router(settings, self._installation)
        self._desk: Desk[Pending] = Desk(
            self._attempts,
            self._first_factors,
            settings.policy,
            max_waiting=settings.radius.max_waiting,
            on_fault=_report,
        )
        self._keepers = settings.policy.keepers
        self._set_policy(settings)
        self._clock = WallClock()
        self._generation, clients = self._nas_clients.snapshot()
        self.sightings = Sightings()
        self.gate = Gate(Clients(clients), Drops(), self.sightings)
        is_well = _remembered(self._attempts.is_well)
        self._handler = Handler(
            self.gate,
            self._desk,
            self._duplicates(),
            settings.handler,
            ChallengeStates(keyring),
            jitter=random.SystemRandom().random,
            random_octets=os.urandom,
            is_well=is_well,
        )
        self._accounting = AccountingHandler(
            self.gate, self._duplicates(), self._sessions, realms=settings.realms, is_well=is_well
        )
        self._seconds = 0

    def serve(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT, then answer what is under way."""
        try:
            with Signals() as signals:
                for listener in self._listeners:
                    _log.info("listening on %s/udp", listener.bound)
                for listener in self._accounting_listeners:
                    _log.info("accounting on %s/udp", listener.bound)
                if not len(self.gate.clients):
                    _log.warning("no NAS client is defined, so nobody is answered; run `twinward client add`")
                _calm_the_collector()
                _log.info("ready")
                on_ready()
                ports: list[tuple[Sequence[Listener], Service]] = [
                    (self._listeners, self._handler),
                    (self._accounting_listeners, self._accounting),
                ]
                UdpServer(ports).serve(
                    wakers=[signals, self._first_factors],
                    is_stopping=signals.is_stopping,
                    each_second=lambda: self._each_second(signals),
                )
                _log.info("stopped")
        finally:
            self.close()

    def stop(self) -> None:
        """Ask `serve` to answer what is under way and return. May be called from another thread."""
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """Give everything back."""
        for listener in (*self._listeners, *self._accounting_listeners):
            listener.close()
        self._first_factors.close()
        try:
            self._store_sightings()
        except TwinwardError as fault:
            _log.error("what was seen of the clients is not stored: %s", fault)
        self._attempts.close()
        self._installation.close()

    def _duplicates(self) -> Duplicates:
        radius = self._settings.radius
        return Duplicates(lifetime_s=radius.duplicate_lifetime_s, max_entries=radius.max_duplicates)

    def _each_second(self, signals: Signals) -> None:
        self._seconds += 1
        self._watch_the_clock()
        if signals.take_reload():
            self._reload_settings()
        try:
            self._promote_and_alarm()
            if self._nas_clients.generation() != self._generation:
                self._read_clients()
            if self._seconds % SIGHTINGS_EVERY_S == 0:
                self._store_sightings()
            if self._seconds % PRUNE_EVERY_S == 0:
                self._attempts.prune(UnixSeconds(time.time()))
                self._sessions.prune(UnixSeconds(time.time()))
                self._exemptions.prune(UnixSeconds(time.time()))
                self._compare_clocks()
        except TwinwardError as fault:
            _log.error("cannot read or write what is kept of the NAS clients, going on without: %s", fault)

    def _watch_the_clock(self) -> None:
        """A wall clock that jumps makes codes wrong, or old ones right: somebody should look."""
        step_s = self._clock.step_s(time.time(), time.monotonic())
        if step_s is None:
            return
        _log.error("ALARM: the clock of this machine was set %+.0f s; codes go by it", step_s)
        try:
            with self._installation.database.write() as connection:
                body = {"step_s": round(step_s)}
                self._installation.audit.append(connection, UnixSeconds(time.time()), "clock.stepped", body)
        except TwinwardError as fault:
            _log.error("that the clock was set is not written down: %s", fault)

    def _compare_clocks(self) -> None:
        """If most devices are off by the same, it is this clock that is off."""
        fleet = fleet_clock(self._installation.database, UnixSeconds(time.time()))
        if fleet.server_is_off:
            _log.error("ALARM: %s", fleet.sentence)

    def _read_clients(self) -> None:
        self._generation, clients = self._nas_clients.snapshot()
        self.gate.clients = Clients(clients)
        learning = {one.id for one in clients if one.rules.message_authenticator is MessageAuthenticatorRule.LEARN}
        self.sightings.forget_promotions(learning)
        _log.info("read the NAS clients again: %d", len(clients))

    def _promote_and_alarm(self) -> None:
        now = UnixSeconds(time.time())
        for client in self.sightings.to_promote():
            if self._nas_clients.promote(client.name, now):
                _log.info("client %s signs its requests: unsigned ones are dropped from now on", client.name)
            self.sightings.was_promoted(client)
        for alarm in self.sightings.take_alarms():
            name = alarm.client.name
            _log.error("ALARM: an unsigned request from %s, where client %s signs: forged?", alarm.host, name)
            self._nas_clients.note(name, "client.unsigned_request", now, {"host": alarm.host})

    def _store_sightings(self) -> None:
        seen = self.sightings.take()
        if seen:
            self._client_sightings.add(
                Sighting(client_id, what, one.times, one.last_at) for (client_id, what), one in seen.items()
            )

    def _set_policy(self, settings: Settings) -> None:
        """Judge by a policy from now on; who keeps whose password changes with the first factors, at a restart."""
        policy = replace(settings.policy, keepers=self._keepers)
        self._attempts.accounts.with_unknown_names = any(keeper.keeper != OWN_STORE for keeper in policy.keepers)
        self._desk.policy = policy

    def _reload_settings(self) -> None:
        """Take over what can change while serving; a faulty file changes nothing."""
        try:
            settings = read_config(self._settings.path)
        except ConfigError as fault:
            _log.error("reload refused, going on with the old settings: %s", fault)
            return
        changed = [name for name in _FIXED if getattr(settings, name) != getattr(self._built_by, name)]
        if "first_factors" not in changed:
            self._keepers = settings.policy.keepers
        elif settings.policy.keepers != self._keepers:
            changed.append("password")
        # How long a first factor may take was made to fit the floor.
        floor, jitter = self._built_by.handler.reject_delay_s, self._built_by.handler.reject_jitter_s
        self._handler.settings = replace(settings.handler, reject_delay_s=floor, reject_jitter_s=jitter)
        self._accounting.realms = settings.realms
        self._set_policy(settings)
        self._settings = settings
        _log.info("settings read again%s", f"; restart to change {', '.join(changed)}" if changed else "")


def _remembered(is_well: Callable[[], bool]) -> Callable[[], bool]:
    """Ask no oftener than once a second, however often a NAS does."""
    until, answer = 0.0, False

    def ask() -> bool:
        nonlocal until, answer
        if time.monotonic() >= until:
            answer = is_well()
            until = time.monotonic() + HEALTH_KEPT_S
        return answer

    return ask


def _calm_the_collector() -> None:
    """Keep Python's cycle collector off the login path.

    A login makes some dozens of objects and no cycle; reference counts free them. At its default the collector would
    walk the reply cache again and again for nothing, and take half of the processor (bench/RESULTS.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _report(fault: Exception) -> None:
    if isinstance(fault, TwinwardError):
        _log.error("logins cannot be judged: %s", fault)
    else:
        _log.error("an error in twinward", exc_info=fault)
