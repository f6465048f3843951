"""`twinward session`: who is logged in, as accounting tells, and ending it (RFC 5176)."""

from collections.abc import Sequence
from typing import Any

import click

from authn.errors import OperationError
from authn.request import Username
from radius_client.dynamic_authorization import SESSION_CONTEXT_NOT_FOUND, Refused, change, disconnect
from radius_client.errors import NoReplyError
from radius_client.exchange import Server
from radius_wire.packet import Attribute
from store.installation import Installation
from store.nas_clients import NasClients
from store.sessions import Session, Sessions
from twinward.cli.context import Console, json_option, now, show, table, time_text
from twinward.config import Settings
from twinward.reply_attributes import prepare_all


@click.group()
def session() -> None:
    """Sessions that accounting told of: list, end, change."""


@session.command("list")
@click.option("--user", metavar="NAME", help="Only this user's.")
@json_option
@click.pass_obj
def list_(console: Console, user: str | None, as_json: bool) -> None:
    """List the sessions that go on."""
    settings = console.settings()
    with console.installation() as installation:
        sessions = Sessions(installation.database).open(_username(user, console))
    headings = ("id", "user", "client", "nas", "address", "station", "since", "in", "out")
    rows = [
        (
            one.id,
            one.username,
            one.client,
            one.nas,
            one.framed_address or "-",
            one.station or "-",
            time_text(one.started_at),
            one.input_octets,
            one.output_octets,
        )
        for one in sessions
    ]
    empty = "No session goes on."
    if not settings.accounting_listen:
        empty += " Accounting is off; radius.accounting_listen switches it on."
    show({"sessions": [_facts(one) for one in sessions]}, table(headings, rows, empty), as_json)


@session.command("disconnect")
@click.argument("ids", nargs=-1, type=int)
@click.option("--user", metavar="NAME", help="All sessions of this user.")
@json_option
@click.pass_context
def disconnect_(context: click.Context, ids: tuple[int, ...], user: str | None, as_json: bool) -> None:
    """Ask the NAS to end sessions, by their ids or by user. Exit status 1 if one goes on."""
    console: Console = context.obj
    if bool(ids) == (user is not None):
        raise click.UsageError("name session ids, or --user")
    with console.installation() as installation:
        sessions = Sessions(installation.database)
        chosen = [sessions.show(one) for one in ids] if ids else sessions.open(_username(user, console))
        outcomes = end_sessions(installation, chosen, console.by)
    texts = [one["text"] for one in outcomes] or ["No session goes on."]
    show({"sessions": outcomes}, "\n".join(texts), as_json)
    if not all(one["ended"] for one in outcomes):
        context.exit(1)


@session.command("change")
@click.argument("session_id", metavar="ID", type=int)
@click.option("--set", "changes", metavar="NAME=VALUE", multiple=True, required=True, help="An attribute to send.")
@json_option
@click.pass_obj
def change_(console: Console, session_id: int, changes: tuple[str, ...], as_json: bool) -> None:
    """Ask the NAS to change a session (CoA): a filter, a rate, a timeout."""
    prepared = [attribute for text in changes for attribute in _change(text, console.settings())]
    with console.installation() as installation:
        one = Sessions(installation.database).show(session_id)
        server = _server(installation, one, console.by)
        try:
            outcome = change(server, one.identification, prepared)
        except NoReplyError as error:
            raise OperationError(f"{error}; does the NAS take CoA-Requests, and from this address?") from error
    if isinstance(outcome, Refused):
        raise OperationError(f"{server} refused: {outcome}")
    show({"session": session_id, "changed": True}, f"Session {session_id} is changed.", as_json)


def end_sessions(installation: Installation, chosen: Sequence[Session], by: str) -> list[dict[str, Any]]:
    """Ask each session's NAS to end it; what came of it, in order. What a NAS does not know is over."""
    sessions, outcomes = Sessions(installation.database), []
    for one in chosen:
        ended, what = True, "ended"
        try:
            outcome = disconnect(_server(installation, one, by), one.identification)
        except NoReplyError as error:
            ended, what = False, f"goes on: {error}"
        else:
            if isinstance(outcome, Refused):
                ended = outcome.error_cause == SESSION_CONTEXT_NOT_FOUND
                what = "was over already" if ended else f"goes on: the NAS refused: {outcome}"
        if ended:
            sessions.close(one.id, now())
        outcomes.append(
            {
                "id": one.id,
                "user": one.username,
                "ended": ended,
                "text": f"Session {one.id} of {one.username} at {one.client}: {what}",
            }
        )
        facts = {"session": one.id, "user": one.username, "nas": one.nas, "ended": ended}
        NasClients(installation, by).note(one.client, "session.disconnect", now(), facts)
    return outcomes


def _server(installation: Installation, one: Session, by: str) -> Server:
    client = NasClients(installation, by).show(one.client)
    return Server(
        one.nas,
        client.rules.disconnect_port,
        client.shared_secret.reveal(),
        timeout_s=client.rules.timeout_s,
        require_message_authenticator=False,  # a forged ACK ends nothing, and few NAS sign theirs
    )


def _change(text: str, settings: Settings) -> list[Attribute]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r}: write NAME=VALUE")
    try:
        prepared = prepare_all(settings.dictionary, name.strip(), value.strip())
    except ValueError as fault:
        raise OperationError(str(fault)) from fault
    found = []
    for one in prepared:
        if one.in_clear is None:
            raise OperationError(f"{one.definition.name} travels encrypted, which a CoA-Request protects too weakly")
        found.append(one.in_clear)
    return found


def _username(name: str | None, console: Console) -> Username | None:
    return None if name is None else console.username(name)


def _facts(one: Session) -> dict[str, Any]:
    return {
        "id": one.id,
        "user": one.username,
        "client": one.client,
        "nas": one.nas,
        "acct_session_id": one.acct_session_id.decode("utf-8", "replace"),
        "framed_address": one.framed_address,
        "station": one.station,
        "started_at": one.started_at,
        "updated_at": one.updated_at,
        "input_octets": one.input_octets,
        "output_octets": one.output_octets,
    }
