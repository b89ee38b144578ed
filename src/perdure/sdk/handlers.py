"""How a workflow class says which of its methods answer signals, queries and updates.

``@workflow.signal`` and its siblings replace the method by a descriptor. On an instance it gives the plain bound
method; on the class it is a typed reference, so ``client.update(Loan.add_document, "a.pdf")`` is checked against the
method's own signature.
"""

import inspect
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from perdure.model.errors import InvalidArgumentError
from perdure.sdk.signatures import Signature

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class HandlerDefinition:
    """One signal, query or update that a workflow answers.

    ``fn`` takes the workflow instance first when ``is_method``. ``validator``, on updates, is called with the same
    arguments before the update is accepted; it raises to refuse.
    """

    def __init__(
        self,
        name: str,
        fn: Callable[..., Any],
        *,
        is_method: bool,
        validator: Callable[..., None] | None = None,
    ) -> None:
        self.name = name
        self.fn = fn
        self.is_method = is_method
        self.validator = validator

    @cached_property
    def signature(self) -> Signature:
        """Its arguments and its result, read from the type hints on first use."""
        return Signature.of(self.fn, skip_self=self.is_method)

    @property
    def parameter_types(self) -> tuple[Any, ...] | None:
        """As in ``Signature``."""
        return self.signature.parameter_types

    @property
    def return_type(self) -> Any:
        """As in ``Signature``."""
        return self.signature.return_type

    def __repr__(self) -> str:
        return f"HandlerDefinition({self.name!r})"


class _Handler(Generic[P, R_co]):
    """What the three kinds share: a name and a method."""

    kind = "handler"

    def __init__(self, fn: Callable[..., Any], name: str | None) -> None:
        self.name = name if name is not None else fn.__name__
        self.fn = fn
        self.__doc__ = fn.__doc__
        self.__wrapped__ = fn

    def __repr__(self) -> str:
        return f"<workflow {self.kind} {self.name!r}>"

    def define(self) -> HandlerDefinition:
        """What the workflow's definition keeps of it."""
        return HandlerDefinition(self.name, self.fn, is_method=True)


class SignalHandler(_Handler[P, R_co]):
    """A method that receives a signal. On the class, a typed reference for ``run.signal(...)``."""

    kind = "signal"

    @overload
    def __get__(self, instance: None, owner: type) -> "SignalHandler[P, R_co]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R_co]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self if instance is None else self.fn.__get__(instance, owner)


class QueryHandler(_Handler[P, R_co]):
    """A method that answers a query. On the class, a typed reference for ``run.query(...)``."""

    kind = "query"

    @overload
    def __get__(self, instance: None, owner: type) -> "QueryHandler[P, R_co]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R_co]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self if instance is None else self.fn.__get__(instance, owner)


class UpdateHandler(_Handler[P, R_co]):
    """A method that carries out an update. On the class, a typed reference for ``run.update(...)``.

    ``R_co`` is what the caller gets: for a coroutine method, what it returns.
    """

    kind = "update"

    def __init__(self, fn: Callable[..., Any], name: str | None) -> None:
        super().__init__(fn, name)
        self._validator: Callable[..., None] | None = None

    @overload
    def __get__(self, instance: None, owner: type) -> "UpdateHandler[P, R_co]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, Any]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self if instance is None else self.fn.__get__(instance, owner)

    def validator(self, fn: Callable[Concatenate[Any, P], None]) -> Callable[Concatenate[Any, P], None]:
        """Decorate a method that looks at an update's arguments before it is accepted, and raises to refuse it.

        It sees the workflow's state but must not change it; a refused update leaves no trace in the history.
        """
        if inspect.iscoroutinefunction(fn):
            raise InvalidArgumentError(f"the validator of update {self.name!r} must be a plain function, not async")
        self._validator = fn
        return fn

    def define(self) -> HandlerDefinition:
        """What the workflow's definition keeps of it."""
        return HandlerDefinition(self.name, self.fn, is_method=True, validator=self._validator)


@overload
def signal(fn: Callable[Concatenate[Any, P], R], /) -> SignalHandler[P, R]: ...
@overload
def signal(*, name: str) -> Callable[[Callable[Concatenate[Any, P], R]], SignalHandler[P, R]]: ...
def signal(fn: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Decorate a method, plain or async, that receives a signal.

    ``name`` is what senders call it; without it, the method's name. Signals are handled in the order in which they were
    recorded, each in a task of its own.
    """
    return SignalHandler(fn, name) if fn is not None else lambda fn: SignalHandler(fn, name)


@overload
def query(fn: Callable[Concatenate[Any, P], R], /) -> QueryHandler[P, R]: ...
@overload
def query(*, name: str) -> Callable[[Callable[Concatenate[Any, P], R]], QueryHandler[P, R]]: ...
def query(fn: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Decorate a plain method that answers a query from the workflow's present state and changes nothing."""

    def decorate(fn: Callable[..., Any]) -> QueryHandler[Any, Any]:
        if inspect.iscoroutinefunction(fn):
            raise InvalidArgumentError(f"query {fn.__qualname__} must be a plain function, not async: it may not wait")
        return QueryHandler(fn, name)

    return decorate(fn) if fn is not None else decorate


class UpdateDecorator(Protocol):
    """What ``@workflow.update(...)`` with options gives."""

    @overload
    def __call__(self, fn: Callable[Concatenate[Any, P], Awaitable[R]], /) -> UpdateHandler[P, R]: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[Any, P], R], /) -> UpdateHandler[P, R]: ...


@overload
def update(fn: Callable[Concatenate[Any, P], Awaitable[R]], /) -> UpdateHandler[P, R]: ...
@overload
def update(fn: Callable[Concatenate[Any, P], R], /) -> UpdateHandler[P, R]: ...
@overload
def update(*, name: str) -> UpdateDecorator: ...
def update(fn: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Decorate a method, plain or async, that changes the workflow and answers the caller.

    Its result goes to the caller once it is recorded. Refuse bad requests in a ``.validator``.
    """
    return UpdateHandler(fn, name) if fn is not None else lambda fn: UpdateHandler(fn, name)
