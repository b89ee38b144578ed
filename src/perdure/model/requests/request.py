"""What every request has."""

import msgspec


class BaseRequest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all requests share: nothing but their family."""
