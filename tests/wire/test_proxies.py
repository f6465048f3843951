"""radclient, a proxy, twinward: each leg has its own shared secret, and twinward's client must sign.

Both proxies and radclient drop a reply that its shared secret does not prove, so one that arrives was right on each
leg. FreeRADIUS adds a Proxy-State, yet does not look for it in the reply, and gives the NAS back what it remembers:
its log has to show what twinward returned. radsecproxy adds none and hands on what it gets.
"""

import pytest
from support import installations
from support.freeradius import OUTER_SECRET, FreeradiusProxy
from support.radclient import radclient
from support.radsecproxy import Radsecproxy

PROXIES = [FreeradiusProxy, Radsecproxy]
PROXY_STATES = "Proxy-State = 0x4142\nProxy-State = 0x43\nProxy-State = 0x41"


@pytest.fixture
def alice(installation):
    return installations.add_person(installation, "alice")


@pytest.fixture
def start(tmp_path, daemon):
    """Start a proxy in front of the server; stopped after the test."""
    started = []

    def start_one(proxy_class, **settings):
        proxy = proxy_class(tmp_path, daemon.port, **settings)
        started.append(proxy)
        return proxy

    yield start_one
    for proxy in started:
        proxy.stop()


def log_in(proxy, username, typed, **more):
    """One Access-Request to a proxy."""
    return radclient(proxy.port, username, typed, **{"shared_secret": OUTER_SECRET} | more)


@pytest.mark.parametrize("proxy_class", PROXIES)
def test_a_right_login_is_accepted_through_a_proxy_and_its_code_is_then_spent(alice, start, proxy_class):
    proxy = start(proxy_class)
    typed = alice.typed()
    accepted = log_in(proxy, "alice", typed)
    assert accepted.reply == "Access-Accept", proxy.log
    assert "Message-Authenticator = 0x" in accepted.text.split("Received Access-Accept")[1]
    assert log_in(proxy, "alice", typed).reply == "Access-Reject"
    assert log_in(proxy, "alice", alice.typed(30)).reply == "Access-Accept"


@pytest.mark.parametrize("proxy_class", PROXIES)
@pytest.mark.parametrize("what", ["wrong password", "wrong code"])
def test_what_is_wrong_is_rejected_through_a_proxy(alice, start, proxy_class, what):
    typed = {"wrong password": "wrong" + alice.code(), "wrong code": alice.typed(3000)}[what]
    proxy = start(proxy_class)
    rejected = log_in(proxy, "alice", typed)
    assert rejected.reply == "Access-Reject", proxy.log
    assert 'Reply-Message = "Login refused."' in rejected.text


@pytest.mark.parametrize("proxy_class", PROXIES)
def test_a_proxy_proves_itself_to_twinward_with_a_shared_secret_that_the_nas_does_not_have(alice, start, proxy_class):
    proxy = start(proxy_class)
    inner = log_in(proxy, "alice", alice.typed(), shared_secret=installations.SHARED_SECRET, timeout_s=1)
    assert inner.reply is None
    assert log_in(proxy, "alice", alice.typed()).reply == "Access-Accept", proxy.log


@pytest.mark.parametrize("proxy_class", PROXIES)
def test_proxy_states_of_a_nas_come_back_to_it_in_order_and_no_others(alice, start, proxy_class):
    proxy = start(proxy_class)
    reply = log_in(proxy, "alice", alice.typed(), extra=PROXY_STATES)
    assert reply.reply == "Access-Accept", proxy.log
    lines = reply.text.split("Received Access-Accept")[1].splitlines()
    assert [line.strip() for line in lines if "Proxy-State" in line] == PROXY_STATES.splitlines()


def test_what_freeradius_adds_as_proxy_state_comes_back_behind_those_of_the_nas(alice, start):
    proxy = start(FreeradiusProxy)
    assert log_in(proxy, "alice", alice.typed(), extra=PROXY_STATES).reply == "Access-Accept", proxy.log
    sent = proxy.proxy_states("Sent Access-Request")
    assert len(sent) == 1 + len(PROXY_STATES.splitlines())
    assert proxy.proxy_states("Received Access-Accept") == sent


def test_freeradius_drops_what_a_nas_did_not_sign(alice, start):
    proxy = start(FreeradiusProxy)
    typed = alice.typed()
    assert log_in(proxy, "alice", typed, signed=False, timeout_s=1).reply is None
    assert "does not contain required Message-Authenticator" in proxy.log
    assert log_in(proxy, "alice", typed).reply == "Access-Accept", proxy.log


def test_radsecproxy_hands_on_what_a_nas_did_not_sign_and_twinward_drops_it(alice, start, daemon):
    proxy = start(Radsecproxy)
    typed = alice.typed()
    assert log_in(proxy, "alice", typed, signed=False, timeout_s=1).reply is None
    daemon.wait_for("no Message-Authenticator")
    assert log_in(proxy, "alice", typed).reply == "Access-Accept", proxy.log


@pytest.mark.parametrize("proxy_class", PROXIES)
def test_a_proxy_can_sign_for_a_nas_that_does_not(alice, start, proxy_class):
    proxy = start(proxy_class, signs_for_nas=True)
    assert log_in(proxy, "alice", alice.typed(), signed=False).reply == "Access-Accept", proxy.log
