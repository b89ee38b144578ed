"""All metrics: what each is called, what it says, and where its numbers come from.

The table is the reference (``docs/observability.md`` is written from it), and the dashboards and alert rules in
``packaging/`` are checked against it. Counters end in ``_total``, durations are in seconds. Labels are namespaces, types,
queues and statuses, never ids; of each metric at most ``series.MANY`` combinations are kept apart.
"""

from collections.abc import Callable, Iterable, Iterator

from perdure.observability.metric import (
    Kind,
    Metric,
    Sample,
    few,
    of_counts,
    of_durations,
    of_histograms,
    of_one,
    of_timed,
)
from perdure.observability.nexus_metrics import NEXUS_METRICS
from perdure.observability.series import MANY
from perdure.observability.watched import Watched

__all__ = ["METRICS", "Kind", "Metric", "Sample"]


def _attempts(watched: Watched) -> Iterator[Sample]:
    first, later = watched.recorder.activities_started, watched.recorder.later_attempts
    for labels in {**first, **later}:
        yield labels, (first[labels].count if labels in first else 0) + (later[labels].value if labels in later else 0)


def _oldest(watched: Watched) -> Iterator[Sample]:
    now = watched.engine.clock.now_ns()
    for queue, line in watched.engine.backlog.waiting.items():
        oldest = line.oldest()
        yield queue, max(0.0, (now - oldest) / 1e9) if oldest else 0.0


def _states(watched: Watched) -> Iterator[Sample]:
    for state in ("recovering", "owned", "draining", "closing"):
        yield ("0", state), float(watched.shard_state == state)


def _breakers(watched: Watched) -> Iterator[Sample]:
    now = watched.engine.clock.now_ns()
    for name, breaker in watched.engine.admission.breakers.all.items():
        present = breaker.describe(now).state
        for state in ("closed", "half-open", "open"):
            yield (*name, state), float(present == state)


def _paused(watched: Watched) -> Iterator[Sample]:
    for queue in watched.service.known_task_queues:
        yield queue, float(watched.service.task_queue_settings(queue).is_paused)


def _flow(total: str) -> Callable[[Watched], Iterable[Sample]]:
    return lambda watched: few(
        (queue, float(getattr(flow, total))) for queue, flow in watched.engine.dispatch.flows.items()
    )


QUEUE = ("namespace", "task_queue")
WORKFLOW = ("namespace", "workflow_type")
ACTIVITY = ("namespace", "activity_type")

