"""Activities: what clients ask of pending ones, and what workers say of their attempts."""

from typing import Union

from perdure.model.activity_options import ActivityOptions
from perdure.model.failures import Failure
from perdure.model.payloads import Payloads
from perdure.model.requests.request import BaseRequest


class PauseActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=10):
    """Start no further attempt of activities until they are unpaused, and let none of their timeouts pass while they wait;
    an attempt that runs may finish.

    As in the next three, they are named by their ``activity_id``, or are all pending ones of an ``activity_type``; or, if
    both are empty, all of the run.
    """

    activity_id: str = ""
    activity_type: str = ""
    reason: str = ""
    identity: str = ""


class UnpauseActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=11):
    """Go on after a pause: the next attempt waits no longer than ``delay_ns``. ``resets_attempts`` counts from 1 again;
    ``resets_heartbeat`` forgets what attempts have reported."""

    activity_id: str = ""
    activity_type: str = ""
    resets_attempts: bool = False
    resets_heartbeat: bool = False
    delay_ns: int = 0
    identity: str = ""


class ResetActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=12):
    """Count attempts from 1 again; one that waits for its next attempt goes on after ``delay_ns``, paused or not.

    ``keeps_paused``: a paused one stays so. ``restores_options``: its options are those again that it was scheduled with.
    """

    activity_id: str = ""
    activity_type: str = ""
    resets_heartbeat: bool = False
    keeps_paused: bool = False
    restores_options: bool = False
    delay_ns: int = 0
    identity: str = ""


class UpdateActivityOptions(BaseRequest, frozen=True, array_like=True, gc=False, tag=13):
    """Change options of activities that have not ended; None for ``options`` gives back those that they were scheduled
    with. A retry that waits, waits as the new retry policy says."""

    activity_id: str = ""
    activity_type: str = ""
    options: ActivityOptions | None = None
    identity: str = ""


AboutActivities = Union[PauseActivity, UnpauseActivity, ResetActivity, UpdateActivityOptions]


class StartActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=23):
    """A worker takes an attempt. From then on the attempt counts."""

    scheduled_event_id: int
    attempt: int
    identity: str = ""


class CompleteActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=24):
    """The attempt succeeded."""

    scheduled_event_id: int
    attempt: int
    result: Payloads = ()
    identity: str = ""


class FailActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=25):
    """``heartbeat_details`` are what the attempt last reported, if it was not sent before; None keeps what is known."""

    scheduled_event_id: int
    attempt: int
    failure: Failure
    identity: str = ""
    heartbeat_details: Payloads | None = None


class CancelActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=26):
    """The attempt ended because it was asked to."""

    scheduled_event_id: int
    attempt: int
    details: Payloads = ()
    identity: str = ""


class HeartbeatActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=27):
    """The attempt is alive. ``leaves``: the worker has let go of it, and somebody outside will say how it ended."""

    scheduled_event_id: int
    attempt: int
    details: Payloads = ()
    identity: str = ""
    leaves: bool = False


class LoseActivity(BaseRequest, frozen=True, array_like=True, gc=False, tag=28):
    """The worker that had the attempt is known to be gone. The attempt counts; the next one need not wait."""

    scheduled_event_id: int
    attempt: int
    reason: str = ""
