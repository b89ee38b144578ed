"""What can be set about an engine."""

import msgspec

from perdure.model.limits import DEFAULT_LIMITS, Limits
from perdure.model.options import SECOND_NS


class Settings(msgspec.Struct, frozen=True, gc=False):
    """Of one engine. Durations are integer nanoseconds."""

    limits: Limits = DEFAULT_LIMITS
    """How much there may be of everything, see below."""
    resident_runs: int = 2_000
    """How many runs are kept in memory while they wait; others are read again when they go on."""
    timer_horizon_ns: int = 60 * SECOND_NS
    """Durable timers due within this time are held in memory."""
    timer_page: int = 50_000
    """How many of them at most are brought in at once."""
    store_retry_ns: int = SECOND_NS
    """The wait before what could not be written is tried again."""
    retention_sweep_ns: int = 60 * SECOND_NS
    """How often closed runs past their namespace's retention are deleted."""
    worker_lease_ns: int = 30 * SECOND_NS
    """How long a worker that lost its connection, or whose server was away, may take to come back before the activities
    it had are given to others."""
