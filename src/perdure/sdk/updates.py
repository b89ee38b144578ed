"""What a client gives back for an update under way: ``UpdateHandle``."""

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from perdure.model.errors import UpdateFailedError
from perdure.model.requests import UpdateWorkflow
from perdure.model.service import UpdateOutcome, UpdateStage
from perdure.sdk.durations import Duration, to_seconds
from perdure.sdk.failures import from_failure

if TYPE_CHECKING:
    from perdure.sdk.handles import Run

R_co = TypeVar("R_co", covariant=True)

UpdateWait = Literal["admitted", "accepted", "completed"]

STAGES = {
    "admitted": UpdateStage.ADMITTED,
    "accepted": UpdateStage.ACCEPTED,
    "completed": UpdateStage.COMPLETED,
}


class UpdateHandle(Generic[R_co]):
    """An update under way. ``id`` names it in its run, ``run`` is where it goes."""

    __slots__ = ("_outcome", "_request", "_return_type", "run")

    def __init__(self, run: "Run[Any]", request: UpdateWorkflow, return_type: Any) -> None:
        self.run = run
        self._request = request
        self._return_type = return_type
        self._outcome: UpdateOutcome | None = None

    @property
    def id(self) -> str:
        """The update's id."""
        return self._request.update_id

    async def wait(self, stage: UpdateStage) -> None:
        """Wait until it has come as far as ``stage``, or has ended."""
        if self._outcome is None or self._outcome.stage < stage:
            self._outcome = await self.run._update(self._request, stage)

    async def result(self, timeout: Duration | None = None) -> R_co:
        """Wait for the answer.

        Args:
            timeout: the longest wait; a timedelta or seconds, None for no limit.

        Raises:
            UpdateFailedError: the validator refused it, or the handler failed. ``__cause__`` says why.
            TimeoutError: the builtin one: the wait took too long.
        """
        if timeout is None:
            await self.wait(UpdateStage.COMPLETED)
        else:
            async with asyncio.timeout(to_seconds(timeout)):
                await self.wait(UpdateStage.COMPLETED)
        outcome, converter = self._outcome, self.run._converter
        assert outcome is not None
        if outcome.failure is not None:
            cause = from_failure(outcome.failure, converter)
            raise UpdateFailedError(
                f"update {self._request.update_name!r} of workflow {self.run.id!r} failed: {cause}"
            ) from cause
        if not outcome.result:
            return None  # type: ignore[return-value]  # the handler answers nothing
        return converter.from_payload(outcome.result[0], self._return_type)  # type: ignore[no-any-return]
