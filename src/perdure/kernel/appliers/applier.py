"""What an applier is."""

from collections.abc import Callable
from typing import Any

from perdure.kernel.run import Run

Applier = Callable[[Run, Any], None]
"""Lets one record take effect."""


def nothing(run: Run, record: Any) -> None:
    """The record only informs."""
