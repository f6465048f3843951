"""Builds the first factors of a configuration: each with its threads, all behind one router."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from authn.desk import Waiting
from authn.errors import ConfigError
from authn.first_factor import OWN_STORE
from authn.secret import Password, SharedSecret
from first_factors.ldap import LdapFirstFactor, LdapSettings
from first_factors.pam import PamFirstFactor, PamSettings
from first_factors.pool import Checker, Inbox, Pool
from first_factors.router import Router
from first_factors.upstream import UpstreamFirstFactor
from radius_server.handler import Pending
from store.installation import Installation
from store.own_passwords import OwnPasswords
from store.passwords import Passwords
from store.private_files import read_private_file
from twinward.addresses import parse_address
from twinward.config import ANSWERED_WITHIN, NamedFirstFactor, Settings
from twinward.sections import LdapSection, PamSection, UpstreamSection
from twinward.upstream import RadiusExchange

_log = logging.getLogger(__name__)

MAX_QUESTIONS = 4096
PROBE_S = 3.0
MAX_SECRET_OCTETS = 4096


class FirstFactor(Checker, Protocol):
    """A first factor that can say how it is."""

    def probe(self, timeout_s: float) -> str | None:
        """None if it is well, else one sentence: what is wrong, and the cure."""
        ...


@dataclass(frozen=True, slots=True)
class BuiltFirstFactor:
    """A first factor, and how many threads may ask it at once."""

    checker: FirstFactor
    threads: int


def make_router(settings: Settings, installation: Installation) -> Router[Waiting[Pending]]:
    """Every first factor of a configuration, and our own store. Raises ConfigError."""
    inbox: Inbox[Waiting[Pending]] = Inbox()
    own = OwnPasswords(Passwords(settings.hashing), installation.keyring)
    pools = {
        OWN_STORE: _pool(
            OWN_STORE, own, inbox, settings.hashing_threads, settings.handler.reject_delay_s * ANSWERED_WITHIN
        )
    }
    try:
        for named in settings.first_factors.values():
            built = build(named, settings)
            pools[named.name] = _pool(named.name, built.checker, inbox, built.threads, named.timeout_s)
            threading.Thread(target=_look, args=(named.name, built.checker), daemon=True).start()
    except BaseException:
        Router(pools, inbox).close()
        raise
    return Router(pools, inbox)


def build(named: NamedFirstFactor, settings: Settings) -> BuiltFirstFactor:
    """One first factor. Raises ConfigError naming it."""
    section = named.section
    folder = settings.path.parent
    try:
        match section:
            case LdapSection():
                return BuiltFirstFactor(_ldap(section, folder), section.connections)
            case PamSection():
                pam = PamFirstFactor(PamSettings(section.service, section.workers), time.monotonic)
                return BuiltFirstFactor(pam, section.workers)
            case UpstreamSection():
                return BuiltFirstFactor(_upstream(section, folder, named.timeout_s), section.connections)
            case _:
                assert_never(section)
    except (ValueError, ConfigError) as fault:
        raise ConfigError(f"{settings.path}: first_factors.{named.name}: {fault}") from fault


def _look(name: str, checker: FirstFactor) -> None:
    """Say at the start what is wrong with a first factor; it is asked all the same."""
    try:
        wrong = checker.probe(PROBE_S)
    except Exception:  # noqa: BLE001 - a look that fails must not be the end of it; the log has its trace
        _log.exception("looking at the first factor %s", name)
    else:
        if wrong is not None:
            _log.warning("first factor %s: %s", name, wrong)


def _pool(
    name: str, checker: Checker, inbox: Inbox[Waiting[Pending]], threads: int, max_wait_s: float
) -> Pool[Waiting[Pending]]:
    return Pool(
        checker,
        inbox,
        name=name,
        threads=threads,
        max_waiting=MAX_QUESTIONS,
        max_wait_s=max_wait_s,
        clock=time.monotonic,
    )


def _ldap(section: LdapSection, folder: Path) -> LdapFirstFactor:
    search_password = None
    if section.search_password_file is not None:
        search_password = Password(read_secret_file(folder / section.search_password_file))
    return LdapFirstFactor(
        LdapSettings(
            servers=tuple(section.servers),
            bind_dn=section.bind_dn,
            base_dn=section.base_dn,
            user_filter=section.user_filter,
            search_dn=section.search_dn,
            search_password=search_password,
            start_tls=section.start_tls,
            ca_file=None if section.ca_file is None else folder / section.ca_file,
            allow_plain=section.allow_plain,
            connections=section.connections,
        ),
        time.monotonic,
    )


def _upstream(section: UpstreamSection, folder: Path, timeout_s: float) -> UpstreamFirstFactor:
    addresses = [parse_address(text) for text in section.servers]
    exchange = RadiusExchange(
        [(address.host, address.port) for address in addresses],
        SharedSecret(read_secret_file(folder / section.shared_secret_file)),
        nas_identifier=section.nas_identifier,
        timeout_s=timeout_s,
    )
    return UpstreamFirstFactor(exchange, clock=time.monotonic)


def read_secret_file(path: Path) -> bytes:
    """The first line of a file that only its owner may read. Raises ConfigError."""
    octets = read_private_file(path, "the secret", MAX_SECRET_OCTETS).split(b"\n", 1)[0].rstrip(b"\r")
    if not octets:
        raise ConfigError(f"{path}: the secret is empty")
    return octets
