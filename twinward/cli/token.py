"""`twinward token`: the devices that make codes."""

import sys
from typing import Any

import click

from authn.errors import OperationError
from authn.otp import Algorithm, HotpParameters, OtpParameters, TotpParameters
from store.tokens import NewToken, TokenSummary, new_seed
from twinward.cli.context import Console, json_option, now, read_secret, show, table, time_text
from twinward.seeds import otpauth_uri, qr_text, read_seed


@click.group()
def token() -> None:
    """Tokens: the devices that make codes."""


def _parameter_options(command: Any) -> Any:
    command = click.option("--period", type=int, help="Seconds a code is shown.")(command)
    command = click.option("--counted", is_flag=True, help="The codes are counted (HOTP) and not of the time.")(command)
    command = click.option("--digits", type=int, help="Length of a code.")(command)
    return click.option("--algorithm", type=click.Choice([one.value for one in Algorithm]))(command)


def _parameters(
    console: Console, counted: bool, period: int | None, digits: int | None, algorithm: str | None
) -> OtpParameters:
    default = console.settings().new_token
    if counted and period is not None:
        raise click.UsageError("counted codes have no period")
    try:
        hashed = Algorithm(algorithm or default.algorithm)
        if counted:
            return HotpParameters(digits or default.digits, hashed)
        return TotpParameters(period or default.period_s, digits or default.digits, hashed)
    except ValueError as error:
        raise OperationError(str(error)) from error


@token.command()
@click.argument("user")
@_parameter_options
@json_option
@click.pass_obj
def enrol(
    console: Console,
    user: str,
    counted: bool,
    period: int | None,
    digits: int | None,
    algorithm: str | None,
    as_json: bool,
) -> None:
    """Make a token and show its QR code once; a code from the device activates it.

    At a terminal you are asked for that code. Elsewhere the token stays pending until `twinward token confirm`.
    """
    parameters = _parameters(console, counted, period, digits, algorithm)
    seed = new_seed()
    with console.installation() as installation:
        tokens = console.tokens(installation)
        username = console.users(installation).show(user).username
        serial = tokens.add(user, NewToken(seed, parameters), now())
        uri = otpauth_uri(seed, username, console.settings().issuer, parameters)
        if as_json:
            show({"user": username, "token": serial, "phase": "pending", "otpauth": uri}, "", True)
            return
        click.echo(f"{qr_text(uri)}\nScan this with the authenticator app of {username}. It is shown this once.")
        click.echo(f"Without a camera: {uri}\n")
        if not sys.stdin.isatty():
            click.echo(f"Token {serial} is pending. Activate it: twinward token confirm {serial} --code-file -")
            return
        while True:
            code = click.prompt("Code from the app").replace(" ", "")
            try:
                tokens.confirm(serial, code, now())
            except OperationError as refusal:
                click.echo(str(refusal), err=True)
            else:
                click.echo(f"Token {serial} of {username} is active.")
                return


@token.command()
@click.argument("serial")
@click.option("--code-file", metavar="F|-", help="File with a code from the device; without it you are asked.")
@json_option
@click.pass_obj
def confirm(console: Console, serial: str, code_file: str | None, as_json: bool) -> None:
    """Activate a pending token by a code from its device."""
    code = read_secret(code_file, "Code from the device").decode("utf-8", "replace").replace(" ", "")
    with console.installation() as installation:
        console.tokens(installation).confirm(serial, code, now())
    show({"token": serial, "phase": "active"}, f"Token {serial} is active.", as_json)


