"""Task tokens: how one attempt of an activity is named outside the engine."""

import base64
import binascii

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.ids import RunAddress
from perdure.model.program import ActivityTask


class TaskToken(msgspec.Struct, frozen=True, array_like=True):
    """Names one attempt, for whoever says how it ended."""

    namespace: str
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    attempt: int

    def encode(self) -> str:
        """As text that survives URLs and forms."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> "TaskToken":
        """Raises ``InvalidArgumentError`` for what ``encode`` did not make."""
        try:
            return msgspec.msgpack.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=cls)
        except (binascii.Error, ValueError, TypeError) as error:
            raise InvalidArgumentError(f"{text!r} is not a task token of an activity: {error}") from None

    @property
    def address(self) -> RunAddress:
        """The run that waits for the attempt."""
        return RunAddress(self.namespace, self.workflow_id, self.run_id)

    @classmethod
    def of(cls, task: ActivityTask) -> "TaskToken":
        """The token of an attempt."""
        address = task.address
        return cls(address.namespace, address.workflow_id, address.run_id, task.scheduled.id, task.attempt)
