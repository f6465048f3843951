"""`twinward client`: the NAS clients."""

from typing import Any

import click

from authn.client import InputMode, MessageAuthenticatorRule, NasClient
from authn.secret import SharedSecret
from store.nas_clients import NasClients, new_shared_secret
from twinward.cli.context import Console, json_option, now, read_secret, show, table


@click.group()
def client() -> None:
    """NAS clients: who may ask, from where, with which shared secret."""


@client.command()
@click.argument("name")
@click.option("--network", required=True, metavar="CIDR", help="Address or network that the NAS asks from.")
@click.option(
    "--secret-file", metavar="F|-", help="File with the shared secret; without it one is made and shown once."
)
@click.option(
    "--input",
    "input_mode",
    type=click.Choice([mode.value for mode in InputMode]),
    default=InputMode.SUFFIX.value,
    show_default=True,
    help="suffix: password and code in one field; code-only: the NAS checked the password.",
)
@click.option(
    "--message-authenticator",
    type=click.Choice([rule.value for rule in MessageAuthenticatorRule]),
    default=MessageAuthenticatorRule.REQUIRE.value,
    show_default=True,
    help="allow: take unsigned requests too (CVE-2024-3596: an attacker on the path can forge them).",
)
@json_option
@click.pass_obj
def add(
    console: Console,
    name: str,
    network: str,
    secret_file: str | None,
    input_mode: str,
    message_authenticator: str,
    as_json: bool,
) -> None:
    """Add a NAS client. Running servers know it within a second or two."""
    made = new_shared_secret() if secret_file is None else None
    shared_secret = made or SharedSecret(read_secret(secret_file, "Shared secret"))
    with console.installation() as installation:
        added = NasClients(installation, console.by).add(
            name,
            network,
            shared_secret,
            now(),
            input_mode=InputMode(input_mode),
            message_authenticator=MessageAuthenticatorRule(message_authenticator),
        )
    text = f"Added client {name} at {added}."
    value = {"client": name, "network": str(added)}
    if made is not None:
        value["shared_secret"] = made.reveal().decode("ascii")
        text += f"\nShared secret: {value['shared_secret']}   (shown this once; enter it at the NAS)"
    if message_authenticator == MessageAuthenticatorRule.ALLOW:
        text += "\nThis client may send unsigned requests. Let the NAS sign them as soon as it can."
    show(value, text, as_json)


@client.command("list")
@json_option
@click.pass_obj
def list_(console: Console, as_json: bool) -> None:
    """List the NAS clients."""
    with console.installation() as installation:
        clients = NasClients(installation, console.by).all()
    rows = [(one.name, one.network, one.input_mode, one.message_authenticator) for one in clients]
    headings = ("name", "network", "input", "message-authenticator")
    show(
        {"clients": [_facts(one) for one in clients]},
        table(headings, rows, "There is no client yet; `twinward client add NAME --network CIDR` makes one."),
        as_json,
    )


@client.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_(console: Console, name: str, as_json: bool) -> None:
    """Show one NAS client, without its shared secret."""
    with console.installation() as installation:
        facts = _facts(NasClients(installation, console.by).show(name))
    show(facts, "\n".join(f"{key.replace('_', ' '):24}{value}" for key, value in facts.items()), as_json)


@client.command("set-secret")
@click.argument("name")
@click.option("--secret-file", metavar="F|-", help="File with the new shared secret; without it one is made.")
@json_option
@click.pass_obj
def set_secret(console: Console, name: str, secret_file: str | None, as_json: bool) -> None:
    """Replace a client's shared secret at once; the old one stops working."""
    made = new_shared_secret() if secret_file is None else None
    shared_secret = made or SharedSecret(read_secret(secret_file, "Shared secret"))
    with console.installation() as installation:
        NasClients(installation, console.by).set_shared_secret(name, shared_secret, now())
    value = {"client": name}
    text = f"Client {name} has a new shared secret."
    if made is not None:
        value["shared_secret"] = made.reveal().decode("ascii")
        text += f"\nShared secret: {value['shared_secret']}   (shown this once; enter it at the NAS)"
    show(value, text, as_json)


@client.command()
@click.argument("name")
@json_option
@click.pass_obj
def remove(console: Console, name: str, as_json: bool) -> None:
    """Remove a NAS client; its requests get no answer from then on."""
    with console.installation() as installation:
        NasClients(installation, console.by).remove(name, now())
    show({"client": name}, f"Removed client {name}.", as_json)


def _facts(client: NasClient) -> dict[str, Any]:
    return {
        "name": client.name,
        "network": str(client.network),
        "input": client.input_mode,
        "message_authenticator": client.message_authenticator,
        "shared_secret_octets": len(client.shared_secret),
    }
