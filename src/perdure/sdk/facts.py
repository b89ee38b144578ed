"""What a run's code can ask about itself: who it is, what time it is, and chance that a replay repeats."""

import logging
import random as _random
import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from perdure.model.ids import ParentLink
from perdure.model.options import RetryPolicy
from perdure.model.payloads import NULL, PayloadMap
from perdure.sdk.run import PROGRESS_KEY, log, require_run
from perdure.sdk.turns import current_run


@dataclass(frozen=True)
class WorkflowInfo:
    """A run, as its own code sees it. Timeouts are None where there is none."""

    namespace: str
    workflow_id: str
    run_id: str
    type: str
    task_queue: str
    attempt: int
    """1 for the first run of a retried workflow, then 2, and so on."""
    start_time: datetime
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    parent: ParentLink | None
    """The run that started this one as its child."""
    root_workflow_id: str
    root_run_id: str
    """The run at the top of the family; itself, when nobody started it as a child."""
    first_run_id: str
    """The first run of the chain of continuations and retries that this one is in."""
    continued_run_id: str
    """The run that this one goes on from; empty for the first one."""
    memo: Mapping[str, Any]
    search_attributes: Mapping[str, Any]
    history_length: int
    """How many events there were when this turn began."""
    continue_as_new_suggested: bool
    """Whether the history has become so long that the run had better continue as new."""
    build_id: str
    """Which version of the code takes this turn."""


def info() -> WorkflowInfo:
    """Who this run is, and where it stands."""
    run = require_run()
    started, address = run.started, run.address
    return WorkflowInfo(
        namespace=address.namespace,
        workflow_id=address.workflow_id,
        run_id=address.run_id,
        type=started.workflow_type,
        task_queue=started.task_queue,
        attempt=started.attempt,
        start_time=_to_datetime(started.time),
        execution_timeout=_to_timedelta(started.workflow_execution_timeout_ns),
        run_timeout=_to_timedelta(started.workflow_run_timeout_ns),
        task_timeout=_to_timedelta(started.workflow_task_timeout_ns),
        retry_policy=started.retry_policy,
        parent=started.parent,
        root_workflow_id=started.root_workflow_id or address.workflow_id,
        root_run_id=started.root_run_id or address.run_id,
        first_run_id=started.first_execution_run_id or address.run_id,
        continued_run_id=started.continued_execution_run_id,
        memo=run.converter.from_payload_map(_visible(run.memo)),
        search_attributes=run.converter.from_search_attributes(_visible(run.search_attributes)),
        history_length=run.turn.id if run.turn is not None else 0,
        continue_as_new_suggested=run.turn is not None and run.turn.suggest_continue_as_new,
        build_id=run.build_id,
    )


def _visible(payloads: PayloadMap | None) -> PayloadMap:
    return {name: p for name, p in (payloads or {}).items() if p.encoding != NULL and name != PROGRESS_KEY}


def _to_datetime(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(microsecond=ns % 1_000_000_000 // 1000)


def _to_timedelta(ns: int) -> timedelta | None:
    return timedelta(microseconds=ns // 1000) if ns else None


def now() -> datetime:
    """The time, in UTC: when this turn began. It stands still until the code waits for something."""
    return _to_datetime(require_run().loop.now_ns)


def random() -> _random.Random:
    """A random number generator of this run's own. A replay sees the same numbers. Not for secrets."""
    run = require_run()
    if run.chance is None:
        run.chance = _random.Random(run.seed)
    return run.chance


def uuid4() -> uuid.UUID:
    """A random UUID that a replay sees again. Not for secrets."""
    return uuid.UUID(int=random().getrandbits(128), version=4)


class WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that says which run is talking, and says nothing while a turn is only repeated."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """Whether a record of this level would be written now."""
        run = current_run()
        if run is not None and (run.is_replaying or run.is_closed):
            return False
        return super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add to the record which run it is from: ``namespace``, ``workflow_id``, ``run_id``, ``workflow_type``, and the
        ids of its trace and span where it is traced."""
        run = current_run()
        if run is not None:
            kwargs["extra"] = {**run.log_fields, **(kwargs.get("extra") or {})}
        return msg, kwargs


logger = WorkflowLogger(log, {})
"""For workflow code. Each line is written once, however often its turn is repeated."""
