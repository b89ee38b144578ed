"""How much of everything there may be. Each limit has a clear error or back-pressure at it."""

import msgspec


class Limits(msgspec.Struct, frozen=True, gc=False):
    """How much there may be of everything: counts or bytes; 0 means no limit."""

    payload_bytes: int = 64 * 1024 * 1024
    """One value."""
    request_bytes: int = 128 * 1024 * 1024
    """All values of one request."""
    blob_threshold_bytes: int = 64 * 1024
    """Values larger than this are kept apart from the history, content-addressed."""
    suggest_history_events: int = 10_000
    """From this length on, a program is told to continue as new: `workflow.info().continue_as_new_suggested`."""
    history_events: int = 0
    """A longer run is terminated."""
    turn_attempts: int = 0
    """A run whose turn fails so many times in a row is terminated. Without a limit it is tried until mended code is there;
    ``perdure.testing`` sets 10, since nobody mends the code during a test."""
    pending_activities: int = 50_000
    """Of one run at once. A turn that asks for more fails, and says so; so for all that may be pending."""
    pending_timers: int = 50_000
    """Of one run at once."""
    pending_children: int = 50_000
    """Of one run at once."""
    pending_signals: int = 10_000
    """Signals to other runs under way, of one run."""
    pending_operations: int = 10_000
    """Nexus operations that have not ended, of one run."""
    completion_callbacks: int = 32
    """How many are told when a run closes."""
    pending_updates: int = 1_000
    """Updates that have not completed, of one run."""
    buffered_events: int = 100_000
    """Events that wait for a turn to end, of one run."""
    id_length: int = 1_000
    """Characters of a workflow id, an activity id, or the name of a type, queue or signal."""
    page_size: int = 1_000
    """Of histories and lists, for one request."""
    search_attributes: int = 100
    """Of one run. A turn that sets more fails, and says so."""
    search_attribute_bytes: int = 2_048
    """One value of a search attribute, as JSON."""
    queue_depth: int = 1_000_000
    """Activities that are ready and wait in one task queue. A start into a queue where so many wait is refused; what is
    under way goes on, children and schedules too."""
    waiting_callers: int = 1_000_000
    """Callers that wait at once for the end of a run, the answer to an update, or more of a history. One more is refused,
    and told so: an `execute` before anything is started, an update before it is sent. Each takes about a kilobyte."""
    child_depth: int = 100
    """How many runs there may be above a child: its parent, the parent's parent and so on. A turn that starts one below
    them fails, and says so. Workflows that start themselves would otherwise grow faster than they can be ended."""


DEFAULT_LIMITS = Limits()
