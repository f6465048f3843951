"""Real installations for tests: a folder, a database, keys, users."""

import time
from dataclasses import dataclass
from pathlib import Path

from authn.client import AcceptedInput, ClientRules, InputMode
from authn.instants import UnixSeconds
from authn.otp import TimeStep, TotpParameters, code_at
from authn.secret import Password, Seed, SharedSecret
from store.installation import Installation
from store.nas_clients import NasClients
from store.passwords import HashingSettings, Passwords
from store.tokens import NewToken, new_seed
from store.users import NewUser, Users

CHEAP = HashingSettings(memory_kib=8, time_cost=1, parallelism=1)
SHARED_SECRET = b"wire-test-shared-secret"
CHAIN = "test/0"


@dataclass
class Person:
    """A user of a real installation."""

    name: str
    password: str
    seed: Seed
    parameters: TotpParameters

    def code(self, offset_s: float = 0.0, *, at: float | None = None) -> str:
        """The code shown so many seconds from now, or from a moment that a longer test holds fast."""
        step = self.parameters.step_at(UnixSeconds((time.time() if at is None else at) + offset_s))
        return code_at(self.seed, TimeStep(step), self.parameters)

    def typed(self, offset_s: float = 0.0) -> str:
        """Password and code in one field."""
        return self.password + self.code(offset_s)


def create(folder: Path) -> Installation:
    """A new installation in a folder."""
    return Installation.create(folder / "twinward.db", folder / "twinward.key", CHAIN, now())


def reopen(folder: Path, chain: str = CHAIN) -> Installation:
    """The installation of a folder, opened again."""
    return Installation.open(folder / "twinward.db", folder / "twinward.key", chain)


def now() -> UnixSeconds:
    """The wall clock."""
    return UnixSeconds(time.time())


def add_person(
    installation: Installation, name: str, password: str = "correct horse", parameters: TotpParameters | None = None
) -> Person:
    """A user with a password and an active token."""
    [person] = add_people(installation, [name], password, parameters)
    return person


def add_people(
    installation: Installation,
    names: list[str],
    password: str = "correct horse",
    parameters: TotpParameters | None = None,
) -> list[Person]:
    """Users with one password and a token each."""
    parameters = parameters or TotpParameters()
    password_hash = Passwords(CHEAP).hash(Password(password.encode()))
    people = [Person(name, password, new_seed(), parameters) for name in names]
    Users(installation, "test").add_all(
        [NewUser(one.name, password_hash, token=NewToken(one.seed, parameters, confirmed=True)) for one in people],
        now(),
    )
    return people


def add_client(
    installation: Installation, name: str, network: str, *, shared_secret: bytes = SHARED_SECRET, **rules: object
) -> None:
    """A NAS client. Input modes may be given by their names."""
    if "inputs" in rules:
        rules["inputs"] = tuple(AcceptedInput(InputMode(one)) for one in rules["inputs"])
    secret = SharedSecret(shared_secret)
    NasClients(installation, "test").add(name, network, secret, now(), ClientRules(**rules))
