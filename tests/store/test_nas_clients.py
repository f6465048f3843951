"""NAS clients as an operator handles them."""

import sqlite3

import pytest
from support import installations

from authn.errors import BrokenSealError, OperationError
from authn.secret import SharedSecret
from store.nas_clients import NasClients, new_shared_secret


@pytest.fixture
def clients(installation):
    installations.add_client(installation, "vpn", "192.0.2.0/24")
    return NasClients(installation, "test")


def test_a_client_comes_back_with_its_secret_and_bumps_the_generation(clients):
    before = clients.generation()
    assert clients.show("vpn").shared_secret == SharedSecret(installations.SHARED_SECRET)
    clients.set_shared_secret("vpn", SharedSecret(b"another shared secret"), installations.now())
    assert clients.show("vpn").shared_secret == SharedSecret(b"another shared secret")
    assert clients.generation() == before + 1
    clients.remove("vpn", installations.now())
    assert clients.snapshot() == (before + 2, [])
    with pytest.raises(OperationError):
        clients.set_shared_secret("vpn", new_shared_secret(), installations.now())


def test_a_short_secret_is_refused_when_replacing_too(clients):
    with pytest.raises(OperationError):
        clients.set_shared_secret("vpn", SharedSecret(b"short"), installations.now())


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE nas_clients SET message_authenticator = 'allow'",
        "UPDATE nas_clients SET input_mode = 'code-only'",
        "UPDATE nas_clients SET input_mode = 'nonsense'",
        "UPDATE nas_clients SET network = '0.0.0.0/0'",
        "UPDATE nas_clients SET name = 'other'",
    ],
)
def test_a_client_altered_in_the_database_does_not_open(clients, tmp_path, edit):
    """Who can write to the database cannot relax a client, nor stretch it over the world."""
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute(edit)
    connection.close()
    with pytest.raises(BrokenSealError, match="altered"):
        clients.all()


def test_shared_secrets_made_here_are_long_and_differ():
    made = {new_shared_secret().reveal() for _ in range(20)}
    assert len(made) == 20
    assert all(len(secret) == 32 for secret in made)
