"""The configuration: one TOML file, read once, into frozen settings.

Every key has a type and a default, and `conf/twinward.toml` shows them all. An
unknown key is an error that names file and line. Secrets enter as file paths
only. Relative paths count from the folder of the file.
"""

import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from authn.errors import ConfigError
from authn.first_factor import OWN_STORE
from authn.lockout import LockoutPolicy
from authn.otp import Algorithm, TotpParameters
from authn.policy import Policy
from authn.request import canonical_username
from radius_server.handler import HandlerSettings
from radius_wire.built_in_dictionary import BUILT_IN
from store.passwords import HashingSettings
from twinward.addresses import ACCOUNTING_PORT, parse_address
from twinward.dictionaries import read_dictionary
from twinward.geography import read_countries
from twinward.policies import FaultyPolicyError, check_cases, make_keepers, make_local_time, make_rules
from twinward.reply_attributes import FaultyReplyError, make_reply_rules
from twinward.sections import File, FirstFactorSection, LoginSection

CONFIG_VARIABLE = "TWINWARD_CONFIG"
CONFIG_NAME = "twinward.toml"
SYSTEM_CONFIG = Path("/etc/twinward") / CONFIG_NAME
ANSWERED_WITHIN = 0.8
"""The part of a refusal's floor within which a first factor must have answered.

A refusal that had to wait for it still leaves at its floor, and does not tell that the code was right.
"""


class Settings:
    """The settings of one installation, as the rooms take them."""

    def __init__(self, file: File, path: Path) -> None:
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
        self.first_factors = {
            name: _named(name, section, radius.reject_delay_s) for name, section in file.first_factors.items()
        }
        self.policy = self._policy(file, login)
        self.policy_cases = len(file.policy_case)
        self.issuer = file.tokens.issuer
        tokens = file.tokens
        self.new_token = TotpParameters(tokens.period_s, tokens.digits, Algorithm(tokens.algorithm))
        passwords = file.passwords
        self.hashing = HashingSettings(passwords.memory_kib, passwords.time_cost, passwords.parallelism)
        self.hashing_threads = passwords.threads or len(os.sched_getaffinity(0))
        self.log = file.log

    def _policy(self, file: File, login: LoginSection) -> Policy:
        """The policy, and the proof that its cases hold. Raises ConfigError, FaultyPolicyError."""
        try:
            local_time = make_local_time(login.time_zone)
        except ValueError as error:
            raise ConfigError(f"{self.path}: login.time_zone: {error}") from error
        policy = Policy(
            login.window,
            login.look_ahead,
            login.reach,
            login.max_drift,
            LockoutPolicy(
                login.free_failures,
                login.first_delay_s,
                login.max_delay_s,
                login.failures_per_day,
                login.strangers_per_user,
                login.strangers_per_network,
            ),
            login.max_answers,
            login.challenge_lifetime_s,
            make_rules(file.policy, has_countries=bool(login.country_file), realms=self.realms),
            make_keepers(file.password, self.first_factors, self.realms),
            local_time,
        )
        if login.country_file:
            policy = replace(policy, country_of=read_countries(self.path.parent / login.country_file))
        check_cases(file.policy_case, policy, self.realms)
        return policy


@dataclass(frozen=True, slots=True)
class NamedFirstFactor:
    """A first factor of the configuration, and how long it may take."""

    name: str
    section: FirstFactorSection
    timeout_s: float


class FaultyKeyError(Exception):
    """A value that cannot stand beside another one; `keys` are its path."""

    def __init__(self, keys: list[str], fault: str) -> None:
        super().__init__(fault)
        self.keys = keys


def _named(name: str, section: FirstFactorSection, reject_delay_s: float) -> NamedFirstFactor:
    """Raises FaultyKeyError where a refusal could leave after all others."""
    longest_s = reject_delay_s * ANSWERED_WITHIN
    if name == OWN_STORE:
        raise FaultyKeyError(["first_factors", name], "this name is that of twinward's own store; choose another one")
    if section.timeout_s is not None and section.timeout_s > longest_s:
        raise FaultyKeyError(
            ["first_factors", name, "timeout_s"],
            f"{section.timeout_s} s is more than {longest_s:g} s, and a wrong password would be refused later than a"
            f" wrong code: raise radius.reject_delay_s to {section.timeout_s / ANSWERED_WITHIN:g} s, or lower it",
        )
    return NamedFirstFactor(name, section, section.timeout_s or longest_s)


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
        return Settings(File.model_validate(data), path)
    except ValidationError as error:
        findings = [_finding(path, text, detail) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join(findings)) from error
    except FaultyKeyError as error:
        raise ConfigError(f"{path}:{_line_of(text, error.keys)}: {'.'.join(error.keys)}: {error}") from error
    except FaultyReplyError as error:
        raise ConfigError(f"{path}:{_line_of_table(text, 'reply', error.number)}: {error}") from error
    except FaultyPolicyError as error:
        raise ConfigError(f"{path}:{_line_of_table(text, error.table, error.number)}: {error}") from error


def _finding(path: Path, text: str, detail: Any) -> str:
    keys = [str(key) for key in detail["loc"] if isinstance(key, str)]
    if keys[:1] == ["first_factors"] and len(keys) > 3:
        del keys[2]  # the kind, by which pydantic tells the tables apart
    line = _line_of(text, keys)
    name = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        return f"{path}:{line}: unknown key {name}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}:{line}: {name}: {message}"


def _line_of(text: str, keys: list[str]) -> int:
    """The line on which a key stands, as far as a table header and a key at a line's start tell; else 1."""
    depth = 2 if keys[:1] == ["first_factors"] else 1
    table, rest = keys[:depth], keys[depth:]
    in_table, found = False, 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.-]+)", line):
            in_table = header[1].split(".")[:depth] == table
            if in_table:
                found = number
        elif in_table and rest:
            if re.match(rf"\s*[\"']?{re.escape(rest[0])}[\"']?\s*=", line):
                return number
        elif table and re.match(rf"\s*[\"']?{re.escape(table[0])}[\"']?\s*[.=]", line):
            return number
    return found


def _line_of_table(text: str, name: str, number: int) -> int:
    """The line of the table `[[name]]` with this number, counted from 0; else 1."""
    lines = [at for at, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{name}\s*\]\]", line)]
    return lines[number] if number < len(lines) else 1
