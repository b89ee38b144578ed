"""How clients name messages: by typed reference, such as ``Loan.decide``, or by the name itself."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Generic, ParamSpec, TypeVar, overload

from perdure.model.errors import InvalidArgumentError
from perdure.sdk.handlers import HandlerDefinition, QueryHandler, SignalHandler, UpdateHandler
from perdure.sdk.names import checked_name

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

AnyHandler = SignalHandler[..., Any] | QueryHandler[..., Any] | UpdateHandler[..., Any]


class Message(Generic[R_co]):
    """A signal or an update with its arguments, to be delivered with a start. Made by ``message``."""

    __slots__ = ("args", "kind", "name", "return_type")

    def __init__(self, name: str, args: tuple[Any, ...], return_type: Any, kind: str) -> None:
        self.name = name
        self.args = args
        self.return_type = return_type
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name!r}>"


@overload
def message(ref: UpdateHandler[P, R_co], /, *args: P.args, **kwargs: P.kwargs) -> Message[R_co]: ...
@overload
def message(ref: SignalHandler[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Message[None]: ...
@overload
def message(ref: str, /, *args: Any) -> Message[Any]: ...
def message(ref: Any, /, *args: Any, **kwargs: Any) -> Message[Any]:
    """A signal or update with its arguments, to go with a start.

    For ``client.start(..., start_signal=message(Loan.decide, decision))`` and ``client.update_with_start``.

    Args:
        ref: a handler of a workflow class, such as ``Loan.decide``, or its name.
        args: what the handler takes.

    Raises:
        TypeError: the arguments do not fit the handler.
    """
    name, arguments, return_type = resolve(ref, args, kwargs, "message")
    return Message(name, arguments, return_type, "message" if isinstance(ref, str) else ref.kind)


def resolve(ref: Any, args: Sequence[Any], kwargs: dict[str, Any], kind: str) -> tuple[str, tuple[Any, ...], Any]:
    """The name, the arguments in order, and the result's type of a message.

    Raises:
        InvalidArgumentError: ``ref`` is neither a handler of the right kind nor a name.
        TypeError: the arguments do not fit the handler.
    """
    if isinstance(ref, str):
        if kwargs:
            raise InvalidArgumentError(
                f"{kind} {ref!r} is given as text, so the names of its arguments are not known: pass "
                f"{', '.join(kwargs)} by position"
            )
        return checked_name(f"the name of a {kind}", ref), tuple(args), None
    if not isinstance(ref, (SignalHandler, QueryHandler, UpdateHandler)):
        raise InvalidArgumentError(f"{ref!r} is no {kind}: pass a handler such as Loan.{kind}, or its name as text")
    if kind not in ("message", ref.kind):
        raise InvalidArgumentError(f"{ref!r} is not a {kind}; send it with run.{ref.kind}(...)")
    handler = _definition_of(ref)
    return handler.name, handler.signature.bind(args, kwargs), handler.return_type


@lru_cache(maxsize=4096)
def _definition_of(ref: AnyHandler) -> HandlerDefinition:
    return ref.define()
