"""NAS clients, as an operator handles them and as the server reads them.

A client is a network that may ask, with its own shared secret and its rules.
Where one network lies inside another, the longer prefix wins. Several NAS
behind one address are clients with the same network: their secrets tell them
apart, which takes signed requests from all of them.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network

from sqlalchemy import Connection, Row, delete, insert, select, update

from authn.client import AcceptedSecret, ClientId, ClientRules, MessageAuthenticatorRule, NasClient, Network
from authn.errors import BrokenSealError, OperationError
from authn.instants import UnixSeconds
from authn.secret import SharedSecret
from store import schema
from store.client_rules import from_text, to_text
from store.contexts import shared_secret_context
from store.installation import Installation, clients_generation, next_clients_generation

MIN_SHARED_SECRET_OCTETS = 16
NEW_SHARED_SECRET_OCTETS = 24
MAX_SHARED_SECRETS = 2
MAX_CLIENTS_OF_A_NETWORK = 8


@dataclass(frozen=True, slots=True)
class SecretAge:
    """A shared secret without its octets: since when it is accepted, and until when."""

    number: int
    created_at: UnixSeconds
    until: UnixSeconds | None


class NasClients:
    """The operations on NAS clients. Every refusal is an OperationError."""

    def __init__(self, installation: Installation, by: str) -> None:
        self._installation = installation
        self._database = installation.database
        self._keyring = installation.keyring
        self._by = by

    def add(
        self,
        name: str,
        network: str,
        shared_secret: SharedSecret,
        now: UnixSeconds,
        rules: ClientRules | None = None,
        *,
        shared_address: bool = False,
    ) -> Network:
        """Add a client; returns its network. One that another client has already is meant only if `shared_address`."""
        rules = rules or ClientRules()
        if not name or len(name) > 64 or not name.isprintable() or name != name.strip():
            raise OperationError(f"{name!r} cannot be a client name: use 1 to 64 printable characters")
        parsed = _network(network)
        _refuse_short(shared_secret)
        with self._database.write() as connection:
            if _find(connection, name) is not None:
                raise OperationError(f"there is a client {name} already")
            same = self._refuse_ambiguity(connection, name, parsed, shared_secret, rules)
            if same and not shared_address:
                raise OperationError(
                    f"client {same[0].name} has the network {parsed} already; if several NAS stand behind one"
                    " address, say so with --shared-address: their signatures tell them apart"
                )
            row = {"name": name, "network": str(parsed), "rules": to_text(rules), "created_at": now}
            inserted = connection.execute(insert(schema.nas_clients).values(row).returning(schema.nas_clients))
            self._insert_secret(connection, inserted.one(), 1, shared_secret, now)
            self._changed(connection, now, "client.added", name, network=str(parsed), rules=to_text(rules))
        return parsed

    def remove(self, name: str, now: UnixSeconds) -> None:
        """Remove a client and what was kept for it."""
        with self._database.write() as connection:
            row = get_client(connection, name)
            connection.execute(delete(schema.nas_clients).where(schema.nas_clients.c.id == row.id))
            self._changed(connection, now, "client.removed", name)

    def set_rules(self, name: str, rules: ClientRules, now: UnixSeconds) -> None:
        """Give a client other rules."""
        with self._database.write() as connection:
            self._write_rules(connection, name, rules, now, "client.rules_set")

    def promote(self, name: str, now: UnixSeconds) -> bool:
        """From now on require signed requests of a client that was learning; False if it is not learning."""
        with self._database.write() as connection:
            row = _find(connection, name)
            if row is None:
                return False
            rules = self._client(connection, row).rules
            if rules.message_authenticator is not MessageAuthenticatorRule.LEARN:
                return False
            rules = replace(rules, message_authenticator=MessageAuthenticatorRule.REQUIRE)
            self._write_rules(connection, name, rules, now, "client.promoted")
            return True

    def note(self, name: str, event: str, now: UnixSeconds, facts: Mapping[str, object]) -> None:
        """Put something that happened at a client into the audit trail."""
        with self._database.write() as connection:
            self._audit(connection, now, event, name, **facts)

    def rotate_shared_secret(
        self, name: str, shared_secret: SharedSecret, now: UnixSeconds, *, keep_old_until: UnixSeconds | None
    ) -> None:
        """Give a client a new shared secret; the old one is accepted beside it until a date, or ends at once.

        Two at a time need signed requests: the signature tells which one a NAS uses.
        """
        _refuse_short(shared_secret)
        with self._database.write() as connection:
            row = get_client(connection, name)
            client = self._client(connection, row)
            if keep_old_until is not None and not client.needs_signed_requests:
                raise OperationError(
                    f"client {name} may send unsigned requests, which do not tell which of two secrets they use;"
                    " let it sign and set --message-authenticator require, or change the secret at once with set-secret"
                )
            if any(one.secret == shared_secret for one in client.shared_secrets):
                raise OperationError("this is a shared secret that the client has already")
            self._refuse_ambiguity(connection, name, client.network, shared_secret, client.rules)
            ages = _ages(connection, row.id)
            newest = ages[0].number
            kept = None if keep_old_until is None else int(keep_old_until)
            self._drop_secrets(connection, row.id, keep=None if kept is None else newest)
            if kept is not None:
                self._insert_secret(connection, row, newest, client.shared_secret, ages[0].created_at, kept)
            self._insert_secret(connection, row, newest + 1, shared_secret, now)
            self._changed(connection, now, "client.shared_secret_set", name, old_until=kept)

    def forget_strangers(self, name: str, now: UnixSeconds) -> int:
        """Forget what strangers have failed at a client, from whatever network; returns from how many."""
        rows = schema.place_strangers
        with self._database.write() as connection:
            client = get_client(connection, name)
            emptied = connection.execute(delete(rows).where(rows.c.client_id == client.id)).rowcount
            self._audit(connection, now, "client.strangers_forgotten", name, networks=emptied)
            return emptied

    def end_old_secret(self, name: str, now: UnixSeconds) -> None:
        """Accept only the newest shared secret from now on."""
        with self._database.write() as connection:
            row = get_client(connection, name)
            ages = _ages(connection, row.id)
            if len(ages) < MAX_SHARED_SECRETS:
                raise OperationError(f"client {name} has one shared secret only")
            self._drop_secrets(connection, row.id, keep=ages[0].number)
            self._changed(connection, now, "client.old_secret_ended", name)

    def secret_ages(self, name: str) -> list[SecretAge]:
        """The shared secrets of a client by age, the newest first."""
        with self._database.read() as connection:
            return _ages(connection, get_client(connection, name).id)

    def show(self, name: str) -> NasClient:
        """One client."""
        with self._database.read() as connection:
            return self._client(connection, get_client(connection, name))

    def all(self) -> list[NasClient]:
        """Every client by name. Raises BrokenSealError naming a client whose row was altered."""
        return self.snapshot()[1]

    def snapshot(self) -> tuple[int, list[NasClient]]:
        """The generation and every client of it, in one consistent read."""
        with self._database.read() as connection:
            rows = connection.execute(select(schema.nas_clients).order_by(schema.nas_clients.c.name)).all()
            return clients_generation(connection), [self._client(connection, row) for row in rows]

    def generation(self) -> int:
        """Grows with every change to the clients."""
        with self._database.read() as connection:
            return clients_generation(connection)

    def _client(self, connection: Connection, row: Row[tuple[object, ...]]) -> NasClient:
        secrets_of = schema.nas_client_secrets
        query = select(secrets_of).where(secrets_of.c.client_id == row.id).order_by(secrets_of.c.number.desc())
        try:
            accepted = tuple(self._open(row, secret) for secret in connection.execute(query))
            rules = from_text(row.rules)
        except (BrokenSealError, ValueError) as error:
            raise BrokenSealError(f"the row of client {row.name} was altered in the database; add it anew") from error
        if not accepted:
            raise BrokenSealError(f"client {row.name} has lost its shared secret in the database; add it anew")
        return NasClient(ClientId(row.id), row.name, ip_network(row.network), accepted, rules)

    def _open(self, row: Row[tuple[object, ...]], secret: Row[tuple[object, ...]]) -> AcceptedSecret:
        place = shared_secret_context(row.name, row.network, row.rules, secret.number, secret.until)
        octets = self._keyring.open(secret.sealed_shared_secret, place)
        until = None if secret.until is None else UnixSeconds(secret.until)
        return AcceptedSecret(SharedSecret(octets), secret.number, until)

    def _insert_secret(
        self,
        connection: Connection,
        row: Row[tuple[object, ...]],
        number: int,
        shared_secret: SharedSecret,
        created_at: UnixSeconds,
        until: int | None = None,
    ) -> None:
        place = shared_secret_context(row.name, row.network, row.rules, number, until)
        connection.execute(delete(schema.nas_client_secrets).where(
            schema.nas_client_secrets.c.client_id == row.id, schema.nas_client_secrets.c.number == number
        ))  # fmt: skip
        connection.execute(
            insert(schema.nas_client_secrets).values(
                client_id=row.id,
                number=number,
                sealed_shared_secret=self._keyring.seal(shared_secret, place),
                until=until,
                created_at=created_at,
            )
        )

    def _drop_secrets(self, connection: Connection, client_id: int, *, keep: int | None) -> None:
        rows = schema.nas_client_secrets
        query = delete(rows).where(rows.c.client_id == client_id)
        connection.execute(query if keep is None else query.where(rows.c.number != keep))

    def _write_rules(self, connection: Connection, name: str, rules: ClientRules, now: UnixSeconds, event: str) -> None:
        """Write other rules and seal the secrets to them."""
        row = get_client(connection, name)
        client, ages = self._client(connection, row), _ages(connection, row.id)
        for one in client.shared_secrets:
            self._refuse_ambiguity(connection, name, client.network, one.secret, rules)
        if len(ages) > 1 and rules.message_authenticator is not MessageAuthenticatorRule.REQUIRE:
            raise OperationError(
                f"client {name} has two shared secrets, which only signed requests tell apart;"
                f" end the old one first: twinward client rotate-secret {name} --end-old"
            )
        connection.execute(
            update(schema.nas_clients).where(schema.nas_clients.c.id == row.id).values(rules=to_text(rules))
        )
        row = get_client(connection, name)
        for age, one in zip(ages, client.shared_secrets, strict=True):
            until = None if age.until is None else int(age.until)
            self._insert_secret(connection, row, age.number, one.secret, age.created_at, until)
        self._changed(connection, now, event, name, rules=to_text(rules))

    def _refuse_ambiguity(
        self, connection: Connection, name: str, network: Network, shared_secret: SharedSecret, rules: ClientRules
    ) -> list[NasClient]:
        """Refuse a client that could not be told from the others at the same network; returns those."""
        others = select(schema.nas_clients).where(
            schema.nas_clients.c.network == str(network), schema.nas_clients.c.name != name
        )
        same = [self._client(connection, row) for row in connection.execute(others).all()]
        for other in same:
            if not other.needs_signed_requests or rules.message_authenticator is not MessageAuthenticatorRule.REQUIRE:
                raise OperationError(
                    f"client {other.name} has the network {network} already; several NAS behind one address"
                    " are told apart by their signatures, so both need --message-authenticator require"
                )
            if any(one.secret == shared_secret for one in other.shared_secrets):
                raise OperationError(f"client {other.name} at the same network has this shared secret; use another one")
        if len(same) >= MAX_CLIENTS_OF_A_NETWORK:
            raise OperationError(f"{len(same)} clients have the network {network}; more are not told apart quickly")
        return same

    def _changed(self, connection: Connection, now: UnixSeconds, event: str, name: str, **facts: object) -> None:
        next_clients_generation(connection)
        self._audit(connection, now, event, name, **facts)

    def _audit(self, connection: Connection, now: UnixSeconds, event: str, name: str, **facts: object) -> None:
        self._installation.audit.append(connection, now, event, {"client": name, "by": self._by, **facts})


def new_shared_secret() -> SharedSecret:
    """A fresh random shared secret that can be typed: 32 characters, 192 bits."""
    return SharedSecret(secrets.token_urlsafe(NEW_SHARED_SECRET_OCTETS).encode("ascii"))


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise OperationError(f"{text} is not a network: {error}; write 192.0.2.1 or 192.0.2.0/24") from error


def _refuse_short(shared_secret: SharedSecret) -> None:
    if len(shared_secret) < MIN_SHARED_SECRET_OCTETS:
        raise OperationError(
            f"the shared secret has {len(shared_secret)} octets, at least {MIN_SHARED_SECRET_OCTETS} are needed:"
            " short ones are found by trying; leave it out to have one made"
        )


def _ages(connection: Connection, client_id: int) -> list[SecretAge]:
    rows = schema.nas_client_secrets
    query = select(rows).where(rows.c.client_id == client_id).order_by(rows.c.number.desc())
    return [
        SecretAge(row.number, UnixSeconds(row.created_at), None if row.until is None else UnixSeconds(row.until))
        for row in connection.execute(query)
    ]


def _find(connection: Connection, name: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(select(schema.nas_clients).where(schema.nas_clients.c.name == name)).one_or_none()


def get_client(connection: Connection, name: str) -> Row[tuple[object, ...]]:
    """The row of a client. Raises OperationError."""
    row = _find(connection, name)
    if row is None:
        raise OperationError(f"there is no client {name}; `twinward client list` shows them")
    return row
