"""`twinward doctor`: a live look at what breaks real installations, each finding with its cure."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import click

from authn.errors import ConfigError
from authn.instants import UnixSeconds
from store.fleet_clock import FleetClock, fleet_clock
from store.installation import Installation
from store.nas_clients import NasClients
from twinward.cli.client_rules import warnings
from twinward.cli.context import Console, json_option, now, show
from twinward.clock import refuse_absurd_clock
from twinward.config import Settings
from twinward.factors import PROBE_S, build

MAX_ODD_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, and what to do where it is not."""

    what: str
    is_well: bool
    text: str


@click.command()
@json_option
@click.pass_obj
def doctor(console: Console, as_json: bool) -> None:
    """Look at clocks, first factors and NAS clients. Exit status 1 if something needs a hand."""
    settings = console.settings()
    with console.installation() as installation:
        findings = [*_clocks(installation), *_first_factors(settings), *_clients(installation, console.by)]
    is_well = all(one.is_well for one in findings)
    lines = [f"{'ok ' if one.is_well else 'BAD'}  {one.what}: {one.text}" for one in findings]
    value = {
        "well": is_well,
        "findings": [{"what": one.what, "well": one.is_well, "text": one.text} for one in findings],
    }
    show(value, "\n".join(lines), as_json)
    if not is_well:
        sys.exit(1)


def _clocks(installation: Installation) -> Iterator[Finding]:
    try:
        refuse_absurd_clock(time.time())
    except ConfigError as fault:
        yield Finding("clock", False, str(fault))
        return
    fleet: FleetClock = fleet_clock(installation.database, now())
    yield Finding("clock", not fleet.server_is_off, fleet.sentence)
    if not fleet.server_is_off:
        for one in fleet.odd[:MAX_ODD_SHOWN]:
            text = (
                f"token {one.serial} is {one.off_s:+.0f} s off the others: let the phone set its clock by the network"
            )
            yield Finding(f"clock of {one.username}", False, text)


def _first_factors(settings: Settings) -> Iterator[Finding]:
    for named in settings.first_factors.values():
        what = f"first factor {named.name}"
        try:
            checker = build(named, settings).checker
        except ConfigError as fault:
            yield Finding(what, False, str(fault))
            continue
        with closing(checker):
            fault_text = checker.probe(PROBE_S)
        yield Finding(what, fault_text is None, fault_text or "answers")


def _clients(installation: Installation, by: str) -> Iterator[Finding]:
    at: UnixSeconds = now()
    clients = NasClients(installation, by).all()
    if not clients:
        yield Finding("clients", False, "no NAS client is defined, so nobody is answered; `twinward client add`")
    for client in clients:
        found = warnings(client.rules)
        shadow = client.rules.shadows_at(at)
        yield Finding(
            f"client {client.name}",
            not found,
            " ".join(found) or "no rule of it opens the door further than need be",
        )
        if shadow:
            yield Finding(
                f"client {client.name}", True, f"`twinward client readiness {client.name}` tells who is ready"
            )
