"""Running the command in tests; the fixture `run` is in conftest.py."""

import json
from collections.abc import Callable
from typing import Any

Run = Callable[..., tuple[int, str, str]]
"""The command in an empty folder: exit code, stdout, stderr."""


def ok(answer: tuple[int, str, str]) -> dict[str, Any]:
    """The one JSON object of a verb that went well, with nothing else on stdout."""
    code, out, err = answer
    assert code == 0, err
    values = json.loads(out)
    assert isinstance(values, dict)
    return values
