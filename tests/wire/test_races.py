"""A code lets in once, however many ask at once, through however many servers."""

import time
from collections import Counter

from support import installations
from support.daemon import Daemon, write_config
from support.nas import access_request, ask_all

from radius_wire.packet import PacketCode


def wait_for_a_fresh_step():
    """Codes of the step before must stay good while the test runs."""
    while time.time() % 30 > 15:
        time.sleep(0.2)


def test_200_parallel_logins_with_one_code(installation, daemon):
    alice = installations.add_person(installation, "alice")
    typed = alice.typed()  # once: the next step may begin while the requests are made
    codes = ask_all([(daemon.port, access_request("alice", typed)) for _ in range(200)], at_once=200)
    assert codes.count(PacketCode.ACCESS_ACCEPT) == 1
    assert codes.count(PacketCode.ACCESS_REJECT) == 199


def test_3000_codes_each_sent_twice_through_two_servers_on_one_database(folder, installation):
    installations.add_client(installation, "code-only", "127.0.0.1", inputs=["code-only"])
    people = installations.add_people(installation, [f"user{number}" for number in range(1000)])
    write_config(folder, reject_delay_s=0.1)
    daemons = [Daemon(folder, "first"), Daemon(folder, "second")]
    try:
        wait_for_a_fresh_step()
        at, accepts, rejects = time.time(), Counter(), 0
        for offset_s in (-30, 0, 30):  # a later step may not overtake an earlier one: one round per step
            sent = [(person, person.code(offset_s, at=at), daemon) for person in people for daemon in daemons]
            asked = [(daemon.port, access_request(person.name, code)) for person, code, daemon in sent]
            for (person, code, _), reply in zip(sent, ask_all(asked, at_once=128), strict=True):
                accepts[person.name, code] += reply == PacketCode.ACCESS_ACCEPT
                rejects += reply == PacketCode.ACCESS_REJECT
    finally:
        stopped = [daemon.stop() for daemon in daemons]
    assert stopped == [0, 0]
    # Two steps of one user show the same digits once in a million; those count as one code.
    assert len(accepts) >= 2995
    assert set(accepts.values()) == {1}
    assert accepts.total() + rejects == 6000
    with installation.database.read() as connection:
        assert list(installation.audit.verify(connection)) == []
