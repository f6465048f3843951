"""Codes as in RFC 4226 appendix D and RFC 6238 appendix B; the window search returns the step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import vectors

from authn.instants import UnixSeconds
from authn.otp import Algorithm, TimeStep, TotpParameters, code_at, match_step, steps_around
from authn.secret import Seed

VECTORS = vectors.load("rfc4226_d_rfc6238_b")
SEED = Seed(b"12345678901234567890")
parameter_sets = st.builds(
    TotpParameters, st.sampled_from([30, 60]), st.integers(6, 8), st.sampled_from(list(Algorithm))
)


def test_the_hotp_values_of_rfc_4226_appendix_d():
    hotp = VECTORS["hotp"]
    seed = Seed(hotp["secret_ascii"].encode())
    codes = [code_at(seed, TimeStep(count), TotpParameters()) for count in range(len(hotp["values"]))]
    assert codes == hotp["values"]


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_totp_values_of_rfc_6238_appendix_b(algorithm):
    totp = VECTORS["totp"]
    column = totp["columns"].index(algorithm.value.upper())
    seed = Seed(totp["secrets_ascii"][algorithm.value.upper()].encode())
    parameters = TotpParameters(totp["step"], totp["digits"], algorithm)
    for row in totp["rows"]:
        assert code_at(seed, parameters.step_at(UnixSeconds(row[0])), parameters) == row[column]


@given(parameter_sets, st.integers(1, 10**9), st.integers(0, 4), st.integers(-8, 8))
def test_a_code_is_found_inside_the_window_and_not_beyond(parameters, here, window, offset):
    step = max(0, here + offset)
    found = match_step(SEED, code_at(SEED, TimeStep(step), parameters), parameters, steps_around(here, window))
    if abs(step - here) <= window:
        assert found is not None
        assert code_at(SEED, found, parameters) == code_at(SEED, TimeStep(step), parameters)
        assert found >= step  # of two steps with one code, the newer
    elif found is not None:  # a coincidence of two codes, not the step itself
        assert abs(found - here) <= window


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "+12345", " 12345", "-12345"])
def test_what_is_no_code_matches_nothing(code):
    """Also digits that are not ASCII and signs, which `int` would take."""
    parameters = TotpParameters()
    for step in range(50):
        assert match_step(SEED, code, parameters, steps_around(step, 1)) is None


def test_leading_zeros_count():
    parameters = TotpParameters()
    step = next(one for one in range(1000) if code_at(SEED, TimeStep(one), parameters).startswith("0"))
    code = code_at(SEED, TimeStep(step), parameters)
    assert match_step(SEED, code, parameters, steps_around(step, 0)) == step
    assert match_step(SEED, code[1:], parameters, steps_around(step, 0)) is None


@pytest.mark.parametrize(("period", "digits"), [(9, 6), (301, 6), (30, 5), (30, 9)])
def test_parameters_that_no_token_has_are_refused(period, digits):
    with pytest.raises(ValueError):
        TotpParameters(period, digits)


@given(st.binary(max_size=200), st.integers(0, 2**40), st.sampled_from(list(Algorithm)))
def test_the_hmac_is_that_of_the_standard_library(key, step, algorithm):
    """Keys longer than a block of the hash are hashed first (RFC 2104 §3)."""
    import hmac

    digest = hmac.digest(key, step.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 15
    number = (int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF) % 10**8
    assert code_at(Seed(key), TimeStep(step), TotpParameters(30, 8, algorithm)) == f"{number:08d}"
