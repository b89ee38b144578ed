"""One history against the code here."""

from enum import Enum

import msgspec

from perdure.cli.histories import Found
from perdure.model.errors import NonDeterminismError, PerdureError
from perdure.sdk.app import App
from perdure.sdk.replay import replay


class Outcome(Enum):
    """What a replay came to."""

    FITS = "fits"
    BROKEN = "broken"
    UNKNOWN_TYPE = "unknown_type"
    """The app has no workflow of that type: the run may be another app's."""


class Verdict(msgspec.Struct, frozen=True):
    """``event_id`` is where the code first does something else, 0 if that can't be said; ``problem`` is what it does."""

    outcome: Outcome
    workflow_id: str
    run_id: str = ""
    workflow_type: str = ""
    event_id: int = 0
    event_count: int = 0
    problem: str = ""


def replay_one(app: App, found: Found, *, strict: bool) -> Verdict:
    """Whether the app's code fits a history. ``strict``: a type that the app does not have counts as broken."""
    history = found.history
    if history is None:
        return Verdict(Outcome.BROKEN, found.name, problem=found.problem)
    kind = history.started.workflow_type
    outcome, event_id, problem = Outcome.FITS, 0, ""
    if kind not in app.workflows:
        outcome = Outcome.BROKEN if strict else Outcome.UNKNOWN_TYPE
        problem = f"the app has no workflow of type {kind!r}"
    else:
        try:
            replay(app, history)
        except NonDeterminismError as error:
            outcome, event_id, problem = Outcome.BROKEN, error.event_id, str(error)
        except PerdureError as error:
            outcome, problem = Outcome.BROKEN, str(error)
    return Verdict(outcome, history.workflow_id, history.run_id, kind, event_id, len(history.events), problem)
