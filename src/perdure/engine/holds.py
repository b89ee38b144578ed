"""Why an attempt that could start now does not, as people are told."""

from perdure.engine.admission import Admission
from perdure.engine.backlog import QueueName
from perdure.engine.queue_rules import QueueRules
from perdure.model.affinity import Affinity
from perdure.model.task_queues import Hold, HoldReason


def why(
    admission: Admission,
    queue: QueueName,
    activity_type: str,
    limit_key: str,
    now: int,
    affinity: Affinity | None = None,
) -> Hold:
    """What holds an activity that stands in a queue's backlog at ``now`` (ns since 1970)."""
    name = queue[1]
    rules = admission.near_rules(queue)
    if rules is not None:
        held = rules.held(now)
        if held is not None:
            return _explain(rules, held, "")
    breaker = admission.tripped.get((*queue, activity_type))
    until = None if breaker is None else breaker.held_until(now)
    if until is not None:
        detail = (
            f"the circuit breaker of {activity_type!r} on task queue {name!r} is open; one attempt is let through then"
            if until
            else f"the circuit breaker of {activity_type!r} on task queue {name!r} waits for the one attempt it let through"
        )
        return Hold(HoldReason.BREAKER_OPEN, until, detail)
    if rules is not None and limit_key and (held := rules.key_held(limit_key, now)) is not None:
        return _explain(rules, held, limit_key)
    worker = admission.worker
    if worker is None or not worker.serves_activity(queue[0], name, activity_type):
        detail = (
            f"no worker here serves activity {activity_type!r} on task queue {name!r}; open the app that defines it"
        )
        return Hold(HoldReason.NO_WORKER, 0, detail)
    if affinity is not None and not worker.serves_activity(queue[0], name, activity_type, affinity):
        return Hold(HoldReason.NO_MATCHING_WORKER, 0, f"no worker on task queue {name!r} has label {affinity}")
    host = worker.reserve(*queue, activity_type, affinity)
    if host is None:
        return Hold(HoldReason.NO_FREE_SLOT, 0, "all slots for it here are taken")
    host.release(name, activity_type)
    return Hold(HoldReason.BEHIND_OTHERS, 0, f"others are first on task queue {name!r}")


def _explain(rules: QueueRules, held: tuple[HoldReason, int], limit_key: str) -> Hold:
    settings, (reason, until) = rules.settings, held
    queue = f"task queue {settings.name!r}"
    if reason is HoldReason.QUEUE_PAUSED:
        return Hold(reason, 0, f"{queue} is paused" + (f": {settings.pause_reason}" if settings.pause_reason else ""))
    per = f"{settings.per_ns / 1e9:g} s"
    if reason is HoldReason.RATE_LIMIT:
        limit = f"{settings.rate_per_key} per {per} of key {limit_key!r}" if limit_key else f"{settings.rate} per {per}"
        return Hold(reason, until, f"{queue} starts at most {limit}")
    limit = f"{settings.concurrency_per_key} of key {limit_key!r}" if limit_key else str(settings.concurrency)
    return Hold(reason, until, f"{queue} runs at most {limit} at once")
