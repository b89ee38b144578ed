"""How much the tests do that find more the longer they go on: enough in every run, ``PERDURE_SOAK`` times as much for a soak."""

import os

SOAK = int(os.environ.get("PERDURE_SOAK", "1"))


def often(number: int) -> int:
    """So many examples, seeds or kills."""
    return number * SOAK
