"""The types that msgspec does not convert by itself.

Two functions serve the converter: ``to_plain`` for values on their way out, ``build_decoder`` for hints on the way in.
For a hint that msgspec refuses as a whole - a union of two dataclasses, of ``str`` and ``datetime``, an enum of
tuples - the decoder is put together here from the hint's parts, each as fast as msgspec makes it.
"""

import collections
import collections.abc
import dataclasses
import enum
import ipaddress
import pathlib
import types
import typing
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.sdk import pydantic_models

FromJson = Callable[[Any, Any], Any]
"""A user's conversion: called with a type and a JSON value."""

Convert = Callable[[Any], Any]
"""From a JSON value to the hint's. Raises ``msgspec.ValidationError``."""

_PLAIN = msgspec.json.Decoder().decode

_AS_TEXT: tuple[type, ...] = (
    pathlib.PurePath,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    zoneinfo.ZoneInfo,
)
"""Types whose ``str`` is understood by their constructor."""

_UNKNOWN_COLLECTIONS = (
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Container,
    collections.abc.Reversible,
    collections.deque,
)
"""What msgspec accepts as a hint but leaves to ``dec_hook``."""


def describe(hint: Any) -> str:
    """A type hint as people write it."""
    if hint is None or hint is Any:
        return "JSON value"
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint.__qualname__
    return str(hint).replace("typing.", "")


# --- out


def to_plain(value: Any) -> Any:
    """A value in terms that msgspec encodes. Raises ``TypeError`` for what has no JSON."""
    if pydantic_models.is_model(value):
        return msgspec.Raw(pydantic_models.dump(value))
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(
        value, (collections.deque, collections.abc.Set, collections.abc.KeysView, collections.abc.ValuesView)
    ):
        return list(value)
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    if isinstance(value, enum.Enum):
        return value.value
    # msgspec takes subclasses of containers for what they are, but not those of scalars.
    scalars: tuple[Any, ...] = (str, int, float, bytes)
    for kind in scalars:
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"there is no JSON for {describe(type(value))}")


# --- in


def build_decoder(hint: Any, from_json: FromJson | None = None) -> Callable[[bytes], Any]:
    """A function from JSON bytes to values of the hint's type.

    Raises:
        InvalidArgumentError: no value of this type can be made from JSON.
    """
    if hint is None or hint is Any or hint is object:
        return _PLAIN
    if from_json is None and pydantic_models.is_model_type(hint):
        return lambda data: pydantic_models.load(hint, data)
    parts = _Parts(from_json)
    if parts.is_native(hint):
        return msgspec.json.Decoder(hint, dec_hook=parts.hook).decode
    convert = parts.convert(hint)

    def decode(data: bytes) -> Any:
        return convert(_PLAIN(data))

    return decode


