"""`twinward init` and `twinward check-config`."""

import secrets
from importlib.resources import files
from pathlib import Path

import click

from authn.errors import ConfigError
from authn.secret import Password
from store.installation import Installation
from store.passwords import Passwords
from store.users import NewUser, Users
from twinward.cli.context import Console, json_option, now, show
from twinward.config import CONFIG_NAME, Settings, parse_config
from twinward.factors import build

OPERATORS = "twinward-operators"
"""The group whose members may operate twinward through its API and pages."""


def create_installation(data_dir: Path) -> Settings:
    """Write configuration, key file and database into a folder. Raises ConfigError; overwrites nothing."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{data_dir}: cannot make the folder: {error.strerror}") from error
    path = data_dir / CONFIG_NAME
    if path.exists():
        raise ConfigError(f"{path}: twinward is installed here already; nothing was changed")
    template = files("twinward").joinpath(CONFIG_NAME).read_text(encoding="utf-8")
    settings = parse_config(template, path)
    Installation.create(settings.database_path, settings.key_path, f"{settings.node_name}/cli", now()).close()
    try:
        path.write_text(template, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the configuration: {error.strerror}") from error
    return settings


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder for configuration, key file and database; the current one by default.",
)
@click.option("--admin", default="admin", show_default=True, help="Name of the first operator.")
@json_option
@click.pass_obj
def init(console: Console, data_dir: Path, admin: str, as_json: bool) -> None:
    """Make a new installation: configuration, key file, database, first operator.

    The operator's password is made here and shown once. Nothing has a default password or secret.
    """
    settings = create_installation(data_dir)
    password = secrets.token_urlsafe(12)
    installation = Installation.open(settings.database_path, settings.key_path, f"{settings.node_name}/cli")
    try:
        password_hash = Passwords(settings.hashing).hash(Password(password.encode()))
        username = Users(installation, console.by).add(NewUser(admin, password_hash, (OPERATORS,)), now())
    finally:
        installation.close()
    config = data_dir / CONFIG_NAME
    show(
        {
            "config": str(config),
            "database": str(settings.database_path),
            "key_file": str(settings.key_path),
            "admin": username,
            "admin_password": password,
        },
        f"""Installed.

  configuration  {config}
  database       {settings.database_path}
  key file       {settings.key_path}   keep a copy apart from the database's: without it nothing opens

First operator: {username}, password {password}   (shown this once)

Next:
  twinward --config {config} token enrol {username}
  twinward --config {config} client add my-vpn --network 192.0.2.1
  twinward --config {config} user add alice
  twinward --config {config} token enrol alice
  twinward --config {config} serve""",
        as_json,
    )


@click.command("check-config")
@json_option
@click.pass_obj
def check_config(console: Console, as_json: bool) -> None:
    """Check the configuration file: keys, types and values, with file and line, and the cases of the policy."""
    settings = console.settings()
    for named in settings.first_factors.values():
        build(named, settings).checker.close()
    cases = (
        f"; {settings.policy_cases} policy case{'s hold' if settings.policy_cases > 1 else ' holds'}"
        if settings.policy_cases
        else ""
    )
    show(
        {
            "config": str(settings.path),
            "listen": [str(address) for address in settings.listen],
            "policy_cases": settings.policy_cases,
        },
        f"{settings.path}: no errors; listens on {', '.join(map(str, settings.listen))}{cases}",
        as_json,
    )
