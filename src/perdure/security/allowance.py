"""How much one caller may send: what a token was given, and where it was given nothing, what the server's settings say."""

import msgspec

from perdure.model.errors import InvalidArgumentError

MOST = 1 << 53
"""What JSON can carry to everybody."""


class Allowance(msgspec.Struct, frozen=True):
    """Of a token, 0 is what the settings say; of the settings, 0 is no limit.

    ``requests_per_second`` are requests over REST and calls over gRPC, ``messages_per_second`` what workers say by all
    their streams, and ``request_bytes`` the size of one of either.
    """

    requests_per_second: int = 0
    messages_per_second: int = 0
    request_bytes: int = 0

    def check(self) -> None:
        """Raise ``InvalidArgumentError`` for what can't be meant."""
        for name in self.__struct_fields__:
            if not 0 <= getattr(self, name) <= MOST:
                raise InvalidArgumentError(f"{name} of a token is a whole number from 0 to {MOST}.")

    def within(self, settings: "Allowance") -> "Allowance":
        """With what the server's settings say where it says nothing itself."""
        return Allowance(
            self.requests_per_second or settings.requests_per_second,
            self.messages_per_second or settings.messages_per_second,
            self.request_bytes or settings.request_bytes,
        )

    def above(self, settings: "Allowance") -> str:
        """The first that allows more than the server's settings do; empty if none does."""
        for name in self.__struct_fields__:
            if 0 < getattr(settings, name) < getattr(self, name):
                return name
        return ""

    @property
    def given(self) -> dict[str, int]:
        """What it says itself."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}


UNSET = Allowance()
"""Says nothing."""
