"""Updates as the REST interface shows them."""

import msgspec

from perdure.model.errors import UpdateFailedError
from perdure.model.service import UpdateOutcome
from perdure.protocols.rest.asking import StageWord
from perdure.protocols.rest.records import FailureView, failure_text, failure_view
from perdure.protocols.rest.values import Value, one_value


class UpdateView(msgspec.Struct, frozen=True):
    """How far an update has come. ``result`` is null until it is completed."""

    update_id: str
    stage: StageWord
    result: Value


class UpdateRefusedError(UpdateFailedError):
    """An update that was rejected or failed, with what the workflow's code said."""

    def __init__(self, message: str, shown_failure: FailureView | None) -> None:
        super().__init__(message)
        self.shown_failure = shown_failure


def update_view(update_id: str, outcome: UpdateOutcome) -> UpdateView:
    """An update's answer. Raises ``UpdateRefusedError`` for one that was rejected or failed."""
    if outcome.failure is not None:
        text = failure_text(outcome.failure)
        raise UpdateRefusedError(f"Update {update_id!r} failed: {text}", failure_view(outcome.failure))
    return UpdateView(update_id, outcome.stage.name.lower(), one_value(outcome.result))  # type: ignore[arg-type]
