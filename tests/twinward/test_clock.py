"""An absurd clock does not serve, and a step of it is noticed."""

import pytest

from authn.errors import ConfigError
from twinward.clock import LATEST, RELEASED, WallClock, refuse_absurd_clock


@pytest.mark.parametrize("now", [0.0, RELEASED - 1, LATEST])
def test_a_time_at_which_this_version_cannot_run_is_refused(now):
    with pytest.raises(ConfigError, match="Set it"):
        refuse_absurd_clock(now)


def test_the_present_is_served():
    refuse_absurd_clock(RELEASED)


def test_a_clock_that_was_set_is_noticed_once_either_way():
    clock = WallClock()
    assert clock.step_s(1000.0, 5.0) is None
    assert clock.step_s(1001.5, 6.0) is None  # slewed a little
    assert clock.step_s(1101.0, 7.0) == pytest.approx(98.5)
    assert clock.step_s(1102.0, 8.0) is None
    assert clock.step_s(502.0, 9.0) == pytest.approx(-601.0)
