"""What can be set about an engine."""

import msgspec

from perdure.model.limits import DEFAULT_LIMITS, Limits
from perdure.model.options import SECOND_NS


class Settings(msgspec.Struct, frozen=True, gc=False):
    """``resident_runs``: how many runs are kept in memory while they wait; more are read again when they go on.
    ``timer_horizon_ns``: durable timers due within this time are held in memory. ``timer_page``: how many at most at
    once. ``store_retry_ns``: the wait before what could not be written is tried again. ``retention_sweep_ns``: how
    often closed runs past their namespace's retention are deleted.
    """

    limits: Limits = DEFAULT_LIMITS
    resident_runs: int = 2_000
    timer_horizon_ns: int = 60 * SECOND_NS
    timer_page: int = 50_000
    store_retry_ns: int = SECOND_NS
    retention_sweep_ns: int = 60 * SECOND_NS
