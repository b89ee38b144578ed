"""What a worker says that is larger than its token allows: what it was about fails, with the reason, and the worker goes on.

To send the worker away would be worse: it, and each that takes the task after it, would come with the same again.
"""

from collections.abc import Iterable

from perdure.model.access import Session
from perdure.model.errors import LimitExceededError
from perdure.protocols.worker import worker_pb2 as pb

TOO_LARGE = "GRPC_MESSAGE_TOO_LARGE"
"""Why a turn failed, in the words of Temporal's histories."""


def within(session: Session, messages: Iterable[pb.FromWorker]) -> None:
    """Put a refusal in the place of each message that is too large. Raises ``LimitExceededError`` for a hello."""
    for message in messages:
        size = message.ByteSize()
        if size > session.request_bytes:
            try:
                session.check_size(f"{message.WhichOneof('message')} of a worker", size)
            except LimitExceededError as error:
                if not _refuse(message, error):
                    raise


def _refuse(message: pb.FromWorker, error: LimitExceededError) -> bool:
    """Whether there is something that can fail of it."""
    failure = pb.Failure(message=str(error), type="LimitExceededError", non_retryable=True)
    match message.WhichOneof("message"):
        case "activity":
            report = message.activity
            if report.WhichOneof("outcome") in ("heartbeat", "left"):
                # That it lives is what matters most.
                getattr(report, report.WhichOneof("outcome")).Clear()
            else:
                report.ClearField("last_heartbeat")
                report.failed.CopyFrom(failure)
        case "turn":
            turn = message.turn
            turn.ClearField("commands")
            turn.ClearField("state")
            turn.cause = TOO_LARGE
            turn.failure.CopyFrom(failure)
        case "query":
            message.query.ClearField("result")
            message.query.failure.CopyFrom(failure)
        case _:
            return False
    return True
