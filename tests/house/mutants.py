"""Protections, each with the change that takes it out and the tests that must then fail.

`test_mutants.py` applies every one to a copy of the tree and runs its tests.
`old` must stand in the file exactly once, so that this list cannot go stale.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """Replace `old` by `new` in `file`; then `tests` must fail."""

    protection: str
    file: str
    old: str
    new: str
    tests: str


WIRE = "tests/radius_wire"
DECIDE = "tests/authn/test_decide.py"
DESK = "tests/authn/test_desk.py"
HANDLER = "tests/radius_server/test_handler.py"
ATTEMPTS = "tests/store/test_attempts.py"
CLIENT = "tests/radius_client"

MUTANTS = [
    Mutant("requests are checked for authenticity", "radius_server/handler.py",
           "            verify_message_authenticator(packet, client.shared_secret.reveal())\n", "            pass\n", HANDLER),
    Mutant("unsigned requests are dropped", "radius_server/handler.py",
           "        return Cause.UNSIGNED\n", "        return None\n", HANDLER),
    Mutant("unsigned Proxy-State is dropped", "radius_server/handler.py",
           "        return Cause.UNSIGNED_PROXY_STATE\n", "        pass\n", HANDLER),
    Mutant("unsigned EAP is dropped", "radius_server/handler.py",
           "        return Cause.UNSIGNED_EAP\n", "        pass\n", HANDLER),
    Mutant("strangers get silence", "radius_server/clients.py",
           "        return None\n", "        return next(iter(next(iter(self._by_prefix.values())).values()))\n",
           "tests/radius_server/test_clients.py"),
    Mutant("the longest prefix wins", "radius_server/clients.py",
           "sorted(self._by_prefix, reverse=True)", "sorted(self._by_prefix)", "tests/radius_server/test_clients.py"),
    Mutant("the Message-Authenticator is compared", "radius_wire/authenticators.py",
           "    if not hmac.compare_digest(expected, octets[at:end]):", "    if False:", WIRE),
    Mutant("the Response Authenticator is compared", "radius_wire/authenticators.py",
           "    if not hmac.compare_digest(expected, reply.authenticator):", "    if False:", WIRE),
    Mutant("replies are signed before everything else", "radius_wire/packet.py",
           "    return head + mac + body", "    return head[:-2] + body + head[-2:] + mac", WIRE),
    Mutant("attributes may not run past the end", "radius_wire/packet.py",
           "end < at + 2 or end > length or kind == 0", "end < at + 2 or kind == 0", WIRE),
    Mutant("attribute length 0 does not loop", "radius_wire/packet.py",
           "end < at + 2 or end > length", "end == at + 1 or end > length", f"{WIRE}/test_packet.py::test_malformed_packets_are_refused --timeout=20"),
    Mutant("there is one Message-Authenticator", "radius_wire/packet.py",
           "message_authenticator_at is not None or end - at", "end - at", WIRE),
    Mutant("a spent step is refused", "authn/decide.py",
           "    if not match.is_fresh:\n        return Decision(Reject(Reason.CODE_REPLAYED))\n", "", DECIDE),
    Mutant("digits shown again by chance are refused", "authn/decide.py",
           "around=token.last_step, window=0) is None", "around=token.last_step, window=0) is not code", DECIDE),
    Mutant("a wrong code asks no password", "authn/decide.py",
           "    if match is None:\n", "    if match is None and checked is None and account.id and account.verifier:\n"
           "        return AskFirstFactor(account.id, request.password, account.verifier)\n    if match is None:\n", DECIDE),
    Mutant("a password is checked at all", "authn/decide.py",
           "    if request.client.input_mode is not InputMode.CODE_ONLY:", "    if False:", DECIDE),
    Mutant("a wrong password is refused", "authn/decide.py",
           "            return _failed(Reason.WRONG_PASSWORD, request, account, policy)",
           "            return _accepted(match, account, policy)", DECIDE),
    Mutant("a first factor that cannot tell lets nobody in", "authn/decide.py",
           "            return Decision(Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE))",
           "            return _accepted(match, account, policy)", DECIDE),
    Mutant("a password changed meanwhile is checked anew", "authn/decide.py",
           "checked is None or checked.verifier != verifier", "checked is None", DECIDE),
    Mutant("unknown users are refused", "authn/decide.py",
           "        return Reason.UNKNOWN_USER", "        return None", DECIDE),
    Mutant("disabled users are refused", "authn/decide.py",
           "        return Reason.USER_DISABLED", "        pass", DECIDE),
    Mutant("failures delay", "authn/decide.py", "        return Reason.LOCKED", "        pass", DECIDE),
    Mutant("failures are counted", "authn/decide.py",
           "tally=after_failure(account.tally, policy.lockout, request.received)", "tally=None", DECIDE),
    Mutant("unusable requests are refused", "authn/decide.py",
           "    if request.unusable is not None:", "    if False:", DECIDE),
    Mutant("the window is bounded", "authn/totp.py",
           "range(max(0, around - window), around + window + 1)", "range(max(0, around - window - 1), around + window + 2)",
           "tests/authn/test_totp.py " + DECIDE),
    Mutant("drift is bounded", "authn/decide.py",
           "    return max(-policy.max_drift, min(policy.max_drift, drift))", "    return drift", DECIDE),
    Mutant("an empty password is refused", "authn/credentials.py",
           "            if len(octets) == digits:\n                return None\n", "", "tests/authn/test_credentials.py"),
    Mutant("a user stands in a batch once", "authn/authenticate.py",
           "    if len(set(names)) != len(names):", "    if False:", DECIDE),
    Mutant("the desk holds a second login of a user back", "authn/desk.py",
           "if username in users and username != NOBODY:", "if False:", DESK),
    Mutant("one user cannot fill the desk", "authn/desk.py",
           "self._logins_of[username] >= MAX_WAITING_PER_USER", "False", DESK),
    Mutant("a verdict has no truth value", "authn/verdict.py",
           "    def __bool__(self) -> NoReturn:\n        raise TypeError(\"a verdict has no truth value; match on it\")",
           "    pass", DECIDE),
    Mutant("the condition in the statement decides", "store/attempts.py",
           "return decision.verdict if cursor.rowcount == 1 else Reject(Reason.CODE_REPLAYED)", "return decision.verdict",
           "tests/store/test_spend.py"),
    Mutant("a step at or below the last is not spent", "store/attempts.py",
           "WHERE id = ? AND last_step < ? AND phase", "WHERE id = ? AND ? AND phase", "tests/store/test_spend.py"),
    Mutant("the transaction holds the write lock from its start", "store/attempts.py",
           'self._attempts.execute("BEGIN IMMEDIATE")', 'self._attempts.execute("BEGIN")', "tests/store/test_spend.py"),
    Mutant("a login is audited with its spend", "store/attempts.py",
           "            audit_rows.append(row)\n", "", ATTEMPTS),
    Mutant("a seed is bound to its user", "store/contexts.py",
           '"sealed_seed", user_id, serial', '"sealed_seed", serial', ATTEMPTS),
    Mutant("a seed is bound to its phase", "store/contexts.py", "serial, phase, shape", "serial, shape", ATTEMPTS),
    Mutant("a seed is bound to its parameters", "store/contexts.py", "phase, shape)", "phase)", ATTEMPTS),
    Mutant("a password hash is bound to its user", "store/contexts.py",
           '"sealed_verifier", user_id)', '"sealed_verifier")', ATTEMPTS),
    Mutant("a shared secret is bound to what is demanded of its client", "store/contexts.py",
           "input_mode, message_authenticator)\n", "input_mode)\n", "tests/store/test_nas_clients.py"),
    Mutant("a shared secret is bound to what its users must type", "store/contexts.py",
           "network, input_mode, message_authenticator)\n", "network, message_authenticator)\n",
           "tests/store/test_nas_clients.py"),
    Mutant("a wrong key is refused", "store/installation.py",
           "if _meta(connection, _CHECK_VALUE) != kek.check_value():", "if False:", "tests/store/test_installation.py"),
    Mutant("a key file that others can read is refused", "store/keyring.py",
           "    if mode & 0o077:", "    if False:", "tests/store/test_keyring.py"),
    Mutant("nothing is overwritten", "store/installation.py",
           "            if path.exists():", "            if False:", "tests/store/test_installation.py"),
    Mutant("a short shared secret is refused", "store/nas_clients.py",
           "    if len(shared_secret) < MIN_SHARED_SECRET_OCTETS:", "    if False:", "tests/twinward/test_cli.py"),
    Mutant("the chain holds each row to the one before", "store/audit.py",
           "{body}\".encode() + previous", "{body}\".encode()", "tests/store/test_audit.py"),
    Mutant("refusals wait for their floor", "radius_server/handler.py",
           "due = conversation.came_in + settings.reject_delay_s", "due = conversation.came_in", HANDLER),
    Mutant("a repeat gets the same octets", "radius_server/handler.py",
           "        self._duplicates.answer(conversation.key, conversation.packet.authenticator, octets)\n", "", HANDLER),
    Mutant("no verdict is silence and not remembered", "radius_server/handler.py",
           "                self._duplicates.forget(conversation.key, conversation.packet.authenticator)\n", "", HANDLER),
    Mutant("no code is spent on a login that cannot be told", "radius_server/handler.py",
           "if packet.room_in_reply() < MIN_ROOM_OCTETS:", "if False:", HANDLER),
    Mutant("an overfull desk sheds", "radius_server/handler.py",
           "if self._desk.is_full_for(request.username) or", "if", HANDLER),
    Mutant("the reply cache is bounded", "radius_server/duplicates.py",
           "or len(self._by_age) >= self._max_entries", "", "tests/radius_server/test_duplicates.py"),
    Mutant("remembered strangers are bounded", "radius_server/clients.py",
           "            self._remembered.clear()", "            pass", "tests/radius_server/test_clients.py"),
    Mutant("NUL in a password is refused", "radius_server/translate.py",
           '            if b"\\0" in octets:', "            if False:", "tests/radius_server/test_translate.py"),
    Mutant("questions to the pool are bounded in time", "store/password_pool.py",
           "if self._clock() - asked_at > self._max_wait_s:", "if False:", "tests/store/test_passwords.py"),
    Mutant("the client believes proven replies only", "radius_client/exchange.py",
           "            verify_reply(\n", "            (lambda *a, **k: None)(\n", CLIENT),
    Mutant("the client looks at the identifier", "radius_client/exchange.py",
           "            if reply.identifier != request[1]:", "            if False:", CLIENT),
    Mutant("secrets hide themselves", "authn/secret.py",
           'return f"{type(self).__name__}(hidden)"', "return repr(self._octets)", "tests/authn/test_secret.py"),
]  # fmt: skip
