"""What a function takes and gives, as far as payloads are concerned."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from perdure.model.errors import InvalidArgumentError

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """A function's arguments and result, with their types.

    ``parameter_types`` are the types of the positional parameters, ``Any`` where there is no hint; None means that the
    function takes any number of arguments (``*args``). ``required`` is how many it cannot do without. ``return_type``
    is ``Any`` without a hint.
    """

    __slots__ = ("_inspected", "_name", "parameter_types", "required", "return_type")

    def __init__(
        self,
        name: str,
        parameter_types: tuple[Any, ...] | None,
        required: int,
        return_type: Any,
        inspected: inspect.Signature,
    ) -> None:
        self._name = name
        self.parameter_types = parameter_types
        self.required = required
        self.return_type = return_type
        self._inspected = inspected

    @classmethod
    def of(cls, fn: Callable[..., Any], *, skip_self: bool = False) -> "Signature":
        """Read a function's signature; ``skip_self`` leaves out its first parameter.

        Call it late: hints may name classes that are defined further down in their module. Raises
        ``InvalidArgumentError`` when a hint cannot be resolved even so, or when the function cannot be called with
        positional arguments alone.
        """
        name = getattr(fn, "__qualname__", repr(fn))
        try:
            hints = get_type_hints(fn, include_extras=True)
        except (NameError, TypeError) as error:
            raise InvalidArgumentError(
                f"a type hint of {name} cannot be resolved: {error}. "
                "Define the type at the top level of a module, so that arguments can be read back as what they are"
            ) from error
        inspected = inspect.signature(fn)
        parameters = list(inspected.parameters.values())
        if skip_self:
            parameters = parameters[1:]
            inspected = inspected.replace(parameters=parameters)
        types: list[Any] = []
        required = 0
        takes_any = False
        for parameter in parameters:
            if parameter.kind in _POSITIONAL:
                types.append(hints.get(parameter.name, Any))
                required += parameter.default is parameter.empty
            elif parameter.kind is parameter.VAR_POSITIONAL:
                takes_any = True
            elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
                raise InvalidArgumentError(
                    f"{name} needs the keyword argument {parameter.name!r}; arguments are stored in order, without "
                    "names, so give it a default or make it positional"
                )
        return cls(name, None if takes_any else tuple(types), required, hints.get("return", Any), inspected)

    @classmethod
    def unknown(cls, name: str) -> "Signature":
        """The signature of something that is only known by its name: anything goes."""
        return cls(name, None, 0, Any, inspect.signature(lambda *args: None))

    @classmethod
    def optional(cls, name: str, type_hint: Any) -> "Signature":
        """The signature of something that takes one argument of a type, or none."""
        return cls(name, (type_hint,), 0, Any, inspect.signature(lambda value=None: None))

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments of a call in order. Raises ``TypeError`` when they do not fit, as the call itself would."""
        if not kwargs:
            types = self.parameter_types
            if self.required <= len(args) and (types is None or len(args) <= len(types)):
                return tuple(args)
        try:
            bound = self._inspected.bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.kwargs:
                raise TypeError(f"{', '.join(bound.kwargs)} can only be given by name, and names are not stored")
        except TypeError as error:
            raise TypeError(f"{self._name}(): {error}") from None
        return bound.args
