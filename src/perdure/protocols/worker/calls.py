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
from perdure.model.errors import InvalidArgumentError, InvariantError, LimitExceededError, PerdureError
from perdure.model.service import Service
from perdure.protocols.worker import worker_pb2 as pb


class Operation:
    """One method of the client port. Arguments travel as an array in the order of the method's parameters."""

    def __init__(self, name: str, method: Any) -> None:
        self.name = name
        hints = typing.get_type_hints(method)
        answer = hints.pop("return")
        if typing.get_origin(answer) is Awaitable:
            (answer,) = typing.get_args(answer)
        parameters = list(inspect.signature(method).parameters.values())[1:]
        self.parameters = [parameter.name for parameter in parameters]
        self.keywords = frozenset(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
        self._defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
        self._arguments = msgspec.msgpack.Decoder(tuple[*(hints[name] for name in self.parameters)])  # type: ignore[misc]
        self._answer: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(answer)

    def encode(self, args: tuple[Any, ...], options: dict[str, Any]) -> bytes:
        """The arguments of a call. Raises ``InvalidArgumentError`` for what can't be sent."""
        options = self._defaults | options
        values = [*args, *(options[name] for name in self.parameters[len(args) :])]
        try:
            return encode(values)
        except (OverflowError, TypeError, ValueError):
            for name, value in zip(self.parameters, values, strict=True):
                try:
                    encode(value)
                except (OverflowError, TypeError, ValueError) as error:
                    raise InvalidArgumentError(f"The {name} of {self.name} can't be sent: {error}") from None
            raise

    def decode(self, arguments: bytes) -> tuple[list[Any], dict[str, Any]]:
        """Positional arguments and keywords. Raises ``InvalidArgumentError``."""
        try:
            values = self._arguments.decode(arguments)
        except msgspec.DecodeError as error:
            # Where it is comes as "$[1]", the second argument.
            place = re.search(r"\$\[(\d+)\]", str(error))
            what = self.parameters[int(place[1])] if place else "arguments"
            raise InvalidArgumentError(f"The {what} of {self.name} can't be read: {error}") from None
        named = dict(zip(self.parameters, values, strict=True))
        keywords = {name: named.pop(name) for name in self.keywords}
        return list(named.values()), keywords

    def decode_answer(self, data: bytes) -> Any:
        """The answer to a call."""
        return self._answer.decode(data)


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
