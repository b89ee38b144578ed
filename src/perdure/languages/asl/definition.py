"""A machine's text, read once: its states by where they stand.

Nothing is checked here but that it can be run at all; ``checks`` says what AWS says of a definition.
"""

from functools import lru_cache
from typing import Any

import msgspec

from perdure.languages.asl.failure import StateFailure
from perdure.model.errors import InvalidArgumentError

JSONATA = "JSONata"


class State:
    """One state of a definition.

    Args:
        name: its name.
        fields: as they are written.
        is_jsonata: whether its query language is JSONata.
        pointer: where it stands, as a JSON pointer.
    """

    __slots__ = (
        "entered",
        "exited",
        "fields",
        "is_fixed",
        "is_jsonata",
        "is_plain",
        "kind",
        "name",
        "name_raw",
        "next",
        "pointer",
    )

    def __init__(self, name: str, fields: dict[str, Any], is_jsonata: bool, pointer: str) -> None:
        self.name = name
        self.fields = fields
        self.is_jsonata = is_jsonata
        self.pointer = pointer
        self.kind: str = fields["Type"]
        self.next: str | None = fields.get("Next")
        self.name_raw = msgspec.Raw(msgspec.json.encode(name))
        # AWS's two events of every state, as ``lines.Entry`` has them, but for the number of the one before and the value.
        self.entered = (f'["{self.kind}StateEntered",'.encode(), b',{"name":%b,"input":' % self.name_raw)
        self.exited = (f'["{self.kind}StateExited",'.encode(), b',{"name":%b,"output":' % self.name_raw)
        # Whether what comes in is what goes out, with nothing to evaluate on the way.
        self.is_plain = fields.keys().isdisjoint(_EVALUATED)
        # And whether a Task's or a Wait's own fields have to be evaluated neither.
        self.is_fixed = self.is_plain and all(
            name != "Credentials" and not name.endswith("Path") and not isinstance(fields[name], str)
            for name in fields
            if name in _TIMES or name.endswith("Path") or name == "Credentials"
        )


_EVALUATED = {
    "Arguments",
    "Assign",
    "InputPath",
    "Output",
    "OutputPath",
    "Parameters",
    "Result",
    "ResultPath",
    "ResultSelector",
}

_TIMES = {"HeartbeatSeconds", "Seconds", "TimeoutSeconds", "Timestamp"}


class States:
    """States that belong together: the machine's, a branch's, an iteration's."""

    __slots__ = ("by_name", "fields", "pointer", "start_at")

    def __init__(self, fields: dict[str, Any], pointer: str, is_jsonata: bool) -> None:
        self.fields = fields
        self.pointer = pointer
        self.start_at: str = fields["StartAt"]
        self.by_name = {
            name: State(
                name,
                state,
                state["QueryLanguage"] == JSONATA if "QueryLanguage" in state else is_jsonata,
                f"{pointer}/States/{_escaped(name)}",
            )
            for name, state in fields["States"].items()
        }


class Definition:
    """A machine.

    Args:
        text: its definition.

    Raises:
        InvalidArgumentError: it can't be run.
    """

    def __init__(self, text: str) -> None:
        try:
            self.fields: dict[str, Any] = msgspec.json.decode(text)
            self.is_jsonata = self.fields.get("QueryLanguage") == JSONATA
            self.by_pointer: dict[str, States] = {}
            self._add(self.fields, "", self.is_jsonata)
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise InvalidArgumentError(
                f"the definition of the state machine can't be run ({type(error).__name__}: {error}); "
                "`perdure asl check FILE` says what is wrong with it"
            ) from None

    @property
    def timeout_seconds(self) -> float:
        """How long an execution may take; 0 for any time."""
        seconds = self.fields.get("TimeoutSeconds")
        return float(seconds) if isinstance(seconds, (int, float)) else 0.0

    def states(self, pointer: str) -> States:
        """Those at a place of the definition."""
        return self.by_pointer[pointer]

    def state(self, pointer: str, name: str) -> State:
        """A state by its name, at a place of the definition. Raises ``StateFailure`` if there is none."""
        found = self.by_pointer[pointer].by_name.get(name)
        if found is None:
            raise StateFailure("States.Runtime", f"There is no state named {name!r}.")
        return found

    def _add(self, fields: dict[str, Any], pointer: str, is_jsonata: bool) -> None:
        states = self.by_pointer[pointer] = States(fields, pointer, is_jsonata)
        for state in states.by_name.values():
            for name in ("ItemProcessor", "Iterator"):
                if name in state.fields:
                    self._add(state.fields[name], f"{state.pointer}/{name}", is_jsonata)
            for index, branch in enumerate(state.fields.get("Branches", ())):
                self._add(branch, f"{state.pointer}/Branches/{index}", is_jsonata)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=256)
def definition_of(text: str) -> Definition:
    """The definition that a text holds. Raises as ``Definition``."""
    return Definition(text)
