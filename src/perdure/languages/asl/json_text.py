"""JSON as AWS writes it into causes and outputs: nothing between the parts, any letter as it is."""

from __future__ import annotations

import json
from typing import Any


def compact(value: Any) -> str:
    """The value as AWS prints it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