@token.command("import")
@click.argument("user")
@click.option("--seed-file", required=True, metavar="F|-", help="File with the seed: base32, or hex: and hexadecimal.")
@click.option("--counter", type=click.IntRange(0), default=0, help="With --counted: the counter of the next code.")
@_parameter_options
@json_option
@click.pass_obj
def import_(
    console: Console,
    user: str,
    seed_file: str,
    counter: int,
    counted: bool,
    period: int | None,
    digits: int | None,
    algorithm: str | None,
    as_json: bool,
) -> None:
    """Take over a seed that the user's device holds already; the token is active at once."""
    parameters = _parameters(console, counted, period, digits, algorithm)
    seed = read_seed(read_secret(seed_file, "Seed").decode("utf-8", "replace"))
    with console.installation() as installation:
        token_ = NewToken(seed, parameters, confirmed=True, counter=counter)
        serial = console.tokens(installation).add(user, token_, now())
    show({"user": user, "token": serial, "phase": "active"}, f"Token {serial} of {user} is active.", as_json)


@token.command("list")
@click.argument("user")
@json_option
@click.pass_obj
def list_(console: Console, user: str, as_json: bool) -> None:
    """List a user's tokens."""
    with console.installation() as installation:
        tokens = console.tokens(installation).of(user)
    rows = [
        (one.serial, one.phase, _form(one.parameters), f"{one.drift:+d}", time_text(one.created_at)) for one in tokens
    ]
    empty = f"{user} has no token; `twinward token enrol {user}`."
    show(
        {"tokens": [_facts(one) for one in tokens]},
        table(("serial", "phase", "form", "drift", "made"), rows, empty),
        as_json,
    )


@token.command("show")
@click.argument("serial")
@json_option
@click.pass_obj
def show_(console: Console, serial: str, as_json: bool) -> None:
    """Show a token, without its seed."""
    with console.installation() as installation:
        username, one = console.tokens(installation).show(serial)
    facts = {"user": username} | _facts(one)
    told = facts | {"made": time_text(one.created_at), "last_used": time_text(one.last_spent_at)}
    lines = [f"{key.replace('_', ' '):14}{'-' if value is None else value}" for key, value in told.items()]
    show(facts, "\n".join(lines), as_json)


@token.command()
@click.argument("serial")
@json_option
@click.pass_obj
def revoke(console: Console, serial: str, as_json: bool) -> None:
    """Take a token out of use for good and destroy its seed."""
    with console.installation() as installation:
        console.tokens(installation).revoke(serial, now())
    show({"token": serial, "phase": "revoked"}, f"Token {serial} is revoked.", as_json)


@token.command()
@click.argument("serial")
@click.option("--codes-file", metavar="F|-", help="File with two codes in a row, separated by white space.")
@json_option
@click.pass_obj
def resync(console: Console, serial: str, codes_file: str | None, as_json: bool) -> None:
    """Learn the clock of a device from two codes in a row."""
    codes = read_secret(codes_file, "Two codes in a row, with a blank between").decode("utf-8", "replace").split()
    if len(codes) != 2:
        raise OperationError("two codes are needed, on one line with a blank between")
    with console.installation() as installation:
        drift = console.tokens(installation).resync(serial, (codes[0], codes[1]), now())
        _, one = console.tokens(installation).show(serial)
    if isinstance(one.parameters, HotpParameters):
        text = f"Token {serial} goes on from the second of these codes."
    else:
        text = f"Token {serial} is {drift:+d} time steps off; that is allowed for."
    show({"token": serial, "drift": drift}, text, as_json)


def _form(parameters: OtpParameters) -> str:
    beat = "counted" if parameters.period_s is None else f"{parameters.period_s} s"
    return f"{parameters.digits} digits, {beat}, {parameters.algorithm}"


def _facts(one: TokenSummary) -> dict[str, Any]:
    parameters = one.parameters
    return {
        "serial": one.serial,
        "phase": one.phase,
        "kind": "hotp" if isinstance(parameters, HotpParameters) else "totp",
        "period": parameters.period_s,
        "digits": parameters.digits,
        "algorithm": parameters.algorithm,
        "drift": one.drift,
        "made": one.created_at,
        "last_used": one.last_spent_at,
        "clock_off_s": None if one.clock_off_s is None else round(one.clock_off_s),
    }
