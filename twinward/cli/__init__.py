"""The command line. Exit status: 0 done, 1 refused or failed, 2 wrong usage. A secret is never an argument."""

import logging
import sys
from pathlib import Path

import click

from authn.errors import TwinwardError
from twinward.cli import (
    audit,
    client,
    demo,
    doctor,
    exemption,
    explain,
    install,
    login_test,
    recovery_codes,
    serve,
    session,
    token,
    upgrade,
    user,
)
from twinward.cli.context import Console


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; else $TWINWARD_CONFIG, ./twinward.toml, /etc/twinward/twinward.toml.",
)
@click.version_option(package_name="twinward", prog_name="twinward")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Second-factor authentication: one user store and one decision behind RADIUS, PAM and HTTP."""
    context.obj = Console(config)


for command in (
    install.init,
    install.check_config,
    doctor.doctor,
    upgrade.upgrade,
    serve.serve,
    demo.demo,
    client.client,
    user.user,
    token.token,
    recovery_codes.recovery_codes,
    exemption.grace,
    exemption.bypass,
    login_test.login_test,
    session.session,
    explain.explain,
    audit.audit,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every fault of ours becomes one line on standard error and exit status 1."""
    logging.basicConfig(format="twinward: %(message)s", level=logging.WARNING)  # `serve` sets up its own
    try:
        cli.main(prog_name="twinward", standalone_mode=True)
    except TwinwardError as fault:
        click.echo(f"twinward: {fault}", err=True)
        sys.exit(1)
