"""How much of everything there may be. Each limit has a clear error or back-pressure at it."""

import msgspec


class Limits(msgspec.Struct, frozen=True, gc=False):
    """All settings are counts or bytes; 0 means no limit.

    ``payload_bytes``: one value. ``request_bytes``: all values of one request.
    ``blob_threshold_bytes``: larger values are kept apart, content-addressed. ``suggest_history_events``: a
    program is told to continue as new from there on. ``history_events``: a run that gets longer is terminated.
    ``pending_...``: at once in one run; beyond it the turn that asks for more fails, and tells why.
    ``id_length``: characters of workflow ids, activity ids, names of types, queues, signals.
    """

    payload_bytes: int = 64 * 1024 * 1024
    request_bytes: int = 128 * 1024 * 1024
    blob_threshold_bytes: int = 64 * 1024
    suggest_history_events: int = 10_000
    history_events: int = 0
    pending_activities: int = 50_000
    pending_timers: int = 50_000
    pending_children: int = 50_000
    pending_signals: int = 10_000
    pending_updates: int = 1_000
    buffered_events: int = 100_000
    id_length: int = 1_000
    page_size: int = 1_000


DEFAULT_LIMITS = Limits()
