"""Rules that cannot work together are refused where they are made."""

import pytest

from authn.client import AcceptedInput, ClientRules, InputMode, Method


def inputs(*names):
    return tuple(AcceptedInput(InputMode(name)) for name in names)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"inputs": ()}, "at least one input mode"),
        ({"inputs": (AcceptedInput(InputMode.PREFIX, 1.0),)}, "without an end"),
        ({"inputs": inputs("suffix", "suffix")}, "twice"),
        ({"inputs": inputs("suffix", "code-only")}, "code-only stands alone"),
        ({"inputs": inputs("password-only", "challenge")}, "password-only stands alone"),
        ({"inputs": inputs("static-challenge")}, "it is not set"),
        ({"inputs": inputs("suffix"), "uniform_challenge": True}, "needs the input mode challenge"),
        ({"methods": frozenset()}, "at least one method"),
        ({"methods": frozenset([Method.CHAP])}, "chap needs the input mode code-only"),
        ({"methods": frozenset([Method.PAP, Method.MSCHAPV2]), "inputs": inputs("suffix")}, "mschapv2 needs"),
        ({"separator": ""}, "one printable ASCII"),
        ({"separator": "§"}, "one printable ASCII"),
        ({"separator": "7"}, "neither a letter nor a digit"),
        ({"prompt": ""}, "a prompt has"),
        ({"prompt": "code?\x07"}, "a prompt has"),
        ({"prompt": "x" * 201}, "a prompt has"),
        ({"timeout_s": 0.1}, "a NAS waits"),
        ({"tries": 0}, "a NAS waits"),
        ({"charset": "no-such-charset"}, "not a charset"),
        ({"charset": "utf-16"}, "not a charset"),
        ({"max_logins_per_s": 0}, "at least one login"),
        ({"disconnect_port": 70000}, "not a port"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(rules, told):
    with pytest.raises(ValueError, match=told):
        ClientRules(**rules)


def test_an_old_input_mode_ends_on_its_day():
    rules = ClientRules(inputs=(*inputs("suffix"), AcceptedInput(InputMode.PREFIX, 1000.0)))
    assert rules.modes_at(999.0) == (InputMode.SUFFIX, InputMode.PREFIX)
    assert rules.modes_at(1000.0) == (InputMode.SUFFIX,)


def test_the_repeat_window_follows_the_patience_of_the_nas_up_to_half_a_minute():
    assert ClientRules(timeout_s=5, tries=3).repeat_window_s == 15
    assert ClientRules(timeout_s=60, tries=2).repeat_window_s == 30
    assert ClientRules(accept_repeats=False).repeat_window_s == 0
