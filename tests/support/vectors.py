"""Test data typed from the RFCs, read from `tests/vectors/`."""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent.parent / "vectors"


def load(name: str) -> Any:
    """The content of one vector file."""
    return json.loads((_FOLDER / f"{name}.json").read_text())
