"""Why a run is not moving, with what only the engine knows: who could go on here, and where the run's code stands."""

import msgspec

from perdure.engine import holds
from perdure.engine.engine import Engine
from perdure.engine.queries import query
from perdure.engine.resident import Resident
from perdure.kernel import explain as kernel
from perdure.kernel.run import Run
from perdure.model.explanation import PROGRAM_VIEW_QUERY, Explanation, ProgramView, Wait, WaitKind
from perdure.model.failures import Failure

_view = msgspec.json.Decoder(ProgramView)


async def explain(engine: Engine, resident: Resident) -> Explanation:
    """Why the run is where it is. Asks its program where it stands, which may have to be built from the history."""
    run = resident.run
    found = kernel.explain(run, engine.clock.now_ns())
    if run.close is not None:
        return found
    view = await _view_of(engine, resident)
    waits = [_seen_from_here(engine, run, wait, view) for wait in found.waits]
    if engine.operations.blocked and run.operations:
        waits = [await _asked_by_url(engine, run, wait) for wait in waits]
    problem = engine.loader.parked.get(run.run_id)
    if problem is not None:
        waits.insert(0, _parked(problem))
    return msgspec.structs.replace(found, waits=waits, code=view.code, signals=view.signals, updates=view.updates)


def _parked(problem: str) -> Wait:
    return Wait(
        kind=WaitKind.PARKED,
        what="mended software",
        state=f"it is parked, because it broke an invariant of the engine: {problem}",
        ends_by="a version of Perdure that can go on with it, when it opens the store; perdure verify shows what is wrong",
    )


async def _view_of(engine: Engine, resident: Resident) -> ProgramView:
    run, worker = resident.run, engine.worker
    turn = run.workflow_task
    if (
        worker is None
        or not worker.serves_workflow(run.namespace, run.started.task_queue, run.started.workflow_type)
        # A program that has something to do, or fails to do it, is not where it will stand.
        or turn is not None
    ):
        return ProgramView()
    answer = await query(engine, resident, PROGRAM_VIEW_QUERY, ())
    # Programs in other languages may not know the query.
    return ProgramView() if isinstance(answer, Failure) or not answer else _view.decode(answer[0].data)


def _seen_from_here(engine: Engine, run: Run, wait: Wait, view: ProgramView) -> Wait:
    match wait.kind:
        case WaitKind.TURN if not wait.expires and not wait.until:
            return _turn(engine, run, wait)
        case WaitKind.ACTIVITY:
            return _activity(engine, run, wait)
        case WaitKind.MESSAGE if view.code:
            return _message(wait, view)
        case _:
            return wait


def _turn(engine: Engine, run: Run, wait: Wait) -> Wait:
    started = run.started
    queue, kind, worker = started.task_queue, started.workflow_type, engine.worker
    if worker is None or not worker.serves_workflow(run.namespace, queue, kind):
        return _with_state(wait, f"no worker here serves workflow type {kind} on task queue {queue}")
    if run.pinned_build_id and run.pinned_build_id not in worker.builds(run.namespace, queue, kind):
        builds = " and ".join(sorted(worker.builds(run.namespace, queue, kind)))
        return _with_state(wait, f"it is pinned to build {run.pinned_build_id}; the worker here has build {builds}")
    if started.affinity is not None and not worker.serves_workflow(run.namespace, queue, kind, started.affinity):
        return _with_state(wait, f"no worker on task queue {queue!r} has label {started.affinity}")
    return wait


def _activity(engine: Engine, run: Run, wait: Wait) -> Wait:
    pending = run.activities[wait.ref]
    if pending.started_time or wait.until:
        return wait
    scheduled = pending.scheduled
    queue, kind = scheduled.task_queue, scheduled.activity_type
    if engine.worker is None or not engine.worker.serves_activity(run.namespace, queue, kind):
        return _with_state(wait, f"no worker here runs activity type {kind} on task queue {queue}")
    if run.is_paused:
        return wait
    now, name = engine.clock.now_ns(), (run.namespace, queue)
    hold = holds.why(engine.admission, name, kind, scheduled.limit_key, now, scheduled.affinity)
    return msgspec.structs.replace(_with_state(wait, hold.detail), until=hold.until_ns)


async def _asked_by_url(engine: Engine, run: Run, wait: Wait) -> Wait:
    """An operation that waits to be asked for again, as Temporal's clients see it described: BLOCKED, and why."""
    operation = run.operations.get(wait.ref) if wait.kind is WaitKind.OPERATION else None
    if operation is None or operation.started_time or operation.next_attempt_time:
        return wait
    scheduled = operation.scheduled
    queue = (scheduled.namespace, scheduled.task_queue)
    if scheduled.endpoint and not scheduled.namespace:
        endpoint = await engine.operations.endpoints.named(scheduled.endpoint)
        queue = endpoint.queue if endpoint is not None else queue
    why = engine.operations.blocked.get(queue, "")
    return _with_state(wait, f"BLOCKED: {why}") if why else wait


def _message(wait: Wait, view: ProgramView) -> Wait:
    handled = [
        f"{kind} {', '.join(names)}" for kind, names in (("signals", view.signals), ("updates", view.updates)) if names
    ]
    ends_by = f"a message that its code handles ({'; '.join(handled)})" if handled else "being cancelled or terminated"
    return msgspec.structs.replace(
        wait, state=f"nothing else is pending; its code waits for {'; '.join(map(str, view.code))}", ends_by=ends_by
    )


def _with_state(wait: Wait, more: str) -> Wait:
    return msgspec.structs.replace(wait, state=f"{wait.state}: {more}")
