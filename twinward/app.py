"""Builds the rooms from settings and joins them. The only module that knows them all."""

import gc
import logging
import os
import random
import signal
import time
from collections.abc import Callable

from authn.desk import Desk, Waiting
from authn.errors import ConfigError, TwinwardError
from radius_server.clients import Clients
from radius_server.drops import Drops
from radius_server.duplicates import Duplicates
from radius_server.handler import Conversation, Handler
from radius_server.udp import UdpServer, open_listeners
from store.attempts import SqliteAttempts
from store.installation import Installation
from store.nas_clients import NasClients
from store.password_pool import PasswordPool
from store.passwords import Passwords
from twinward.config import Settings, read_config
from twinward.signals import Signals

_log = logging.getLogger(__name__)

MAX_QUESTIONS = 4096


def open_installation(settings: Settings, worker: str) -> Installation:
    """Open the installation of a configuration, writing to this worker's audit chain. Raises ConfigError."""
    return Installation.open(settings.database_path, settings.key_path, f"{settings.node_name}/{worker}")


def max_hash_wait_s(settings: Settings) -> float:
    """How long a password may wait for its hash: a refusal that had to wait still leaves at its floor."""
    return settings.handler.reject_delay_s * 0.8


class Server:
    """Everything that serves, built and joined. Raises ConfigError when something cannot be had."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listeners = open_listeners(settings.listen)
        self._installation = open_installation(settings, "0")
        self._nas_clients = NasClients(self._installation, "server")
        self._attempts = SqliteAttempts(
            self._installation.database, self._installation.keyring, self._installation.audit
        )
        self._pool: PasswordPool[Waiting[Conversation]] = PasswordPool(
            Passwords(settings.hashing),
            self._installation.keyring,
            threads=settings.hashing_threads,
            max_waiting=MAX_QUESTIONS,
            max_wait_s=max_hash_wait_s(settings),
            clock=time.monotonic,
        )
        self._desk: Desk[Conversation] = Desk(
            self._attempts, self._pool, settings.policy, max_waiting=settings.radius.max_waiting, on_fault=_report
        )
        self._generation, clients = self._nas_clients.snapshot()
        self.drops = Drops()
        self._handler = Handler(
            Clients(clients),
            self._desk,
            Duplicates(lifetime_s=settings.radius.duplicate_lifetime_s, max_entries=settings.radius.max_duplicates),
            self.drops,
            settings.handler,
            random.SystemRandom().random,
        )

    def serve(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT, then answer what is under way."""
        try:
            with Signals() as signals:
                for listener in self._listeners:
                    _log.info("listening on %s/udp", listener.bound)
                if not len(self._handler.clients):
                    _log.warning("no NAS client is defined, so nobody is answered; run `twinward client add`")
                _calm_the_collector()
                _log.info("ready")
                on_ready()
                UdpServer(self._listeners, self._handler).serve(
                    wakers=[signals, self._pool],
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
        for listener in self._listeners:
            listener.close()
        self._pool.close()
        self._attempts.close()
        self._installation.close()

    def _each_second(self, signals: Signals) -> None:
        if signals.take_reload():
            self._reload_settings()
        try:
            if self._nas_clients.generation() != self._generation:
                self._generation, clients = self._nas_clients.snapshot()
                self._handler.clients = Clients(clients)
                _log.info("read the NAS clients again: %d", len(clients))
        except TwinwardError as fault:
            _log.error("cannot read the NAS clients, going on with the old ones: %s", fault)

    def _reload_settings(self) -> None:
        """Take over what can change while serving; a faulty file changes nothing."""
        try:
            settings = read_config(self._settings.path)
        except ConfigError as fault:
            _log.error("reload refused, going on with the old settings: %s", fault)
            return
        fixed = ("listen", "database_path", "key_path", "node_name", "hashing", "hashing_threads", "radius")
        changed = [name for name in fixed if getattr(settings, name) != getattr(self._settings, name)]
        self._handler.settings = settings.handler
        self._desk.policy = settings.policy
        self._settings = settings
        _log.info("settings read again%s", f"; restart to change {', '.join(changed)}" if changed else "")


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
