"""Values that pass from state to state, each with its JSON, which is written at most once."""

from typing import Any

import msgspec

from perdure.languages.asl.failure import StateFailure

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode

Details = dict[str, msgspec.Raw]
"""Details of one of AWS's events, as JSON by name."""

MOST_BYTES = 256 * 1024
"""AWS's limit for one value."""


class Data:
    """A JSON value. It is never changed: whoever wants another makes a new one."""

    __slots__ = ("_raw", "value")

    def __init__(self, value: Any, raw: bytes | None = None) -> None:
        self.value = value
        self._raw = raw

    @property
    def raw(self) -> bytes:
        """The value as JSON."""
        if self._raw is None:
            try:
                self._raw = encode(self.value)
            except (TypeError, ValueError, RecursionError) as error:
                raise StateFailure("States.Runtime", f"The value has no JSON: {error}") from error
        return self._raw

    @property
    def text(self) -> str:
        """The value as JSON."""
        return self.raw.decode()

    @classmethod
    def of(cls, raw: bytes) -> "Data":
        """What some JSON says. Raises ``StateFailure`` if it is none."""
        try:
            return cls(decode(raw), bytes(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StateFailure("States.Runtime", f"This is no JSON: {error}") from error


def raw(value: Any) -> msgspec.Raw:
    """A detail of an event."""
    return msgspec.Raw(value.raw if value.__class__ is Data else encode(value))


def enc_hook(value: Any) -> Any:
    """How ``Data`` is written inside of what is saved."""
    if isinstance(value, Data):
        return msgspec.Raw(value.raw)
    raise NotImplementedError(f"{type(value).__name__} is never saved")


def dec_hook(type_: type, value: Any) -> Any:
    """How ``Data`` is read back."""
    if type_ is Data:
        return Data(value)
    raise NotImplementedError(f"{type_.__name__} is never saved")


NOTHING = Data({}, b"{}")
