"""Updates as the REST interface shows them."""

from typing import Any

import msgspec

from perdure.model.errors import UpdateFailedError
from perdure.model.ids import RunAddress
from perdure.model.requests import UpdateWorkflow
from perdure.model.service import UpdateOutcome, UpdateStage
from perdure.protocols.rest.asking import StageWord
from perdure.protocols.rest.operations import Call
from perdure.protocols.rest.records import FailureView, failure_text, failure_view
from perdure.protocols.rest.values import Value, one_value
from perdure.protocols.rest.waiting import within


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


async def awaited_update(
    call: Call[Any, Any], address: RunAddress, request: UpdateWorkflow, stage: UpdateStage, seconds: float
) -> UpdateView:
    """Deliver an update, or join the one with the same id, and wait for it as long as a caller may wait.

    Raises ``UpdateRefusedError`` for one that was rejected or failed.
    """
    # Admitted first: from then on it goes its way, whether this caller waits or not.
    outcome = await call.service.update(address, request, UpdateStage.ADMITTED)
    if outcome.stage < stage:
        further = await within(call, seconds, call.service.update(address, request, stage))
        if further is None:
            call.status = 202
        else:
            outcome = further
    return update_view(request.update_id, outcome)


def update_view(update_id: str, outcome: UpdateOutcome) -> UpdateView:
    """An update's answer. Raises ``UpdateRefusedError`` for one that was rejected or failed."""
    if outcome.failure is not None:
        text = failure_text(outcome.failure)
        raise UpdateRefusedError(f"Update {update_id!r} failed: {text}", failure_view(outcome.failure))
    return UpdateView(update_id, outcome.stage.name.lower(), one_value(outcome.result))  # type: ignore[arg-type]
