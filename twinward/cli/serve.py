"""`twinward serve`."""

import time

import click

from twinward.app import Server
from twinward.cli.context import Console
from twinward.clock import refuse_absurd_clock
from twinward.log import start_logging


@click.command()
@click.pass_obj
def serve(console: Console) -> None:
    """Serve everything that is configured until SIGTERM; SIGHUP reads the settings again."""
    refuse_absurd_clock(time.time())
    settings = console.settings()
    start_logging(settings.log.level, settings.log.format)
    Server(settings).serve()
