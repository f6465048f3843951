"""Repeats get the same octets; the cache is bounded in time and size."""

from radius_server.datagrams import Datagram
from radius_server.duplicates import FRESH, IN_FLIGHT, Answered, Duplicates, key_of

KEY = (0, "192.0.2.1", 1645, 7)


def make(max_entries=100):
    return Duplicates(lifetime_s=45, max_entries=max_entries)


def test_a_request_goes_from_fresh_over_in_flight_to_answered():
    duplicates = make()
    assert duplicates.admit(KEY, b"a", 0) == FRESH
    assert duplicates.admit(KEY, b"a", 1) == IN_FLIGHT
    duplicates.answer(KEY, b"a", b"reply")
    assert duplicates.admit(KEY, b"a", 44) == Answered(b"reply")
    assert duplicates.admit(KEY, b"a", 45) == FRESH


def test_another_authenticator_is_a_new_request_and_the_old_answer_does_not_land_on_it():
    duplicates = make()
    duplicates.admit(KEY, b"a", 0)
    assert duplicates.admit(KEY, b"b", 1) == FRESH
    duplicates.answer(KEY, b"a", b"for a")
    assert duplicates.admit(KEY, b"b", 2) == IN_FLIGHT
    duplicates.forget(KEY, b"a")
    assert duplicates.admit(KEY, b"b", 3) == IN_FLIGHT


def test_another_socket_address_port_or_identifier_is_another_request():
    duplicates = make()
    duplicates.admit(KEY, b"a", 0)
    for key in ((1, *KEY[1:]), (0, "192.0.2.2", 1645, 7), (0, "192.0.2.1", 1646, 7), (*KEY[:3], 8)):
        assert duplicates.admit(key, b"a", 0) == FRESH


def test_a_forgotten_request_is_fresh_again():
    duplicates = make()
    duplicates.admit(KEY, b"a", 0)
    duplicates.forget(KEY, b"a")
    assert duplicates.admit(KEY, b"a", 0) == FRESH


def test_the_oldest_goes_when_it_is_full():
    duplicates = make(max_entries=10)
    for number in range(1000):
        duplicates.admit((0, "192.0.2.1", number, 7), b"a", 0)
        assert len(duplicates) <= 10
    assert duplicates.admit((0, "192.0.2.1", 999, 7), b"a", 0) == IN_FLIGHT


def test_the_key_is_what_rfc_5080_names():
    assert key_of(Datagram(bytes((1, 9)), 2, ("192.0.2.1", 1645))) == (2, "192.0.2.1", 1645, 9)
