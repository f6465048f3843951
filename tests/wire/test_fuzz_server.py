"""A short run of the program that fuzzes the server, so that it cannot rot."""

from wire.fuzz_server import Fuzzing, sign

from radius_wire.authenticators import verify_message_authenticator, verify_request_authenticator
from radius_wire.packet import PacketCode, build_request, build_signed_by_authenticator, parse


def test_a_short_run_finds_nothing(tmp_path):
    report = Fuzzing(tmp_path, seed=1).run(6, warm_up_s=3)
    assert report.is_good, report
    assert report.right_logins > 10
    assert report.check_logins >= 2
    assert {how for _, how in report.sent} == {"valid", "mutated", "mutated, signed", "noise", "sent again", "check"}
    assert {"ACCESS_ACCEPT", "ACCESS_REJECT", "ACCESS_CHALLENGE", "ACCOUNTING_RESPONSE"} == set(report.replies)
    assert report.drops
    assert report.baseline_kb > 0


def test_what_is_signed_anew_is_authentic():
    """Without this the fuzzer would knock at the gate only."""
    request = build_request(PacketCode.ACCESS_REQUEST, 1, bytes(16), [(1, b"x")], b"other") + b"padding"
    verify_message_authenticator(parse(sign(request, b"secret")), b"secret")
    record = build_signed_by_authenticator(PacketCode.ACCOUNTING_REQUEST, 1, [(40, b"1234")], b"other")
    verify_request_authenticator(parse(sign(record, b"secret")), b"secret")
