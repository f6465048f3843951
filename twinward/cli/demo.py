"""`twinward demo`: a throw-away installation, one real login over UDP, step by step, then a server to play with."""

import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path

import click

from authn.errors import ConfigError
from authn.otp import TotpParameters, code_at
from authn.secret import Password, Seed, SharedSecret
from radius_client.client import Accepted, Client
from radius_client.errors import RadiusClientError
from radius_client.exchange import Server as RadiusServer
from radius_server.udp import ListenAddress, open_listeners
from store.installation import Installation
from store.nas_clients import NasClients, new_shared_secret
from store.passwords import Passwords
from store.tokens import NewToken, new_seed
from store.users import NewUser, Users
from twinward.addresses import RADIUS_PORT
from twinward.app import Server, open_installation
from twinward.cli.context import Console, now
from twinward.cli.install import create_installation
from twinward.config import CONFIG_NAME, Settings, read_config
from twinward.log import start_logging
from twinward.seeds import otpauth_uri, qr_text

USER = "alice"
CLIENT = "demo"


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help=f"UDP port; by default {RADIUS_PORT}, or any if that is taken."
)
@click.option("--once", is_flag=True, help="Stop after the login instead of serving on.")
@click.pass_obj
def demo(console: Console, port: int | None, once: bool) -> None:
    """Show a real login on a throw-away installation, then keep serving it on loopback until Ctrl-C."""
    folder = Path(tempfile.mkdtemp(prefix="twinward-demo-"))
    try:
        settings = _install(folder, _free_port(port))
        _play(settings, console.by, once)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        click.echo(f"Stopped; {folder} is gone.")


def _free_port(wanted: int | None) -> int:
    """The wanted port; without a wish the usual one, or one that is free. Raises ConfigError."""
    for port in (RADIUS_PORT, 0) if wanted is None else (wanted,):
        try:
            listeners = open_listeners([ListenAddress("127.0.0.1", port)])
        except ConfigError:
            if wanted is not None:
                raise
            continue
        try:
            return listeners[0].bound.port
        finally:
            listeners[0].close()
    raise ConfigError("no UDP port is free on 127.0.0.1")


def _install(folder: Path, port: int) -> Settings:
    settings = create_installation(folder)
    text = settings.path.read_text(encoding="utf-8")
    listen = f'listen = ["127.0.0.1:{port}"]'
    settings.path.write_text(text.replace('listen = ["0.0.0.0:1812", "[::]:1812"]', listen), encoding="utf-8")
    return read_config(settings.path)


def _play(settings: Settings, by: str, once: bool) -> None:
    password, seed, shared_secret = secrets.token_urlsafe(9), new_seed(), new_shared_secret()
    installation = open_installation(settings, "cli")
    try:
        _fill(installation, settings, by, password, seed, shared_secret)
    finally:
        installation.close()
    uri = otpauth_uri(seed, USER, settings.issuer, settings.new_token)
    click.echo(f"1. A fresh installation in {settings.path.parent}: configuration, key file, database.")
    click.echo(f"2. NAS client {CLIENT} at 127.0.0.1, shared secret {shared_secret.reveal().decode()}")
    click.echo(f"3. User {USER}, password {password}, and a token. Scan it with any authenticator app:\n")
    click.echo(qr_text(uri))
    click.echo(f"   {uri}\n")
    start_logging("warning", "text")
    server = Server(settings)
    address = settings.listen[0]
    story = threading.Thread(
        target=_log_in_and_tell,
        args=(settings, address, password, seed, shared_secret, server if once else None),
        daemon=True,
    )
    server.serve(on_ready=story.start)
    story.join(timeout=1)


def _fill(
    installation: Installation, settings: Settings, by: str, password: str, seed: Seed, shared_secret: SharedSecret
) -> None:
    NasClients(installation, by).add(CLIENT, "127.0.0.1", shared_secret, now())
    password_hash = Passwords(settings.hashing).hash(Password(password.encode()))
    token = NewToken(seed, settings.new_token, confirmed=True)
    Users(installation, by).add(NewUser(USER, password_hash, token=token), now())


def _log_in_and_tell(
    settings: Settings,
    address: ListenAddress,
    password: str,
    seed: Seed,
    shared_secret: SharedSecret,
    stop_after: Server | None,
) -> None:
    """Runs beside the server, as a NAS would."""
    client = Client([RadiusServer(address.host, address.port, shared_secret.reveal())], nas_identifier="demo-vpn")
    code = _code(seed, settings.new_token)
    try:
        click.echo(f"4. Access-Request to {address} with {password}{code} (the password, then the code {code}):")
        _tell(client, password + code)
        click.echo("5. The same code again, as a thief would send it:")
        _tell(client, password + code)
    except RadiusClientError as error:
        click.echo(f"   failed: {error}", err=True)
    if stop_after is not None:
        stop_after.stop()
        return
    config = settings.path.parent / CONFIG_NAME
    click.echo(f"""
Serving on {address}/udp until Ctrl-C. In another terminal:

  export TWINWARD_CONFIG={config}
  .venv/bin/twinward login-test {USER}            # password {password}, then a code from the app
  .venv/bin/twinward user show {USER}
  .venv/bin/twinward audit list                  # then: twinward explain REF
  radtest -b {USER} {password}CODE {address} 0 {shared_secret.reveal().decode()}
""")


def _tell(client: Client, typed: str) -> None:
    started = time.monotonic()
    outcome = client.authenticate(USER, typed.encode())
    name = "Access-Accept" if isinstance(outcome, Accepted) else "Access-Reject"
    messages = "".join(f"  {message!r}" for message in outcome.messages)
    click.echo(f"   {name} after {(time.monotonic() - started) * 1000:.0f} ms{messages}")


def _code(seed: Seed, parameters: TotpParameters) -> str:
    return code_at(seed, parameters.step_at(now()), parameters)
