"""The configuration: one TOML file, read once, into frozen settings.

Every key has a type and a default, and `conf/twinward.toml` shows them all. An
unknown key is an error that names file and line. Secrets enter as file paths
only. Relative paths count from the folder of the file.
"""

import os
import re
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from authn.errors import ConfigError
from authn.lockout import LockoutPolicy
from authn.policy import Policy
from authn.request import canonical_username
from authn.totp import Algorithm, TotpParameters
from radius_server.handler import HandlerSettings
from radius_server.udp import ListenAddress
from radius_wire.built_in_dictionary import BUILT_IN
from store.passwords import HashingSettings
from twinward.dictionaries import read_dictionary
from twinward.reply_attributes import FaultyReplyError, make_reply_rules

CONFIG_VARIABLE = "TWINWARD_CONFIG"
CONFIG_NAME = "twinward.toml"
SYSTEM_CONFIG = Path("/etc/twinward") / CONFIG_NAME
RADIUS_PORT = 1812
ACCOUNTING_PORT = 1813


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NodeSection(_Section):
    """This machine among those that share the database."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = socket.gethostname() or "node"


class StoreSection(_Section):
    """Where users, tokens, clients and the audit chain are kept."""

    database: str = "twinward.db"


class KeysSection(_Section):
    """Where the key-encryption key comes from."""

    key_file: str = "twinward.key"


class RadiusSection(_Section):
    """The RADIUS server."""

    listen: list[str] = [f"0.0.0.0:{RADIUS_PORT}", f"[::]:{RADIUS_PORT}"]
    reject_delay_s: Annotated[float, Field(ge=0.05, le=10)] = 1.0
    reject_jitter_s: Annotated[float, Field(ge=0, le=5)] = 0.1
    duplicate_lifetime_s: Annotated[float, Field(ge=5, le=300)] = 45.0
    max_duplicates: Annotated[int, Field(ge=1024, le=4_000_000)] = 131072
    max_waiting: Annotated[int, Field(ge=64, le=1_000_000)] = 4096
    max_logins_per_s_per_source: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    accounting_listen: list[str] = []
    dictionaries: list[str] = []

    @field_validator("listen")
    @classmethod
    def _listen_is_readable(cls, texts: list[str]) -> list[str]:
        if not texts:
            raise ValueError("at least one address is needed")
        for text in texts:
            parse_address(text)
        return texts

    @field_validator("accounting_listen")
    @classmethod
    def _accounting_listen_is_readable(cls, texts: list[str]) -> list[str]:
        for text in texts:
            parse_address(text, ACCOUNTING_PORT)
        return texts


class LoginSection(_Section):
    """The login rules. Windows and drifts are in time steps."""

    window: Annotated[int, Field(ge=0, le=10)] = 1
    max_drift: Annotated[int, Field(ge=0, le=100)] = 10
    free_failures: Annotated[int, Field(ge=0, le=100)] = 5
    first_delay_s: Annotated[int, Field(ge=1, le=3600)] = 30
    max_delay_s: Annotated[int, Field(ge=1, le=86400)] = 900
    max_answers: Annotated[int, Field(ge=1, le=10)] = 3
    challenge_lifetime_s: Annotated[int, Field(ge=10, le=900)] = 120
    realms: list[str] = []


class TokensSection(_Section):
    """What new tokens are like."""

    issuer: Annotated[str, Field(min_length=1, max_length=64)] = "twinward"
    period_s: Annotated[int, Field(ge=10, le=300)] = 30
    digits: Annotated[int, Field(ge=6, le=8)] = 6
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha1"

    @field_validator("issuer")
    @classmethod
    def _issuer_holds_no_colon(cls, text: str) -> str:
        if ":" in text:
            raise ValueError("an issuer must not hold a colon: authenticator apps cut it there")
        return text


class PasswordsSection(_Section):
    """What one argon2id hash costs, and how many are made at once (0: one per core)."""

    memory_kib: Annotated[int, Field(ge=8192, le=4_194_304)] = 19456
    time_cost: Annotated[int, Field(ge=1, le=100)] = 2
    parallelism: Annotated[int, Field(ge=1, le=64)] = 1
    threads: Annotated[int, Field(ge=0, le=256)] = 0


class LogSection(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class ReplySection(_Section):
    """Attributes of an Access-Accept, and for whom; `TAG:` before a value of a tagged attribute gives its tag."""

    user: str | None = None
    group: str | None = None
    client: str | None = None
    attributes: dict[str, str | int | list[str | int]]


class _File(_Section):
    node: NodeSection = NodeSection()
    store: StoreSection = StoreSection()
    keys: KeysSection = KeysSection()
    radius: RadiusSection = RadiusSection()
    login: LoginSection = LoginSection()
    tokens: TokensSection = TokensSection()
    passwords: PasswordsSection = PasswordsSection()
    log: LogSection = LogSection()
    reply: list[ReplySection] = []


class Settings:
    """The settings of one installation, as the rooms take them."""

    def __init__(self, file: _File, path: Path) -> None:
        self.path = path
        self.node_name = file.node.name
        self.database_path = path.parent / file.store.database
        self.key_path = path.parent / file.keys.key_file
        radius, login = file.radius, file.login
        self.listen = tuple(parse_address(text) for text in radius.listen)
        self.accounting_listen = tuple(parse_address(text, ACCOUNTING_PORT) for text in radius.accounting_listen)
        self.radius = radius
        self.realms = frozenset(canonical_username(realm.encode()) for realm in login.realms)
        self.dictionary = BUILT_IN
        for name in radius.dictionaries:
            self.dictionary = self.dictionary.extended(read_dictionary(path.parent / name))
        self.handler = HandlerSettings(
            radius.reject_delay_s,
            radius.reject_jitter_s,
            max_logins_per_s_per_source=radius.max_logins_per_s_per_source,
            realms=self.realms,
            reply_rules=make_reply_rules(file.reply, self.dictionary),
        )
        self.policy = Policy(
            login.window,
            login.max_drift,
            LockoutPolicy(login.free_failures, login.first_delay_s, login.max_delay_s),
            login.max_answers,
            login.challenge_lifetime_s,
        )
        self.issuer = file.tokens.issuer
        tokens = file.tokens
        self.new_token = TotpParameters(tokens.period_s, tokens.digits, Algorithm(tokens.algorithm))
        passwords = file.passwords
        self.hashing = HashingSettings(passwords.memory_kib, passwords.time_cost, passwords.parallelism)
        self.hashing_threads = passwords.threads or len(os.sched_getaffinity(0))
        self.log = file.log


def find_config(given: Path | None) -> Path:
    """The configuration file to use: as given, from the environment, here, or the system's. Raises ConfigError."""
    if given is not None:
        return given
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    for path in (Path(CONFIG_NAME), SYSTEM_CONFIG):
        if path.exists():
            return path
    raise ConfigError(
        f"there is no {CONFIG_NAME} here and no {SYSTEM_CONFIG}; run `twinward init`, or name one with --config"
    )


