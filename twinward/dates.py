"""Days and spans of time as people write them."""

import re
import time

from authn.instants import UnixSeconds

_UNITS_S = {"m": 60, "h": 3600, "d": 86400}


def end_of_day(text: str) -> UnixSeconds:
    """The end of a day written as 2026-12-31, in the zone of this machine. Raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"{text!r} is not a day; write it as 2026-12-31")
    try:
        day = time.strptime(text, "%Y-%m-%d")
    except ValueError as error:
        raise ValueError(f"there is no day {text}") from error
    return UnixSeconds(time.mktime((day.tm_year, day.tm_mon, day.tm_mday + 1, 0, 0, 0, 0, 0, -1)))


def span_s(text: str) -> int:
    """Seconds of a span written as 30m, 8h or 2d. Raises ValueError."""
    parsed = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if parsed is None:
        raise ValueError(f"{text!r} is no span of time; write 30m, 8h or 2d")
    return int(parsed[1]) * _UNITS_S[parsed[2]]
