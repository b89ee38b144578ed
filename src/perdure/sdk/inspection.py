"""Forbidden calls that replacing modules' attributes does not reach.

Two kinds of them are left: names bound before the guards were installed (``from time import time``), and methods of C
types, which cannot be replaced (``datetime.now``). So before the first turn of a workflow type its code is read: the
functions of the workflow, and those functions and classes of user modules that it reaches by global names. There

- a global that is bound to the original of a guarded function is bound to the guard instead
- code that mentions ``datetime.now`` and its like is watched while it runs, so that it is refused when it makes the
  call, and not for being able to: by ``sys.monitoring``, which costs nothing elsewhere, or on Python 3.11 by
  ``sys.setprofile`` during the turns of that workflow type only

Activities and other workflows are not followed: what they do happens elsewhere.
"""

import dis
import sys
from collections.abc import Iterable
from datetime import date
from types import BuiltinMethodType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from perdure.sdk.definitions import WorkflowDefinition
from perdure.sdk.guards import CLOCK, guarded, install, refuse
from perdure.sdk.handlers import QueryHandler, SignalHandler, UpdateHandler
from perdure.sdk.origins import Owner, owner_of
from perdure.sdk.run import log
from perdure.sdk.turns import current_run

_CLOCK_METHODS = frozenset({"now", "utcnow", "today"})
_NOTE = "must_be_profiled"
_LARGEST_TABLE = 1000
_BEGIN = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_GO_ON = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def must_be_profiled(definition: WorkflowDefinition) -> bool:
    """Whether the turns of a workflow type run under ``profile``. Reads its code the first time."""
    notes = definition.notes
    if _NOTE not in notes:
        install()
        try:
            suspects = _Reader(definition).read()
        except Exception:
            # Names may stand for anything, also for objects that cannot bear to be looked at.
            log.warning("the code of workflow %r could not be read for forbidden calls", definition.name, exc_info=True)
            suspects = []
        notes[_NOTE] = bool(suspects) and not _monitor(suspects)
    return notes[_NOTE]  # type: ignore[no-any-return]


class _Reader:
    """Walks code by global names. ``suspects`` are the code objects that mention a method which asks the clock."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.definition = definition
        # An installed app is read too, but not the other packages that it uses.
        self.package = (definition.fn or definition.cls).__module__.partition(".")[0]
        self.suspects: list[CodeType] = []
        self.seen: set[int] = set()
        self.ahead: list[FunctionType] = []

    def read(self) -> list[CodeType]:
        """The suspects among the workflow's code and all that it leads to."""
        definition = self.definition
        if definition.fn is not None:
            self._follow(definition.fn)
        if definition.cls is not None:
            for base in definition.cls.__mro__:
                self._follow_class(base)
        while self.ahead:
            function = self.ahead.pop()
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
            self._read(function.__code__, function.__globals__, {name: _contents(cell) for name, cell in cells})
        return self.suspects

    def _follow(self, target: Any) -> None:
        """Remember to read what a name or a member stands for, if it is code of the user's."""
        match target:
            case FunctionType():
                if id(target) not in self.seen and self._is_users(target.__code__.co_filename, target.__module__):
                    self.seen.add(id(target))
                    self.ahead.append(target)
                # A decorated function is the user's, whoever wrote the decorator.
                if hasattr(target, "__wrapped__"):
                    self._follow(target.__wrapped__)
            case staticmethod() | classmethod():
                self._follow(target.__func__)
            case property():
                self._follow(target.fget)
                self._follow(target.fset)
            case SignalHandler() | QueryHandler() | UpdateHandler():
                definition = target.define()
                self._follow(definition.fn)
                self._follow(definition.validator)
            case type() if not hasattr(target, "__perdure_workflow__"):
                self._follow_class(target)
            case dict() if len(target) <= _LARGEST_TABLE:
                self._follow_table(target, target.values())
            case list() | tuple() | set() | frozenset() if len(target) <= _LARGEST_TABLE:
                self._follow_table(target, target)
            case _:
                pass

    def _follow_table(self, table: object, items: Iterable[object]) -> None:
        """A table of functions, to choose from at run time."""
        if id(table) not in self.seen:
            self.seen.add(id(table))
            for item in list(items):
                self._follow(item)

    def _follow_class(self, cls: type) -> None:
        file = getattr(sys.modules.get(cls.__module__), "__file__", None) or "<interactive>"
        if id(cls) not in self.seen and cls.__module__ != "builtins" and self._is_users(file, cls.__module__):
            self.seen.add(id(cls))
            for member in list(vars(cls).values()):
                self._follow(member)

    def _is_users(self, file: str, module: str | None) -> bool:
        owner = owner_of(file)
        if owner is Owner.INSTALLED and module is not None:
            return module.partition(".")[0] == self.package
        return owner is Owner.USER

    def _read(self, code: CodeType, names: dict[str, Any], cells: dict[str, Any]) -> None:
        target: Any = None
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if instruction.opname in _BEGIN:
                if instruction.opname == "LOAD_GLOBAL" or name not in cells:
                    target = names.get(name)
                    guard = guarded.get(id(target))
                    if guard is not None:
                        names[name] = guard
                else:
                    target = cells[name]
                self._follow(target)
            elif instruction.opname in _GO_ON and target is not None:
                if name in _CLOCK_METHODS and isinstance(target, type) and issubclass(target, date):
                    self.suspects.append(code)
                target = vars(target).get(name) if isinstance(target, (ModuleType, type)) else None
                self._follow(target)
            elif instruction.opname not in ("EXTENDED_ARG", "CACHE"):
                target = None
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._read(constant, names, cells)


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


# --- watching suspects


def _check(called: object) -> None:
    """Refuse a call that asks a C type for the time, if a workflow makes it."""
    if isinstance(called, BuiltinMethodType) and called.__name__ in _CLOCK_METHODS:
        cls = called.__self__
        run = current_run()
        if isinstance(cls, type) and issubclass(cls, date) and run is not None and run.is_guarded:
            refuse(f"{cls.__module__}.{cls.__qualname__}.{called.__name__}()", CLOCK)


def profile(frame: FrameType, event: str, called: object) -> None:
    """The profile function of a turn whose workflow must be profiled."""
    if event == "c_call":
        _check(called)


if sys.version_info >= (3, 12):
    _events = sys.monitoring
    _tool: int | None = None

    def _monitor(suspects: Iterable[CodeType]) -> bool:
        """Have the interpreter report the calls that some code makes. False if others have taken all tool ids."""
        global _tool
        if _tool is None:
            _tool = next((each for each in (3, 4) if _events.get_tool(each) is None), None)
            if _tool is None:
                return False
            _events.use_tool_id(_tool, "perdure")
            _events.register_callback(_tool, _events.events.CALL, lambda code, offset, called, first: _check(called))
        for code in suspects:
            _events.set_local_events(_tool, code, _events.events.CALL)
        return True

else:

    def _monitor(suspects: Iterable[CodeType]) -> bool:
        """Have the interpreter report the calls that some code makes: not before Python 3.12."""
        return False
