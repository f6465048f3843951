"""Points in time, as the rules count them."""

from typing import NewType

UnixSeconds = NewType("UnixSeconds", float)
