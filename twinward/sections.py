"""The tables of the configuration file, with the type and the default of every key.

`config.py` reads a file into them and makes the rooms' settings of them.
"""

import socket
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from radius_server.udp import ListenAddress
from twinward.addresses import ACCOUNTING_PORT, RADIUS_PORT, parse_address

Many = str | list[str] | None
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    """Unknown keys are errors, and nothing is converted from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NodeSection(Section):
    """This machine among those that share the database."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = socket.gethostname() or "node"


class StoreSection(Section):
    """Where users, tokens, clients and the audit chain are kept."""

    database: str = "twinward.db"


class KeysSection(Section):
    """Where the key-encryption key comes from."""

    key_file: str = "twinward.key"


class RadiusSection(Section):
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
        _parse_all(texts, RADIUS_PORT)
        return texts

    @field_validator("accounting_listen")
    @classmethod
    def _accounting_listen_is_readable(cls, texts: list[str]) -> list[str]:
        _parse_all(texts, ACCOUNTING_PORT)
        return texts


def _parse_all(texts: list[str], port: int) -> list[ListenAddress]:
    return [parse_address(text, port) for text in texts]


class LoginSection(Section):
    """The login rules. Windows, drifts and reach are in time steps."""

    window: Annotated[int, Field(ge=0, le=10)] = 1
    look_ahead: Annotated[int, Field(ge=1, le=100)] = 10
    reach: Annotated[int, Field(ge=0, le=200)] = 60
    max_drift: Annotated[int, Field(ge=0, le=100)] = 10
    free_failures: Annotated[int, Field(ge=0, le=100)] = 5
    first_delay_s: Annotated[int, Field(ge=1, le=3600)] = 30
    max_delay_s: Annotated[int, Field(ge=1, le=86400)] = 900
    failures_per_day: Annotated[int, Field(ge=1, le=10_000)] = 100
    strangers_per_user: Annotated[int, Field(ge=1, le=10_000)] = 50
    strangers_per_network: Annotated[int, Field(ge=1, le=100_000)] = 200
    max_answers: Annotated[int, Field(ge=1, le=10)] = 3
    challenge_lifetime_s: Annotated[int, Field(ge=10, le=900)] = 120
    realms: list[str] = []
    time_zone: str = ""
    country_file: str = ""


class TokensSection(Section):
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


class PasswordsSection(Section):
    """What one argon2id hash costs, and how many are made at once (0: one per core)."""

    memory_kib: Annotated[int, Field(ge=8192, le=4_194_304)] = 19456
    time_cost: Annotated[int, Field(ge=1, le=100)] = 2
    parallelism: Annotated[int, Field(ge=1, le=64)] = 1
    threads: Annotated[int, Field(ge=0, le=256)] = 0


class LogSection(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class ReplySection(Section):
    """Attributes of an Access-Accept, and for whom; `TAG:` before a value of a tagged attribute gives its tag."""

    user: str | None = None
    group: str | None = None
    client: str | None = None
    attributes: dict[str, str | int | list[str | int]]


_Timeout = Annotated[float, Field(gt=0, le=10)]


class LdapSection(Section):
    """A directory that passwords are bound with."""

    kind: Literal["ldap"]
    servers: list[str]
    bind_dn: str | None = None
    base_dn: str | None = None
    user_filter: str | None = None
    search_dn: str | None = None
    search_password_file: str | None = None
    start_tls: bool = False
    ca_file: str | None = None
    allow_plain: bool = False
    timeout_s: _Timeout | None = None
    connections: Annotated[int, Field(ge=1, le=256)] = 4


class PamSection(Section):
    """The PAM of this host."""

    kind: Literal["pam"]
    service: str = "twinward"
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    timeout_s: _Timeout | None = None


class UpstreamSection(Section):
    """Another RADIUS server."""

    kind: Literal["radius"]
    servers: list[str]
    shared_secret_file: str
    nas_identifier: Annotated[str, Field(min_length=1, max_length=253)] = "twinward"
    timeout_s: _Timeout | None = None
    connections: Annotated[int, Field(ge=1, le=256)] = 16


FirstFactorSection = Annotated[LdapSection | PamSection | UpstreamSection, Field(discriminator="kind")]


class PasswordSection(Section):
    """Whose passwords a first factor keeps. The first of these tables that fits counts, else it is our own store."""

    by: str
    user: Many = None
    group: Many = None
    client: Many = None
    alone_until: str | None = None


class PolicySection(Section):
    """A rule: conditions, and what it adds."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    user: Many = None
    group: Many = None
    client: Many = None
    network: Many = None
    outside_network: Many = None
    country: Many = None
    outside_country: Many = None
    hours: str | None = None
    days: str | None = None
    known_place: bool | None = None
    refuse: bool = False
    require_code: bool = False
    recovery_codes: bool = True
    window: Annotated[int, Field(ge=0, le=10)] | None = None
    alert: bool = False


class PolicyCaseSection(Section):
    """A login, and the name of the rule that must hold for it, or `none`."""

    user: str
    groups: list[str] = []
    client: str
    station: str | None = None
    country: str | None = None
    day: str = "mon"
    at: str = "12:00"
    known_place: bool = True
    expect: str


class File(Section):
    """A whole configuration file."""

    node: NodeSection = NodeSection()
    store: StoreSection = StoreSection()
    keys: KeysSection = KeysSection()
    radius: RadiusSection = RadiusSection()
    login: LoginSection = LoginSection()
    tokens: TokensSection = TokensSection()
    passwords: PasswordsSection = PasswordsSection()
    log: LogSection = LogSection()
    first_factors: dict[Name, FirstFactorSection] = {}
    password: list[PasswordSection] = []
    policy: list[PolicySection] = []
    policy_case: list[PolicyCaseSection] = []
    reply: list[ReplySection] = []
