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


def change(clients, octets, keep_old_until=None):
    clients.rotate_shared_secret("vpn", SharedSecret(octets), installations.now(), keep_old_until=keep_old_until)


def test_a_client_comes_back_with_its_secret_and_bumps_the_generation(clients):
    before = clients.generation()
    assert clients.show("vpn").shared_secret == SharedSecret(installations.SHARED_SECRET)
    change(clients, b"another shared secret")
    assert clients.show("vpn").shared_secret == SharedSecret(b"another shared secret")
    assert clients.generation() == before + 1
    clients.remove("vpn", installations.now())
    assert clients.snapshot() == (before + 2, [])
    with pytest.raises(OperationError):
        change(clients, b"yet another shared secret")


def test_a_short_secret_is_refused_when_replacing_too(clients):
    with pytest.raises(OperationError):
        change(clients, b"short")


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE nas_clients SET rules = replace(rules, 'require', 'allow')",
        "UPDATE nas_clients SET rules = replace(rules, 'suffix', 'code-only')",
        "UPDATE nas_clients SET rules = '{}'",
        "UPDATE nas_client_secrets SET number = 7",
        "UPDATE nas_client_secrets SET until = 9999999999",
        "DELETE FROM nas_client_secrets",
        "UPDATE nas_clients SET network = '0.0.0.0/0'",
        "UPDATE nas_clients SET name = 'other'",
    ],
)
def test_a_client_altered_in_the_database_does_not_open(clients, tmp_path, edit):
    """Who can write to the database cannot relax a client, nor stretch it over the world."""
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute(edit)
    connection.close()
    with pytest.raises(BrokenSealError, match=r"altered|lost"):
        clients.all()


def test_shared_secrets_made_here_are_long_and_differ():
    made = {new_shared_secret().reveal() for _ in range(20)}
    assert len(made) == 20
    assert all(len(secret) == 32 for secret in made)