class _Parts:
    """Decoders for the parts of one hint. ``types`` remembers those under construction, for types that contain
    themselves."""

    def __init__(self, from_json: FromJson | None) -> None:
        self.from_json = from_json
        self.types: dict[Any, Convert] = {}

    def is_native(self, hint: Any) -> bool:
        """Whether msgspec takes the hint as a whole."""
        try:
            msgspec.json.Decoder(hint, dec_hook=self.hook)
        except TypeError:
            return False
        except NameError as error:
            raise InvalidArgumentError(
                f"{describe(hint)} has a field whose type cannot be resolved: {error}; define or import it at the top "
                "level of its module"
            ) from error
        return (get_origin(hint) or hint) not in _UNKNOWN_COLLECTIONS

    def hook(self, hint: Any, value: Any) -> Any:
        """msgspec's ``dec_hook``: types that are nothing to it."""
        if hint is object:
            return value
        if self.from_json is not None:
            try:
                return self.from_json(hint, value)
            except NotImplementedError:
                pass
        if (get_origin(hint) or hint) in _UNKNOWN_COLLECTIONS:
            return self.convert(hint)(value)
        if pydantic_models.is_model_type(hint):
            # Pydantic reads dates and the like from JSON text only, so the value goes back to text once.
            return pydantic_models.load(hint, msgspec.json.encode(value))
        if isinstance(hint, type) and issubclass(hint, _AS_TEXT):
            try:
                return hint(value)  # type: ignore[call-arg]
            except (TypeError, ValueError, KeyError) as error:
                raise msgspec.ValidationError(f"Expected `{describe(hint)}`: {error}") from error
        raise msgspec.ValidationError(
            f"Expected `{describe(hint)}`, which the converter cannot make from JSON; convert it in "
            "Converter(from_json=...)"
        )

    def convert(self, hint: Any) -> Convert:
        """A function from JSON values to the hint's, taking the hint apart where msgspec refuses it."""
        try:
            known = self.types.get(hint)
        except TypeError:
            known = None
        if known is not None:
            return known
        if hint is Any or hint is object:
            return lambda value: value
        if self.is_native(hint):
            return lambda value: msgspec.convert(value, hint, strict=True, dec_hook=self.hook, builtin_types=())
        return self._compound(hint)

    def _compound(self, hint: Any) -> Convert:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self.convert(arguments[0])
        if origin is Union or origin is types.UnionType:
            return self._union(hint, arguments)
        if isinstance(hint, TypeVar):
            return self.convert(hint.__bound__ or Any)
        if hasattr(hint, "__supertype__"):  # a NewType
            return self.convert(hint.__supertype__)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return _enum(hint)
        kind = origin or hint
        if kind is tuple:
            return self._tuple(hint, arguments)
        if isinstance(kind, type):
            if dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct) or typing.is_typeddict(kind):
                return self._object(hint, kind, arguments)
            if issubclass(kind, tuple) and hasattr(kind, "_fields"):
                return self._named_tuple(kind)
            if kind in _UNKNOWN_COLLECTIONS or issubclass(kind, (collections.abc.Sequence, collections.abc.Set)):
                return self._collection(hint, kind, arguments)
            if issubclass(kind, collections.abc.Mapping):
                return self._mapping(hint, kind, arguments)
        raise InvalidArgumentError(
            f"no value of type {describe(hint)} can be made from JSON; use another type hint, or convert it in "
            "Converter(to_json=..., from_json=...)"
        )

    def _union(self, hint: Any, members: Sequence[Any]) -> Convert:
        """The first member that fits, the most telling ones first: what only looks like text before text."""
        converts = [self.convert(member) for member in sorted(members, key=_generality)]
        shapes = [(_field_names(member), self.convert(member)) for member in members]

        def convert(value: Any) -> Any:
            candidates = converts
            if isinstance(value, dict):
                # Of classes with the right fields, the one that leaves none of the value's fields over is meant.
                exact = [convert for names, convert in shapes if names is not None and value.keys() <= names]
                candidates = exact + converts
            for candidate in candidates:
                try:
                    return candidate(value)
                except msgspec.ValidationError:
                    pass
            raise msgspec.ValidationError(
                f"Expected `{describe(hint)}`, got `{_json_type(value)}`, which fits none of them"
            )

        return convert

    def _tuple(self, hint: Any, arguments: Sequence[Any]) -> Convert:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return self._collection(hint, tuple, arguments[:1])
        converts = [self.convert(argument) for argument in arguments]

        def convert(value: Any) -> Any:
            _expect(value, list, hint)
            if len(value) != len(converts):
                raise msgspec.ValidationError(f"Expected `array` of length {len(converts)}, got {len(value)}")
            return tuple(_at(index, one, item) for index, (one, item) in enumerate(zip(converts, value, strict=True)))

        return convert

    def _collection(self, hint: Any, kind: Any, arguments: Sequence[Any]) -> Convert:
        one = self.convert(arguments[0] if arguments else Any)
        make: Any = kind if kind in (list, set, frozenset, tuple, collections.deque) else list
        if kind in (collections.abc.Set, collections.abc.MutableSet):
            make = set
        elif kind is collections.abc.Iterator:
            make = _iterate

        def convert(value: Any) -> Any:
            _expect(value, list, hint)
            return make([_at(index, one, item) for index, item in enumerate(value)])

        return convert

    def _mapping(self, hint: Any, kind: Any, arguments: Sequence[Any]) -> Convert:
        key_hint, value_hint = arguments if len(arguments) == 2 else (Any, Any)
        one = self.convert(value_hint)
        make: Any = kind if kind in (collections.OrderedDict, collections.Counter) else dict

        def convert(value: Any) -> Any:
            _expect(value, dict, hint)
            keys = msgspec.convert(list(value), list[key_hint], strict=False, dec_hook=self.hook)  # type: ignore[valid-type]
            return make(zip(keys, [_at(key, one, item) for key, item in value.items()], strict=True))

        return convert

    def _object(self, hint: Any, kind: Any, arguments: Sequence[Any]) -> Convert:
        """A class with named fields: its fields are converted one by one, and msgspec checks the rest."""
        tag = _tag(kind)
        fields: dict[str, Convert] = {}
        # Known before its fields are looked at, so that a tree's node finds itself.
        self.types[hint] = lambda value: convert(value)
        parameters = dict(zip(getattr(kind, "__parameters__", ()), arguments, strict=False))
        for name, field_hint in get_type_hints(kind, include_extras=True).items():
            if get_origin(field_hint) is typing.ClassVar or isinstance(field_hint, dataclasses.InitVar):
                continue
            if get_origin(field_hint) in (typing.Required, typing.NotRequired):
                field_hint = get_args(field_hint)[0]
            fields[name] = self.convert(parameters.get(field_hint, field_hint) if parameters else field_hint)
        names = _wire_names(kind)
        required = _required(kind)

        def convert(value: Any) -> Any:
            _expect(value, dict, hint)
            if tag is not None and value.get(tag[0]) != tag[1]:
                raise msgspec.ValidationError(f"Invalid value {value.get(tag[0])!r} - at `$.{tag[0]}`")
            arguments: dict[str, Any] = {}
            for name, one in fields.items():
                wire = names.get(name, name)
                if wire in value:
                    arguments[name] = _at(wire, one, value[wire])
                elif name in required:
                    raise msgspec.ValidationError(f"Object missing required field `{wire}`")
            try:
                return kind(**arguments)
            except (TypeError, ValueError) as error:  # raised by the class itself, as in __post_init__
                raise msgspec.ValidationError(str(error)) from error

        return convert

    def _named_tuple(self, kind: Any) -> Convert:
        hints = get_type_hints(kind)
        converts = [self.convert(hints.get(name, Any)) for name in kind._fields]
        fewest = len(converts) - len(kind._field_defaults)

        def convert(value: Any) -> Any:
            _expect(value, list, kind)
            if not fewest <= len(value) <= len(converts):
                raise msgspec.ValidationError(f"Expected `array` of length {len(converts)}, got {len(value)}")
            return kind(
                *[_at(index, one, item) for index, (one, item) in enumerate(zip(converts, value, strict=False))]
            )

        return convert


