"""Where a command looks: a store file, or a server.

Both are named the same way by every command, as its first argument:

- what ends in ``.db``, ``.sqlite`` or ``.sqlite3``, or begins with ``sqlite:``, is a store file;
- what begins with ``http://`` or ``https://`` is a server;
- where neither stands, the command asks the server of ``--server``, ``PERDURE_SERVER`` or the usual one on this machine.

A file of another name is taken for one where nothing else could be meant: where there is one argument more than the
command needs, and where the file is there and the argument may be left out. With ``--server`` the first argument is
never a place, so a script is safe from an id that looks like one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure.cli.certificates import ServerCommand

DEFAULT_SERVER = "http://127.0.0.1:7420"
PLACE = "place"
"""The name of the argument, in every command that has it."""

_FILES = (".db", ".sqlite", ".sqlite3")
_SERVERS = ("http://", "https://", "grpc://")


def is_server(place: str) -> bool:
    """Whether it is the URL of a server."""
    return place.startswith(_SERVERS)


def looks_like_place(argument: str) -> bool:
    """Whether an argument names a store file or a server, whatever there is on this machine."""
    return argument.startswith("sqlite:") or is_server(argument) or argument.endswith(_FILES)


class PlaceCommand(ServerCommand):
    """A command whose first argument is a place that may be left out, whatever follows it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # It stands before arguments that must be there, where Python has no way to write a default.
        self.params[0].required = False

    def make_parser(self, ctx: Any) -> Any:
        """The parser that puts the arguments where they belong."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_and_place(args: list[str]) -> Any:
            found, rest, order = parse(args=args)
            rest = self._put(found, rest)
            return found, rest, order

        parser.parse_args = parse_and_place  # type: ignore[method-assign]
        return parser

    def _put(self, found: dict[str, Any], rest: Sequence[str]) -> list[str]:
        """Give the arguments their values anew; what is too much."""
        arguments: list[Any] = [each for each in self.params if each.param_type_name == "argument"]
        given = [value for each in arguments for value in _values(found.get(each.name))] + list(rest)
        others = arguments[1:]
        is_named = "server" in found
        if not is_named and given and self._is_place(given, others):
            found[PLACE] = given.pop(0)
        else:
            found[PLACE] = None
        for each in others:
            if each.nargs == -1:
                found[each.name], given = tuple(given) or None, []
            else:
                found[each.name] = given.pop(0) if given else None
        return given

    def _is_place(self, given: Sequence[str], others: Sequence[Any]) -> bool:
        if looks_like_place(given[0]):
            return True
        if any(each.nargs == -1 for each in others):
            return False
        needed = sum(each.required for each in others)
        return len(given) > len(others) or (len(given) > needed and Path(given[0]).exists())


def _values(value: Any) -> list[str]:
    if value is None:
        return []
    return list(value) if isinstance(value, tuple) else [value]
