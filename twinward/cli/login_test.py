"""`twinward login-test`: a login as a NAS would send it."""

import sys
import time
from ipaddress import ip_address

import click

from authn.client import ClientRules, InputMode, NasClient
from authn.errors import OperationError
from radius_client.client import Accepted, Challenged, Client, Outcome, Rejected
from radius_client.errors import RadiusClientError
from radius_client.exchange import Server
from radius_server.clients import Clients
from radius_server.udp import ListenAddress
from radius_wire.attributes import name_of
from store.nas_clients import NasClients
from twinward.addresses import parse_address
from twinward.cli.context import Console, json_option, now, read_secret, show
from twinward.config import Settings

NAS_IDENTIFIER = "twinward login-test"


@click.command("login-test")
@click.argument("user")
@click.option("--client", "client_name", metavar="NAME", help="NAS client whose shared secret to use.")
@click.option("--server", "address", metavar="HOST:PORT", help="Server to ask; by default the configured one here.")
@click.option("--secret-file", metavar="F|-", help="File with the shared secret, to test without the database.")
@click.option("--password-file", metavar="F|-", help="File with the password; without it you are asked.")
@click.option("--code-file", metavar="F|-", help="File with the code; without it you are asked.")
@json_option
@click.pass_obj
def login_test(
    console: Console,
    user: str,
    client_name: str | None,
    address: str | None,
    secret_file: str | None,
    password_file: str | None,
    code_file: str | None,
    as_json: bool,
) -> None:
    """Log in like a NAS would: ask for password and code, send an Access-Request, show the reply.

    What is typed is sent in the client's first input mode; a prompt of the server is
    shown, and answered with the code. Exit status 0 for Access-Accept, 1 for anything else.
    """
    settings = None if address and secret_file else console.settings()
    target = _target(address, settings)
    if secret_file is not None:
        shared_secret, rules = read_secret(secret_file, "Shared secret"), ClientRules()
    else:
        client = _choose_client(console, client_name, target)
        shared_secret, rules = client.shared_secret.reveal(), client.rules
    mode = rules.modes_at(now())[0]
    password = b"" if mode is InputMode.CODE_ONLY else read_secret(password_file, "Password")
    without_code = mode in (InputMode.CHALLENGE, InputMode.PASSWORD_ONLY)
    typed = password if without_code else _joined(mode, rules, password, read_secret(code_file, "Code"))
    server = Server(target.host, target.port, shared_secret)
    started = time.monotonic()
    try:
        nas = Client([server], nas_identifier=NAS_IDENTIFIER)
        outcome = nas.authenticate(user, typed)
        while isinstance(outcome, Challenged):
            if not as_json:
                click.echo("".join(f"Access-Challenge: {message}\n" for message in outcome.messages), nl=False)
            code, code_file = read_secret(code_file, "Code"), None if code_file == "-" else code_file
            started = time.monotonic()
            outcome = nas.answer(outcome, user, code)
    except RadiusClientError as error:
        raise OperationError(
            f"{error}. Is the server running, does `twinward client list` have this machine's address,"
            " and is the shared secret the same? The server's log tells what it dropped."
        ) from error
    took_s = time.monotonic() - started
    _report(outcome, took_s, as_json)
    if not isinstance(outcome, Accepted):
        sys.exit(1)


def _joined(mode: InputMode, rules: ClientRules, password: bytes, code: bytes) -> bytes:
    """Password and code in one field, as a user of this client types them."""
    match mode:
        case InputMode.PREFIX:
            return code + password
        case InputMode.SEPARATOR:
            return password + rules.separator.encode("ascii") + code
        case _:
            return password + code


def _target(address: str | None, settings: Settings | None) -> ListenAddress:
    if address is not None:
        try:
            return parse_address(address)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    if settings is None:
        raise OperationError("no server is known; name one with --server")
    first = settings.listen[0]
    if not first.is_wildcard:
        return first
    return ListenAddress("::1" if ":" in first.host else "127.0.0.1", first.port)


def _choose_client(console: Console, name: str | None, target: ListenAddress) -> NasClient:
    """The named client, or the one that this machine is to a server on this machine."""
    with console.installation() as installation:
        clients = NasClients(installation, console.by)
        if name is not None:
            return clients.show(name)
        try:
            is_loopback = ip_address(target.host).is_loopback
        except ValueError:
            is_loopback = target.host == "localhost"
        if not is_loopback:
            raise OperationError("which client is this machine to that server? Name it with --client")
        found = Clients(clients.all()).lookup("127.0.0.1" if target.host == "localhost" else target.host)
    if not found:
        raise OperationError(
            f"no NAS client covers {target.host}; `twinward client add local --network {target.host}` makes one"
        )
    return found[0]


def _report(outcome: Outcome, took_s: float, as_json: bool) -> None:
    match outcome:
        case Accepted():
            reply = "Access-Accept"
        case Rejected():
            reply = "Access-Reject"
        case Challenged():
            reply = "Access-Challenge"
    told = [(name_of(kind), _readable(value)) for kind, value in outcome.attributes]
    lines = [f"{reply} from {outcome.server} after {took_s:.3f} s"] + [f"  {name} = {value}" for name, value in told]
    show({"reply": reply, "seconds": round(took_s, 3), "attributes": told}, "\n".join(lines), as_json)


def _readable(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    return text if text and text.isprintable() else f"0x{value.hex()}"