# --- small pieces


def _generality(hint: Any) -> int:
    """The order in which members of a union are tried: 0 before 9."""
    if hint is type(None):
        return 0
    if hint is Any or hint is object:
        return 9
    if hint is str:
        return 8
    if hint in (bytes, bytearray):  # base64 is nearly any text
        return 7
    return 1


def _field_names(hint: Any) -> frozenset[str] | None:
    kind = get_origin(hint) or hint
    if not isinstance(kind, type):
        return None
    if dataclasses.is_dataclass(kind):
        return frozenset(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, msgspec.Struct):
        return frozenset(kind.__struct_encode_fields__)
    if typing.is_typeddict(kind):
        return frozenset(kind.__annotations__)
    return pydantic_models.field_names(kind) if pydantic_models.is_model_type(kind) else None


def _wire_names(kind: Any) -> dict[str, str]:
    if issubclass(kind, msgspec.Struct):
        return dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    return {}


def _required(kind: Any) -> frozenset[str]:
    if typing.is_typeddict(kind):
        return frozenset(kind.__required_keys__)
    if issubclass(kind, msgspec.Struct):
        return frozenset(field.name for field in msgspec.structs.fields(kind) if field.required)
    missing = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return frozenset(f.name for f in fields if f.init and f.default is missing and f.default_factory is missing)


def _tag(kind: Any) -> tuple[str, Any] | None:
    """The field that names a tagged struct, and its value."""
    if not issubclass(kind, msgspec.Struct):
        return None
    config = kind.__struct_config__
    if config.array_like:
        raise InvalidArgumentError(
            f"{describe(kind)} is array_like and has a field that only the converter can read: leave array_like out"
        )
    return (config.tag_field, config.tag) if config.tag is not None and config.tag_field is not None else None


def _enum(kind: type[enum.Enum]) -> Convert:
    """By value; values that JSON changes (tuples become lists) are found by what they become."""
    members = {repr(msgspec.to_builtins(member.value, enc_hook=to_plain)): member for member in kind}
    members |= {repr(_PLAIN(msgspec.json.encode(member.value, enc_hook=to_plain))): member for member in kind}

    def convert(value: Any) -> Any:
        member = members.get(repr(value))
        if member is None:
            raise msgspec.ValidationError(f"Invalid enum value {value!r} of {describe(kind)}")
        return member

    return convert


def _expect(value: Any, kind: type, hint: Any) -> None:
    if not isinstance(value, kind):
        expected = "object" if kind is dict else "array"
        raise msgspec.ValidationError(f"Expected `{expected}` for `{describe(hint)}`, got `{_json_type(value)}`")


def _at(place: int | str, convert: Convert, value: Any) -> Any:
    """Convert a part, naming its place when that fails, as msgspec does."""
    try:
        return convert(value)
    except msgspec.ValidationError as error:
        here = f"[{place}]" if isinstance(place, int) else f".{place}"
        message, _, path = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{message} - at `${here}{path.removesuffix('`')}`") from error


def _json_type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case dict():
            return "object"
        case list():
            return "array"
        case _:
            return type(value).__name__


def _iterate(values: list[Any]) -> Any:
    return iter(values)