METRICS: tuple[Metric, ...] = (
    # --- workflows
    Metric(
        "perdure_workflows_started_total",
        Kind.COUNTER,
        WORKFLOW,
        "Runs that began.",
        of_counts(lambda w: w.recorder.workflows_started),
    ),
    Metric(
        "perdure_workflows_closed_total",
        Kind.COUNTER,
        (*WORKFLOW, "status"),
        "Runs that closed, by how: completed, failed, canceled, terminated, continued_as_new, timed_out.",
        of_timed(lambda w: w.recorder.workflows_closed),
    ),
    Metric(
        "perdure_workflow_duration_seconds",
        Kind.HISTOGRAM,
        (*WORKFLOW, "status"),
        "From a run's start to its close.",
        of_durations(lambda w: w.recorder.workflows_closed, 3),
    ),
    Metric(
        "perdure_workflow_task_failures_total",
        Kind.COUNTER,
        (*WORKFLOW, "cause"),
        "Turns of programs that failed or timed out, by why: bugs, and code that a history does not match.",
        of_counts(lambda w: w.recorder.turns_failed),
    ),
    Metric(
        "perdure_history_records_total",
        Kind.COUNTER,
        (),
        "Events and facts written to histories.",
        of_one(lambda w: w.recorder.records),
    ),
    # --- activities
    Metric(
        "perdure_activities_started_total",
        Kind.COUNTER,
        ("namespace", "task_queue", "activity_type"),
        "Attempts of activities that were handed to a worker.",
        _attempts,
    ),
    Metric(
        "perdure_activities_closed_total",
        Kind.COUNTER,
        (*ACTIVITY, "outcome"),
        "Activities that ended for good: completed, failed, timed_out, canceled.",
        of_timed(lambda w: w.recorder.activities_closed),
    ),
    Metric(
        "perdure_activity_retries_total",
        Kind.COUNTER,
        ACTIVITY,
        "Attempts that failed and are followed by another one.",
        of_counts(lambda w: w.recorder.activity_retries),
    ),
    Metric(
        "perdure_activity_duration_seconds",
        Kind.HISTOGRAM,
        ACTIVITY,
        "How long the last attempt of an activity ran.",
        of_durations(lambda w: w.recorder.activities_closed, 2),
    ),
    Metric(
        "perdure_schedule_to_start_seconds",
        Kind.HISTOGRAM,
        QUEUE,
        "From when a workflow asked for an activity to the start of its first attempt: how long work waits for workers.",
        of_durations(lambda w: w.recorder.activities_started, 2),
    ),
    *NEXUS_METRICS,
    # --- task queues
    Metric(
        "perdure_backlog_tasks",
        Kind.GAUGE,
        QUEUE,
        "Activities that are ready and wait.",
        lambda w: few((queue, line.count) for queue, line in w.engine.backlog.waiting.items()),
    ),
    Metric(
        "perdure_backlog_oldest_seconds",
        Kind.GAUGE,
        QUEUE,
        "How long the first of a backlog has waited.",
        lambda w: list(_oldest(w))[:MANY],
    ),
    Metric(
        "perdure_task_queue_added_total",
        Kind.COUNTER,
        QUEUE,
        "Attempts that became ready, with those that started at once.",
        _flow("added"),
    ),
    Metric(
        "perdure_task_queue_started_total",
        Kind.COUNTER,
        QUEUE,
        "Attempts that got a worker. While fewer are started than added, the backlog grows.",
        _flow("started"),
    ),
    Metric(
        "perdure_task_queue_running",
        Kind.GAUGE,
        QUEUE,
        "Attempts that run now.",
        lambda w: few((queue, count) for queue, count in w.running_by_queue().items()),
    ),
    Metric(
        "perdure_task_queue_paused",
        Kind.GAUGE,
        QUEUE,
        "1 if the queue is paused.",
        lambda w: list(_paused(w))[:MANY],
    ),
    Metric(
        "perdure_circuit_breaker_state",
        Kind.GAUGE,
        ("namespace", "task_queue", "activity_type", "state"),
        "1 for the state that a circuit breaker is in: closed, half-open or open. Only breakers that saw a failure are shown.",
        lambda w: list(_breakers(w))[: 3 * MANY],
    ),
    # --- workers
    Metric(
        "perdure_workers_connected",
        Kind.GAUGE,
        ("namespace", "build_id"),
        "Workers in other processes that are connected.",
        lambda w: few(w.workers_by_build().items()),
    ),
    Metric(
        "perdure_pollers",
        Kind.GAUGE,
        QUEUE,
        "Connected workers that serve a queue.",
        lambda w: few(w.pollers_by_queue().items()),
    ),
    Metric(
        "perdure_worker_slots",
        Kind.GAUGE,
        ("namespace", "kind", "state"),
        "Slots of connected workers for activities and workflow_tasks: used, and all.",
        lambda w: few(w.slots().items()),
    ),
    Metric(
        "perdure_waiting_workflow_tasks",
        Kind.GAUGE,
        ("namespace", "task_queue", "workflow_type"),
        "Turns of programs that wait for a worker with a free slot.",
        lambda w: few(w.waiting_turns().items()),
    ),
    # --- the store and the memory
    Metric(
        "perdure_commit_seconds",
        Kind.HISTOGRAM,
        (),
        "How long the store took to make a batch durable.",
        of_one(lambda w: w.recorder.commit_seconds),
    ),
    Metric(
        "perdure_batch_commits",
        Kind.HISTOGRAM,
        (),
        "How many runs' commits were in a batch.",
        of_one(lambda w: w.recorder.batch_commits),
    ),
    Metric(
        "perdure_batch_failures_total",
        Kind.COUNTER,
        (),
        "Batches that could not be written, and were undone.",
        of_one(lambda w: w.recorder.batches_failed),
    ),
    Metric(
        "perdure_commits_under_way",
        Kind.GAUGE,
        (),
        "Commits that are decided and not written yet.",
        of_one(lambda w: w.engine.pipeline.commits_under_way),
    ),
    Metric("perdure_resident_runs", Kind.GAUGE, (), "Runs in memory.", of_one(lambda w: len(w.engine.residents))),
    Metric(
        "perdure_run_cache_hits_total",
        Kind.COUNTER,
        (),
        "How often a run that was needed was in memory.",
        of_one(lambda w: w.engine.residents.hits),
    ),
    Metric(
        "perdure_run_cache_misses_total",
        Kind.COUNTER,
        (),
        "How often a run that was needed was read from the store.",
        of_one(lambda w: w.engine.loader.loads),
    ),
    Metric(
        "perdure_run_cache_evictions_total",
        Kind.COUNTER,
        (),
        "Runs forgotten to make room for others.",
        of_one(lambda w: w.engine.residents.evictions),
    ),
    Metric(
        "perdure_program_replays_total",
        Kind.COUNTER,
        (),
        "Programs built anew by repeating the turns of their histories.",
        of_one(lambda w: w.engine.replays),
    ),
    Metric(
        "perdure_runs_parked",
        Kind.GAUGE,
        (),
        "Runs left alone because their history broke an invariant. Should be 0.",
        of_one(lambda w: len(w.engine.loader.parked)),
    ),
    Metric(
        "perdure_timers_armed",
        Kind.GAUGE,
        (),
        "Deadlines held in memory; later ones sleep in the store.",
        of_one(lambda w: len(w.engine.alarms)),
    ),
    Metric(
        "perdure_messages_under_way",
        Kind.GAUGE,
        (),
        "Messages between runs that have not arrived.",
        of_one(lambda w: w.engine.outbox.under_way),
    ),
    # --- the process
    Metric(
        "perdure_shard_state",
        Kind.GAUGE,
        ("shard", "state"),
        "1 for the state that a shard is in here: recovering, owned, draining or closing.",
        _states,
    ),
    Metric(
        "perdure_ready",
        Kind.GAUGE,
        (),
        "1 if /health/ready says so.",
        of_one(lambda w: float(not w.reasons_not_ready())),
    ),
    Metric(
        "perdure_event_loop_lag_seconds",
        Kind.HISTOGRAM,
        (),
        "How late the event loop was for what was due, looked at twice a second.",
        of_one(lambda w: w.loop_lag),
    ),
    Metric(
        "perdure_http_requests_total",
        Kind.COUNTER,
        ("method", "route", "status"),
        "Answered REST requests.",
        of_counts(lambda w: w.http_requests),
    ),
    Metric(
        "perdure_http_errors_total",
        Kind.COUNTER,
        ("route", "error"),
        "Requests that were refused, by the error's name, where clients go by that rather than by the status: "
        "Step Functions'.",
        of_counts(lambda w: w.http_errors),
    ),
    Metric(
        "perdure_http_request_seconds",
        Kind.HISTOGRAM,
        ("method", "route"),
        "From a REST request to the end of its answer.",
        of_histograms(lambda w: w.http_seconds),
    ),
    Metric(
        "perdure_grpc_streams",
        Kind.GAUGE,
        ("method",),
        "Open streams: Work of workers, Call of clients.",
        lambda w: list(w.grpc.open.items()),
    ),
    Metric(
        "perdure_grpc_streams_ended_total",
        Kind.COUNTER,
        ("method", "code"),
        "Streams that ended, by how: ok, cancelled, or the status of those that were refused or sent away.",
        of_counts(lambda w: w.grpc.streams),
    ),
    Metric(
        "perdure_grpc_calls_total",
        Kind.COUNTER,
        ("operation", "code"),
        "Answered calls of clients, by operation, and ok, cancelled or the name of the error.",
        of_counts(lambda w: w.grpc.calls),
    ),
    Metric(
        "perdure_grpc_call_seconds",
        Kind.HISTOGRAM,
        ("operation",),
        "From a call to its answer. Some wait for something to happen, such as wait_closed.",
        of_histograms(lambda w: w.grpc.seconds),
    ),
    Metric(
        "perdure_grpc_worker_messages_total",
        Kind.COUNTER,
        (),
        "What workers said: results, heartbeats, turns, free slots.",
        of_one(lambda w: w.grpc.messages),
    ),
)