def read_config(path: Path) -> Settings:
    """Read and check a configuration file. Raises ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the configuration is not UTF-8 text") from error
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> Settings:
    """Check the text of a configuration that stands, or will stand, at `path`. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return Settings(_File.model_validate(data), path)
    except ValidationError as error:
        findings = [_finding(path, text, detail) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(findings)) from error
    except FaultyReplyError as error:
        raise ConfigError(f"{path}:{_line_of_table(text, 'reply', error.number)}: {error}") from error


def parse_address(text: str, default_port: int = RADIUS_PORT) -> ListenAddress:
    """`192.0.2.1:1812`, `[2001:db8::1]:1812`, or without the port. Raises ValueError."""
    parsed = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([0-9A-Za-z.-]+))(?::(\d{1,5}))?", text)
    if parsed is None:
        raise ValueError(f"{text!r} is not an address; write 192.0.2.1:1812 or [2001:db8::1]:1812")
    port = int(parsed[3] or default_port)
    if port > 65535:
        raise ValueError(f"{port} is not a port")
    return ListenAddress(parsed[1] or parsed[2], port)


def _finding(path: Path, text: str, detail: Any) -> str:
    keys = [str(key) for key in detail["loc"] if isinstance(key, str)]
    line = _line_of(text, keys)
    name = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        return f"{path}:{line}: unknown key {name}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}:{line}: {name}: {message}"


def _line_of(text: str, keys: list[str]) -> int:
    """The line on which a key stands, as far as a table header and a key at a line's start tell; else 1."""
    section = keys[0] if keys else ""
    in_section, found = False, 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.-]+)", line):
            in_section = header[1].split(".")[0] == section
            if in_section:
                found = number
        elif in_section and len(keys) > 1:
            if re.match(rf"\s*[\"']?{re.escape(keys[1])}[\"']?\s*=", line):
                return number
        elif re.match(rf"\s*[\"']?{re.escape(section)}[\"']?\s*[.=]", line):
            return number
    return found


def _line_of_table(text: str, name: str, number: int) -> int:
    """The line of the table `[[name]]` with this number, counted from 0; else 1."""
    lines = [at for at, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{name}\s*\]\]", line)]
    return lines[number] if number < len(lines) else 1
