"""Values from the command line: JSON as it stands there, ``@file``, or ``-`` for standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from perdure.app.setting_kinds import BYTES, DURATION
from perdure.model.errors import InvalidArgumentError, NotFoundError
from perdure.model.payloads import JSON, NULL, Payload, Payloads


def payloads_of(arguments: Sequence[str] | None) -> Payloads:
    """What a workflow, a signal, a query or an update is given; numbers keep every digit.

    Raises ``InvalidArgumentError`` or ``NotFoundError``, naming the argument.
    """
    return tuple(_payload(data) for data in _read(arguments or ()))


def values_of(arguments: Sequence[str] | None) -> list[Any]:
    """The same as Python's values."""
    return [msgspec.json.decode(data) for data in _read(arguments or ())]


def named_values(pairs: Sequence[str] | None, option: str) -> dict[str, Any]:
    """``NAME=JSON``, several times. Raises ``InvalidArgumentError``, naming the option."""
    named = {}
    for pair in pairs or ():
        name, is_there, text = pair.partition("=")
        if not name or not is_there:
            raise InvalidArgumentError(
                f"{option} {pair!r} must be NAME=JSON, such as Amount=100 or Customer='\"ada\"'."
            )
        named[name] = msgspec.json.decode(_checked(text.encode(), f"the value of {option} {name}"))
    return named


def labels(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    """``NAME=TEXT``, several times. Raises ``InvalidArgumentError``, naming the option."""
    for pair in pairs or ():
        name, is_there, text = pair.partition("=")
        if not name or not is_there or not text:
            raise InvalidArgumentError(f"{option} {pair!r} must be NAME=TEXT, such as gpu=a100.")
    return dict(pair.split("=", 1) for pair in pairs or ())


def nanoseconds(text: str, option: str) -> int:
    """A duration, ``30s`` or ``1h30m``. Raises ``InvalidArgumentError``, naming the option."""
    try:
        return int(DURATION.read(text))
    except ValueError as error:
        raise InvalidArgumentError(f"{option} is {text!r}, but must be {error}.") from None


def size(text: str, option: str) -> int:
    """A number of bytes, ``65536`` or ``64KiB``. Raises ``InvalidArgumentError``, naming the option."""
    try:
        return int(BYTES.read(text))
    except ValueError as error:
        raise InvalidArgumentError(f"{option} is {text!r}, but must be {error}.") from None


def seconds(text: str, option: str) -> float | None:
    """The same in seconds; None where nothing was said."""
    return nanoseconds(text, option) / 1e9 if text else None


def _read(arguments: Sequence[str]) -> list[bytes]:
    if arguments.count("-") > 1:
        raise InvalidArgumentError("Standard input can be read once only: give - for one argument.")
    return [_one(argument, number) for number, argument in enumerate(arguments, 1)]


def _one(argument: str, number: int) -> bytes:
    if argument == "-":
        return _checked(sys.stdin.buffer.read(), "what came by standard input")
    if argument.startswith("@"):
        return _checked(_file(argument[1:]), f"the file {argument[1:]}")
    return _checked(argument.encode(), f"argument {number}")


def _file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {name}, which the argument @{name} asks for.") from None


def _checked(data: bytes, what: str) -> bytes:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = data.decode("utf-8", "backslashreplace").strip()
        shown = text if len(text) <= 60 else f"{text[:60]}…"
        is_word = text[:1] not in ("{", "[", '"')
        hint = f" A text is written '\"{shown}\"', with both kinds of quotes." if is_word and text else ""
        raise InvalidArgumentError(f"{what[0].upper()}{what[1:]} is no JSON: {shown!r} ({error}).{hint}") from None
    return data.strip()


def _payload(data: bytes) -> Payload:
    return Payload(b"", NULL) if data == b"null" else Payload(data, JSON)
