"""What bodies have in common: names, durations, retry policies, and the words for choices."""

import hashlib
import secrets
from typing import Annotated, Literal

import msgspec

from perdure.model.affinity import MOST_LABELS, Affinity, affinity_of
from perdure.model.errors import InvalidArgumentError
from perdure.model.options import IdConflict, IdReuse, RetryPolicy, RunStatus
from perdure.model.service import UpdateStage
from perdure.protocols.rest.values import to_ns

LONGEST_NAME = 1_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
Reason = Annotated[str, msgspec.Meta(max_length=10_000, description="Why; shown in the history.")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3_153_600_000, description="Seconds; a hundred years at most.")]
Limit = Annotated[
    float, msgspec.Meta(gt=0, le=3_153_600_000, description="Seconds, above zero; null or left out for no limit.")
]
EventId = Annotated[int, msgspec.Meta(ge=1, le=(1 << 53))]
WaitSeconds = Annotated[
    float, msgspec.Meta(ge=0, le=3600, description="How long to wait, at most; the server has a limit too.")
]

StatusWord = Literal[
    "running", "paused", "completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out"
]
IdReuseWord = Literal["allow", "allow_if_failed", "reject"]
IdConflictWord = Literal["use", "fail", "terminate"]
StageWord = Literal["admitted", "accepted", "completed"]

ID_REUSE = {"allow": IdReuse.ALLOW, "allow_if_failed": IdReuse.ALLOW_IF_FAILED, "reject": IdReuse.REJECT}
ID_CONFLICT = {"use": IdConflict.USE, "fail": IdConflict.FAIL, "terminate": IdConflict.TERMINATE}
STAGES = {
    "admitted": UpdateStage.ADMITTED,
    "accepted": UpdateStage.ACCEPTED,
    "completed": UpdateStage.COMPLETED,
}
STATUSES = {str(status): status for status in RunStatus}


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What all bodies share: a field that is not known is refused."""


class OfRun(msgspec.Struct, forbid_unknown_fields=True):
    """The query of operations on a run."""

    run_id: Annotated[
        str,
        msgspec.Meta(max_length=LONGEST_NAME, description="An exact run; without it the workflow id's current one."),
    ] = ""


Labels = Annotated[
    dict[Name, Name], msgspec.Meta(max_length=MOST_LABELS, description="Labels of workers: texts by name.")
]


class AffinityBody(Asked):
    """Which workers a task goes to: only to those with all ``required`` labels, and of these first to those with the most
    of the ``preferred`` ones."""

    required: Labels = {}
    preferred: Labels = {}


class RetryBody(Asked):
    """When a failed attempt is tried again: after ``initial_seconds``, then ``backoff`` times that ... up to
    ``maximum_seconds``. ``max_attempts`` counts the first one too; 0 is no limit. Failures of a type in
    ``non_retryable`` are final."""

    initial_seconds: Seconds = 1.0
    backoff: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 2.0
    maximum_seconds: Seconds = 100.0
    max_attempts: Annotated[int, msgspec.Meta(ge=0, le=1 << 31)] = 0
    non_retryable: list[Name] = []


def retry_policy(body: RetryBody | None) -> RetryPolicy | None:
    """The engine's own. Raises ``InvalidArgumentError``."""
    if body is None:
        return None
    if body.maximum_seconds < body.initial_seconds:
        raise InvalidArgumentError("retry: maximum_seconds must be at least initial_seconds.")
    return RetryPolicy(
        to_ns(body.initial_seconds),
        body.backoff,
        to_ns(body.maximum_seconds),
        body.max_attempts,
        tuple(body.non_retryable),
    )


def id_or_new(key: str) -> str:
    """The id of a request: the idempotency key, or one that nobody else has."""
    return key or secrets.token_hex(16)


def new_or_of(namespace: str, key: str) -> str:
    """An id for what is started: the same for the same key, so that a start without one of its own can be sent again."""
    return hashlib.sha256(f"{namespace}/{key}".encode()).hexdigest()[:32] if key else secrets.token_hex(16)


def affinity(body: AffinityBody | None) -> Affinity | None:
    """What a task asks of workers, as the engine has it."""
    return None if body is None else affinity_of(body.required, body.preferred)
