"""Workflow tasks: what workers say of the program's turns."""

from perdure.model.commands import AnyCommand
from perdure.model.failures import Failure
from perdure.model.options import Versioning
from perdure.model.requests.request import BaseRequest


class StartWorkflowTask(BaseRequest, frozen=True, array_like=True, gc=False, tag=20):
    """A worker takes the run's next turn."""

    identity: str
    build_id: str = ""


class CompleteWorkflowTask(BaseRequest, frozen=True, array_like=True, gc=False, tag=21):
    """A worker hands in the turn that began with ``started_event_id`` (the number that turn's start has, or will
    have). With ``forces_next`` there is another one after it, even if nothing new has happened: the worker is still busy
    with what this one began."""

    started_event_id: int
    attempt: int
    commands: tuple[AnyCommand, ...]
    identity: str = ""
    build_id: str = ""
    forces_next: bool = False
    sdk_metadata: bytes = b""
    sticky_queue: str = ""
    state: bytes = b""
    deployment: str = ""
    versioning: Versioning = Versioning.UNSPECIFIED


class UnstickWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=35):
    """The worker that keeps the program does not come for its turns, or is gone: they are anybody's. A turn that waits there
    has timed out."""


class FailWorkflowTask(BaseRequest, frozen=True, array_like=True, gc=False, tag=22):
    """The turn could not be taken; it is tried again with back-off. ``cause`` as in ``WorkflowTaskFailed``."""

    started_event_id: int
    attempt: int
    cause: str
    failure: Failure | None = None
    identity: str = ""
    build_id: str = ""
