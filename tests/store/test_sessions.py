"""Sessions: records may come late, twice and out of order."""

from dataclasses import replace

import pytest
from support import installations

from authn.errors import OperationError
from authn.session import SessionEvent, SessionRecord
from store.client_sightings import ClientSightings, Sighting
from store.nas_clients import NasClients
from store.sessions import KEPT_AFTER_STOP_S, SILENT_FOR_S, Sessions

START, UPDATE, STOP, RESTART = SessionEvent


@pytest.fixture
def client(installation):
    installations.add_client(installation, "vpn", "192.0.2.0/24")
    return NasClients(installation, "test").show("vpn")


@pytest.fixture
def sessions(installation):
    return Sessions(installation.database)


@pytest.fixture
def record(client):
    identification = ((44, b"s1"), (1, b"alice"))
    return SessionRecord(START, client, "192.0.2.1", 1000.0, b"s1", "alice", b"alice", "10.0.0.1", None, 0, 0,
                         identification)  # fmt: skip


def told(record, event, at, **more):
    return replace(record, event=event, at=at, **more)


def test_a_session_opens_goes_on_and_ends(sessions, record):
    sessions.record([record])
    [one] = sessions.open("alice")
    assert (one.client, one.identification, one.started_at) == ("vpn", record.identification, 1000.0)
    sessions.record([told(record, UPDATE, 1060.0, input_octets=7, framed_address="10.1.1.1")])
    [one] = sessions.open()
    assert (one.started_at, one.updated_at, one.input_octets, one.framed_address) == (1000.0, 1060.0, 7, "10.1.1.1")
    sessions.record([told(record, STOP, 1100.0)])
    assert sessions.open("alice") == []
    assert sessions.show(one.id).stopped_at == 1100.0


def test_late_news_do_not_open_an_ended_session(sessions, record):
    sessions.record([told(record, STOP, 1100.0), record, told(record, UPDATE, 1050.0)])
    assert sessions.open() == []


def test_an_id_used_again_is_a_new_session(sessions, record):
    sessions.record([record, told(record, STOP, 1100.0), told(record, START, 2000.0, username="bob")])
    [one] = sessions.open("bob")
    assert one.started_at == 2000.0


def test_a_nas_that_restarts_has_no_sessions(sessions, record):
    other = replace(record, nas="192.0.2.2")
    sessions.record([record, other, told(record, RESTART, 1500.0)])
    assert [one.nas for one in sessions.open()] == ["192.0.2.2"]


def test_old_sessions_are_forgotten_and_silent_ones_end(sessions, record):
    sessions.record([record, replace(record, acct_session_id=b"s2", at=1000.0 + SILENT_FOR_S)])
    sessions.prune(1000.0 + SILENT_FOR_S + 10)
    [one] = sessions.open()
    assert one.acct_session_id == b"s2"
    sessions.prune(1000.0 + KEPT_AFTER_STOP_S + 10)
    with pytest.raises(OperationError, match="there is no session 1"):
        sessions.show(1)


def test_a_client_cannot_fill_the_table(sessions, record, monkeypatch):
    monkeypatch.setattr("store.sessions.MAX_SESSIONS_PER_CLIENT", 3)
    sessions.record([replace(record, acct_session_id=b"%d" % number, at=1000.0 + number) for number in range(9)])
    sessions.prune(2000.0)
    assert {one.acct_session_id for one in sessions.open()} == {b"6", b"7", b"8"}


def test_a_closed_session_stays_closed(sessions, record):
    sessions.record([record])
    sessions.close(1, 1200.0)
    assert sessions.open() == []


def test_sightings_add_up_and_those_of_removed_clients_are_passed_over(installation, client):
    sightings = ClientSightings(installation.database)
    sightings.add([Sighting(client.id, "signed", 3, 1000.0), Sighting(client.id + 9, "signed", 3, 1000.0)])
    sightings.add([Sighting(client.id, "signed", 2, 1010.0)])
    assert sightings.of(client.id) == {"signed": Sighting(client.id, "signed", 5, 1010.0)}
    assert sightings.of(client.id + 9) == {}
