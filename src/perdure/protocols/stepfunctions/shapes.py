"""What may be asked: AWS's own description of its API, as botocore ships it, held against each request.

A client library checks only a part of it. The rest is AWS's to refuse, in the words of its framework:
``1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: ...``.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from perdure.protocols.stepfunctions.refusals import Refusal

_ENUM_ORDER: Mapping[frozenset[str], tuple[str, ...]] = {
    frozenset(order): order
    for order in (("SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"),)
}
"""AWS lists an enumeration in the order of a hash table: where it is known, it is here."""

_EXPECTED: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "structure": (dict,),
    "map": (dict,),
    "timestamp": (int, float),
}


class ServiceModel:
    """The operations of AWS Step Functions, with the shapes of what they take."""

    def __init__(self) -> None:
        # Only whoever speaks this protocol has it: the extra `perdure[stepfunctions]`.
        import botocore.session

        self._model = botocore.session.get_session().get_service_model("stepfunctions")
        self.names = frozenset(self._model.operation_names)

    @cache  # noqa: B019 - there is one for the life of the process
    def input_of(self, operation: str) -> Any:
        """The shape of an operation's request."""
        return self._model.operation_model(operation).input_shape

    def check(self, operation: str, body: Any) -> None:
        """Raise ``Refusal`` for a request that is not as the operation's shape says."""
        shape = self.input_of(operation)
        if not isinstance(body, dict):
            raise Refusal("SerializationException", "Start of structure or map found where not expected.")
        found = list(_violations(shape, body, ""))
        if found:
            plural = "s" if len(found) > 1 else ""
            raise Refusal("ValidationException", f"{len(found)} validation error{plural} detected: {'; '.join(found)}")


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    expected = _EXPECTED.get(shape.type_name)
    if expected is not None and (not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected)):
        raise Refusal("SerializationException", _unexpected(value, shape.type_name))
    match shape.type_name:
        case "structure":
            yield from _of_structure(shape, value, path)
        case "list":
            yield from _of_length(shape, value, path)
            for number, item in enumerate(value, 1):
                yield from _violations(shape.member, item, f"{path}.{number}.member")
        case "map":
            yield from _of_length(shape, value, path)
            for key, item in value.items():
                yield from _violations(shape.value, item, f"{path}.{key}")
        case "string":
            yield from _of_length(shape, value, path)
            pattern = shape.metadata.get("pattern")
            if pattern and _compiled(pattern).fullmatch(value) is None:
                yield _failure(shape, value, path, f"Member must satisfy regular expression pattern: {pattern}")
            if shape.enum and value not in shape.enum:
                words = _ENUM_ORDER.get(frozenset(shape.enum), tuple(shape.enum))
                yield _failure(shape, value, path, f"Member must satisfy enum value set: [{', '.join(words)}]")
        case "integer" | "long" | "float" | "double":
            yield from _of_range(shape, value, path)
        case _:
            pass


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of Java's, of which only classes of characters are written otherwise."""
    return re.compile(pattern.replace("\\p{ASCII}", "[\\x00-\\x7f]"))


def _of_structure(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = f"{path}.{name}" if path else name
        if value.get(name) is None:
            if name in shape.required_members:
                yield f"Value null at '{inner}' failed to satisfy constraint: Member must not be null"
        else:
            yield from _violations(member, value[name], inner)


def _of_length(shape: Any, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield _failure(shape, value, path, f"Member must have length less than or equal to {most}")
    if least is not None and len(value) < least:
        yield _failure(shape, value, path, f"Member must have length greater than or equal to {least}")


def _of_range(shape: Any, value: float, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and value > most:
        yield _failure(shape, value, path, f"Member must have value less than or equal to {most}")
    if least is not None and value < least:
        yield _failure(shape, value, path, f"Member must have value greater than or equal to {least}")


def _failure(shape: Any, value: Any, path: str, constraint: str) -> str:
    shown = "" if shape.metadata.get("sensitive") else f" '{_text(shape, value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _text(shape: Any, value: Any) -> str:
    """A value as AWS's framework, which is written in Java, prints it."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            members = shape.members
            inner = (f"{name}={_text(members[name], value[name])}" for name in members if name in value)
            return f"{shape.name}({', '.join(inner)})"
        case "list" if isinstance(value, list):
            return f"[{', '.join(_text(shape.member, item) for item in value)}]"
        case "boolean":
            return str(value).lower()
        case _:
            return str(value)


_FOUND = {bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", str: "STRING_VALUE"}
_JAVA = {"string": "String", "integer": "Integer", "long": "Long", "boolean": "Boolean"}


def _unexpected(value: Any, wanted: str) -> str:
    if isinstance(value, (dict, list)):
        kind = "structure or map" if isinstance(value, dict) else "list"
        return f"Start of {kind} found where not expected."
    found = "FALSE_VALUE" if value is False else _FOUND.get(type(value), "NULL_VALUE")
    return f"{found} can not be converted to {'an' if wanted == 'integer' else 'a'} {_JAVA.get(wanted, wanted.capitalize())}"
