"""What a run's code writes down in its history: patches, side effects, search attributes, memo, progress."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeVar

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError, NonDeterminismError
from perdure.model.payloads import Payload
from perdure.sdk.guards import unguarded
from perdure.sdk.matching import PATCH_MARKER, SIDE_EFFECT_MARKER, marker_id
from perdure.sdk.names import checked_name, checked_names
from perdure.sdk.run import IN_QUERY, IN_VALIDATOR, PROGRESS_KEY, Run, require_run

T = TypeVar("T")


class Notes:
    """What the code of one run has decided by markers. Made when it first asks."""

    __slots__ = ("decided", "effects", "known", "progress")

    def __init__(self) -> None:
        self.decided: dict[str, bool] = {}
        self.effects = 0
        self.known: set[str] | None = None
        # The commands of the turn in which progress was last reported, and its place among them.
        self.progress: tuple[list[c.AnyCommand | None], int] = ([], 0)

    @staticmethod
    def of(run: Run) -> "Notes":
        """The notes of a run."""
        if run.notes is None:
            run.notes = Notes()
        return run.notes

    def is_known(self, run: Run, patch_id: str) -> bool:
        """Whether the history that is being replayed has a patch."""
        if self.known is None:
            self.known = {
                marker_id(event.details)
                for event in run.history
                if isinstance(event, e.MarkerRecorded) and event.marker_name == PATCH_MARKER
            }
        return patch_id in self.known


def patched(patch_id: str) -> bool:
    """Whether to take the new path of changed code.

    True for runs that get here for the first time, and recorded for them. Runs that were past this point before the
    patch was deployed see False and go on as they began::

        if workflow.patched("ship-by-air"):
            await ship_by_air(order)
        else:
            await ship(order)

    Once no run needs the old path, ``deprecate_patch`` takes its place; once no history has the patch, nothing does.

    Args:
        patch_id: names the change; used for no other.
    """
    return _patch(checked_name("patch_id", patch_id), {"id": (_plain(patch_id),)})


def deprecate_patch(patch_id: str) -> None:
    """Says that the old path of ``patched(patch_id)`` is gone. Runs that recorded the patch still replay."""
    _patch(checked_name("patch_id", patch_id), {"id": (_plain(patch_id),), "deprecated": (_plain(True),)})


def _patch(patch_id: str, details: dict[str, tuple[Payload, ...]]) -> bool:
    run = require_run()
    notes = Notes.of(run)
    decided = notes.decided.get(patch_id)
    if decided is None:
        decided = not run.is_replaying or notes.is_known(run, patch_id)
        if run.barred in (IN_QUERY, IN_VALIDATOR):
            # They may ask, but only what turns decide is recorded and kept.
            return decided
        if decided:
            run.add(c.RecordMarker(PATCH_MARKER, details))
        notes.decided[patch_id] = decided
    return decided


def side_effect(fn: Callable[[], T], type: Any = None) -> T:
    """Call ``fn`` once, record what it returns, and return that in every replay. ``fn`` may use the clock and chance.

    For small local things only, such as reading a setting: it is not retried, and when the process dies at the wrong
    moment it is called again. Everything else is an activity.

    Args:
        fn: a plain function without arguments.
        type: the type of its result; without it, JSON's own types.
    """
    run = require_run()
    notes = Notes.of(run)
    number = notes.effects + 1
    payload: Payload | None
    if run.is_replaying:
        payload = _recorded_effect(run, number)
        if payload is None:
            raise NonDeterminismError(
                f"The code asked for side effect number {number}, but the history of that turn has none. "
                "Keep the old path behind workflow.patched()"
            )
    else:
        with unguarded():
            payload = run.converter.to_payload(fn())
    run.add(c.RecordMarker(SIDE_EFFECT_MARKER, {"id": (_plain(str(number)),), "result": (payload,)}))
    notes.effects = number
    result: T = run.converter.from_payload(payload, type)
    return result


def _recorded_effect(run: Run, number: int) -> Payload | None:
    """The result of a side effect, from the events of the turn that is being repeated."""
    for event in run.history[run.history_index + 1 :]:
        match event:
            case e.WorkflowTaskStarted():
                break
            case e.MarkerRecorded(marker_name=name, details=details) if name == SIDE_EFFECT_MARKER:
                if marker_id(details) == str(number):
                    return details["result"][0]
            case _:
                pass
    return None


def _plain(value: Any) -> Payload:
    """A payload that no codec touches: markers are compared."""
    return Payload(msgspec.json.encode(value))


def upsert_search_attributes(attributes: Mapping[str, Any]) -> None:
    """Set values that runs are searched by: strings, numbers, booleans, datetimes, lists of strings.

    An attribute has one type in a namespace: the one it was registered with, or else that of its first value. With a
    value of another type this turn fails, says so in ``perdure show``, and is tried again, at once with other code.

    Args:
        attributes: values by name; None removes one.
    """
    run = require_run()
    checked_names("attributes", attributes)
    payloads = run.converter.to_search_attributes(attributes)
    if payloads:
        run.add(c.UpsertWorkflowSearchAttributes(payloads))
        run.search_attributes = {**(run.search_attributes or {}), **payloads}


def upsert_memo(memo: Mapping[str, Any]) -> None:
    """Set notes that lists and pages show beside the run; any values. None removes one."""
    run = require_run()
    checked_names("memo", memo)
    payloads = run.converter.to_payload_map(memo)
    if payloads:
        run.add(c.ModifyWorkflowProperties(payloads))
        run.memo = {**(run.memo or {}), **payloads}


def progress(done: float, total: float | None = None, label: str = "") -> None:
    """Say how far the run has come, for the bar that the command line and the page show.

    Only the last one of a turn is recorded. Calls of it may be added to and removed from code that runs are in the
    middle of.

    Args:
        done: how much is done, in any unit.
        total: how much there is to do; None when that is not known.
        label: what is being done.
    """
    run = require_run()
    for name, amount in (("done", done), ("total", total)):
        if amount is None and name == "total":
            continue
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not isfinite(amount):
            raise InvalidArgumentError(f"progress({name}={amount!r}) must be a number")
    payload = run.converter.to_payload({"done": done, "total": total, "label": label})
    command = c.ModifyWorkflowProperties({PROGRESS_KEY: payload})
    notes = Notes.of(run)
    commands, index = notes.progress
    if commands is run.commands and not run.barred:
        commands[index] = command
    else:
        run.add(command)
        notes.progress = run.commands, len(run.commands) - 1
