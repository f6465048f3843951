"""NAS clients, as an operator handles them and as the server reads them.

A client is a network that may ask, with its own shared secret. Networks are
never equal; where one lies inside another, the longer prefix wins.
"""

import secrets
from ipaddress import ip_network

from sqlalchemy import Connection, Row, delete, insert, select, update

from authn.client import ClientId, InputMode, MessageAuthenticatorRule, NasClient, Network
from authn.errors import BrokenSealError, OperationError
from authn.instants import UnixSeconds
from authn.secret import SharedSecret
from store import schema
from store.contexts import shared_secret_context
from store.installation import Installation, clients_generation, next_clients_generation

MIN_SHARED_SECRET_OCTETS = 16
NEW_SHARED_SECRET_OCTETS = 24


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
        *,
        input_mode: InputMode = InputMode.SUFFIX,
        message_authenticator: MessageAuthenticatorRule = MessageAuthenticatorRule.REQUIRE,
    ) -> Network:
        """Add a client; returns its network."""
        if not name or len(name) > 64 or not name.isprintable() or name != name.strip():
            raise OperationError(f"{name!r} cannot be a client name: use 1 to 64 printable characters")
        try:
            parsed = ip_network(network)
        except ValueError as error:
            raise OperationError(f"{network} is not a network: {error}; write 192.0.2.1 or 192.0.2.0/24") from error
        _refuse_short(shared_secret)
        sealed = self._keyring.seal(
            shared_secret, shared_secret_context(name, str(parsed), input_mode, message_authenticator)
        )
        with self._database.write() as connection:
            if _find(connection, name) is not None:
                raise OperationError(f"there is a client {name} already")
            clients = schema.nas_clients
            taken = select(clients.c.name).where(clients.c.network == str(parsed))
            if other := connection.execute(taken).scalar_one_or_none():
                raise OperationError(f"client {other} has the network {parsed} already")
            connection.execute(
                insert(clients).values(
                    name=name,
                    network=str(parsed),
                    sealed_shared_secret=sealed,
                    input_mode=input_mode.value,
                    message_authenticator=message_authenticator.value,
                    created_at=now,
                )
            )
            next_clients_generation(connection)
            self._audit(
                connection,
                now,
                "client.added",
                name,
                network=str(parsed),
                input_mode=input_mode.value,
                message_authenticator=message_authenticator.value,
            )
        return parsed

    def remove(self, name: str, now: UnixSeconds) -> None:
        """Remove a client and the tallies kept for it."""
        with self._database.write() as connection:
            row = _get(connection, name)
            connection.execute(delete(schema.nas_clients).where(schema.nas_clients.c.id == row.id))
            next_clients_generation(connection)
            self._audit(connection, now, "client.removed", name)

    def set_shared_secret(self, name: str, shared_secret: SharedSecret, now: UnixSeconds) -> None:
        """Replace a client's shared secret at once."""
        _refuse_short(shared_secret)
        with self._database.write() as connection:
            row = _get(connection, name)
            place = shared_secret_context(row.name, row.network, row.input_mode, row.message_authenticator)
            sealed = self._keyring.seal(shared_secret, place)
            connection.execute(
                update(schema.nas_clients).where(schema.nas_clients.c.id == row.id).values(sealed_shared_secret=sealed)
            )
            next_clients_generation(connection)
            self._audit(connection, now, "client.shared_secret_set", name)

    def show(self, name: str) -> NasClient:
        """One client."""
        with self._database.read() as connection:
            return self._client(_get(connection, name))

    def all(self) -> list[NasClient]:
        """Every client by name. Raises BrokenSealError naming a client whose row was altered."""
        return self.snapshot()[1]

    def snapshot(self) -> tuple[int, list[NasClient]]:
        """The generation and every client of it, in one consistent read."""
        with self._database.read() as connection:
            rows = connection.execute(select(schema.nas_clients).order_by(schema.nas_clients.c.name))
            return clients_generation(connection), [self._client(row) for row in rows]

    def generation(self) -> int:
        """Grows with every change to the clients."""
        with self._database.read() as connection:
            return clients_generation(connection)

    def _client(self, row: Row[tuple[object, ...]]) -> NasClient:
        place = shared_secret_context(row.name, row.network, row.input_mode, row.message_authenticator)
        try:
            octets = self._keyring.open(row.sealed_shared_secret, place)
        except BrokenSealError as error:
            raise BrokenSealError(f"the row of client {row.name} was altered in the database; add it anew") from error
        return NasClient(
            ClientId(row.id),
            row.name,
            ip_network(row.network),
            SharedSecret(octets),
            InputMode(row.input_mode),
            MessageAuthenticatorRule(row.message_authenticator),
        )

    def _audit(self, connection: Connection, now: UnixSeconds, event: str, name: str, **facts: object) -> None:
        self._installation.audit.append(connection, now, event, {"client": name, "by": self._by, **facts})


def new_shared_secret() -> SharedSecret:
    """A fresh random shared secret that can be typed: 32 characters, 192 bits."""
    return SharedSecret(secrets.token_urlsafe(NEW_SHARED_SECRET_OCTETS).encode("ascii"))


def _refuse_short(shared_secret: SharedSecret) -> None:
    if len(shared_secret) < MIN_SHARED_SECRET_OCTETS:
        raise OperationError(
            f"the shared secret has {len(shared_secret)} octets, at least {MIN_SHARED_SECRET_OCTETS} are needed:"
            " short ones are found by trying; leave it out to have one made"
        )


def _find(connection: Connection, name: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(select(schema.nas_clients).where(schema.nas_clients.c.name == name)).one_or_none()


def _get(connection: Connection, name: str) -> Row[tuple[object, ...]]:
    row = _find(connection, name)
    if row is None:
        raise OperationError(f"there is no client {name}; `twinward client list` shows them")
    return row
