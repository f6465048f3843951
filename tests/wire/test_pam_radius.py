"""Linux logins through pam_radius_auth, as Debian ships it: it signs nothing, so its client is relaxed by name."""

import pytest
from support import installations
from support.freeradius import free_udp_port
from support.pam_radius import PamService

from authn.client import MessageAuthenticatorRule


@pytest.fixture
def alice(installation):
    return installations.add_person(installation, "alice")


@pytest.fixture
def relaxed(installation):
    """The client that pam_radius_auth needs."""
    installations.add_client(
        installation, "pam_radius", "127.0.0.1", message_authenticator=MessageAuthenticatorRule.ALLOW
    )


@pytest.fixture
def service(tmp_path, relaxed, daemon):
    """A PAM service that asks the server."""
    service = PamService(tmp_path, daemon.port)
    yield service
    service.remove()


def test_password_and_code_in_one_field_let_in_through_pam_and_the_code_is_then_spent(alice, service):
    typed = alice.typed()
    let_in = service.log_in("alice", typed)
    assert let_in.let_in, let_in.text
    assert not service.log_in("alice", typed).let_in
    assert service.log_in("alice", alice.typed(30)).let_in


@pytest.mark.parametrize("what", ["wrong password", "wrong code"])
def test_what_is_wrong_is_refused_through_pam(alice, service, what):
    typed = {"wrong password": "wrong" + alice.code(), "wrong code": alice.typed(3000)}[what]
    refused = service.log_in("alice", typed)
    assert not refused.let_in
    assert "Authentication failure" in refused.text
    assert service.log_in("alice", alice.typed()).let_in  # so it was not the service that was broken


def test_a_client_that_must_sign_keeps_pam_out(alice, tmp_path, daemon):
    service = PamService(tmp_path, daemon.port)
    try:
        assert not service.log_in("alice", alice.typed()).let_in
    finally:
        service.remove()
    daemon.wait_for("no Message-Authenticator")


def test_a_dead_server_is_refused_within_its_timeout(tmp_path):
    """The shortest timeout that pam_radius_auth knows is three seconds."""
    service = PamService(tmp_path, free_udp_port(), timeout_s=3)
    try:
        refused = service.log_in("alice", "correct horse000000")
    finally:
        service.remove()
    assert not refused.let_in
    assert "cannot retrieve authentication info" in refused.text
    assert 2.5 < refused.seconds < 6
