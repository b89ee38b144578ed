"""What the clock says."""

from perdure.model.requests.request import BaseRequest


class FireTimer(BaseRequest, frozen=True, array_like=True, gc=False, tag=40):
    """A deadline of the run is due. ``key`` is the deadline's name, as in ``Deadline``."""

    key: int
