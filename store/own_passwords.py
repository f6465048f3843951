"""Our own store as a first factor: opens a user's sealed hash and checks the password against it."""

from authn.errors import BrokenSealError, UnknownKeyError
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.secret import Password, Verifier
from store.contexts import verifier_context
from store.keyring import KeyRing
from store.passwords import PasswordHash, Passwords


class OwnPasswords:
    """The `first_factors.pool.Checker` over the store's own passwords. Several threads may check at once."""

    def __init__(self, passwords: Passwords, keyring: KeyRing) -> None:
        self._passwords = passwords
        self.keyring = keyring  # replaced whole when keys are rotated

    def check(self, question: AskFirstFactor, timeout_s: float) -> CheckedPassword:
        """Check one password; a hash does not wait, so `timeout_s` is not needed.

        With PASSED a foreign or outdated hash is renewed, sealed for the same
        user. SEAL_BROKEN for a hash that was altered or moved. CANNOT_TELL for a
        user without one, and without its data key.
        """
        keeper = question.keeper
        if question.user_id is None or keeper.verifier is None:
            return CheckedPassword(Finding.CANNOT_TELL, keeper)
        try:
            opened = self.keyring.open(keeper.verifier.reveal(), verifier_context(question.user_id, question.username))
        except BrokenSealError:
            return CheckedPassword(Finding.SEAL_BROKEN, keeper)
        except UnknownKeyError:
            return CheckedPassword(Finding.CANNOT_TELL, keeper)
        password_hash = PasswordHash(opened)
        finding = self._passwords.check(question.password, password_hash)
        renewed = None
        if finding is Finding.PASSED:
            place = verifier_context(question.user_id, question.username)
            renewed = self._renew(question.password, password_hash, place)
        return CheckedPassword(finding, keeper, renewed)

    def close(self) -> None:
        """Nothing is held."""

    def _renew(self, password: Password, password_hash: PasswordHash, place: bytes) -> Verifier | None:
        renewed = self._passwords.renew(password, password_hash)
        return None if renewed is None else Verifier(self.keyring.seal(renewed, place))
