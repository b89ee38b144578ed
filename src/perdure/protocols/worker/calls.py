"""The client port as calls: an operation's name, its arguments, its answer or error.

The arguments of each operation, and what it answers, are read off the port itself, so there is nothing to keep in step.
"""

import inspect
import re
import typing
from collections.abc import Awaitable
from typing import Any

import msgspec

from perdure.model import errors
from perdure.model.errors import (
    InvalidArgumentError,
    InvariantError,
    LimitExceededError,
    PerdureError,
    UnavailableError,
)
from perdure.model.service import Service
from perdure.protocols.worker import worker_pb2 as pb

_TOO_MANY = "of at most length"


class Operation:
    """One method of the client port. Arguments travel as an array in the order of the method's parameters.

    Client and server may be of different versions. A parameter that is added to a method stands at the end and has a default:
    arguments that are missing at the end have it, and a client leaves them out where they are no different. So each side
    understands an older one; and a newer one, too, as long as nothing new is asked for.
    """

    def __init__(self, name: str, method: Any) -> None:
        self.name = name
        hints = typing.get_type_hints(method)
        answer = hints.pop("return")
        if typing.get_origin(answer) is Awaitable:
            (answer,) = typing.get_args(answer)
        parameters = list(inspect.signature(method).parameters.values())[1:]
        self.parameters = [parameter.name for parameter in parameters]
        self._keywords = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        self.defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
        fields: list[Any] = [
            (name, hints[name], self.defaults[name]) if name in self.defaults else (name, hints[name])
            for name in self.parameters
        ]
        arguments = msgspec.defstruct(name, fields, array_like=True, forbid_unknown_fields=True, gc=False)
        self._arguments: msgspec.msgpack.Decoder[msgspec.Struct] = msgspec.msgpack.Decoder(arguments)
        self._answer: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(answer)

    def encode(self, args: tuple[Any, ...], options: dict[str, Any]) -> bytes:
        """The arguments of a call. Raises ``InvalidArgumentError`` for what can't be sent."""
        defaults = self.defaults
        options = defaults | options
        values = [*args, *(options[name] for name in self.parameters[len(args) :])]
        while values and (name := self.parameters[len(values) - 1]) in defaults and values[-1] == defaults[name]:
            values.pop()
        try:
            return encode(values)
        except (OverflowError, TypeError, ValueError):
            for name, value in zip(self.parameters, values, strict=False):
                try:
                    encode(value)
                except (OverflowError, TypeError, ValueError) as error:
                    raise InvalidArgumentError(f"The {name} of {self.name} can't be sent: {error}") from None
            raise

    def decode(self, arguments: bytes) -> tuple[list[Any], dict[str, Any]]:
        """Positional arguments and keywords. Raises ``InvalidArgumentError``."""
        try:
            values = list(msgspec.structs.astuple(self._arguments.decode(arguments)))
        except msgspec.DecodeError as error:
            # Where it is comes as "$[1]", the second argument.
            place = re.search(r"\$\[(\d+)\]", str(error))
            what = self.parameters[int(place[1])] if place else "arguments"
            hint = (
                ". The client is newer, and asks for what this server does not know" if _TOO_MANY in str(error) else ""
            )
            raise InvalidArgumentError(f"The {what} of {self.name} can't be read: {error}{hint}") from None
        if not self._keywords:
            return values, {}
        positional = len(values) - len(self._keywords)
        return values[:positional], dict(zip(self._keywords, values[positional:], strict=True))

    def decode_answer(self, data: bytes) -> Any:
        """The answer to a call. Raises ``UnavailableError`` if it is none for this version."""
        try:
            return self._answer.decode(data)
        except msgspec.DecodeError as error:
            raise UnavailableError(
                f"The server's answer to {self.name} can't be read ({error}), though it did what was asked. It is most likely "
                "newer than this client: use the same version."
            ) from None


encode = msgspec.msgpack.Encoder().encode

OPERATIONS = {
    name: Operation(name, method)
    for name, method in vars(Service).items()
    if inspect.isfunction(method) and not name.startswith("_")
}

ERRORS = {
    name: error for name, error in vars(errors).items() if isinstance(error, type) and issubclass(error, PerdureError)
}


def error_to_wire(error: BaseException) -> pb.Error:
    """An error as the other side gets it."""
    if not isinstance(error, PerdureError):
        error = InvariantError(f"The server failed in a way that should be impossible: {error!r}. Its log has more.")
    return pb.Error(
        code=type(error).__name__,
        message=str(error),
        run_id=getattr(error, "run_id", ""),
        retry_after_seconds=getattr(error, "retry_after_seconds", 0.0),
    )


def error_from_wire(error: pb.Error) -> PerdureError:
    """An error of the server's, to be raised here."""
    kind = ERRORS.get(error.code, PerdureError)
    if error.run_id:
        return kind(error.message, error.run_id)
    if kind is LimitExceededError:
        return LimitExceededError(error.message, retry_after_seconds=error.retry_after_seconds)
    return kind(error.message)
