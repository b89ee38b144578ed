"""A distributed Map: a Map run, whose iterations are child executions.

Its items may be read from elsewhere (``item_reader``) and go in batches; its results may be written elsewhere. What is
saved for each child execution is its result and the run's counts, so that it costs the same however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from perdure.languages.asl import item_reader, map_items, redrives, result_writer
from perdure.languages.asl.chance import Chance
from perdure.languages.asl.context import timestamp
from perdure.languages.asl.data import Data, encode, raw
from perdure.languages.asl.execution import TASK_QUEUE
from perdure.languages.asl.lines import MapRun
from perdure.languages.asl.said import Said
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.payloads import Payload

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line

MAP_RUN = "map run"
READER = "reader"
WRITER = "writer"
REDRIVEN = "redriven"
"""The value that says which child executions are begun again, by index."""
AT_ONCE = 1_000
"""So many child executions are under way unless the Map says otherwise."""

EXCEEDED = "States.ExceedToleratedFailureThreshold"
Closed = (
    e.ChildWorkflowExecutionCompleted
    | e.ChildWorkflowExecutionFailed
    | e.ChildWorkflowExecutionTimedOut
    | e.ChildWorkflowExecutionCanceled
    | e.ChildWorkflowExecutionTerminated
    | e.StartChildWorkflowExecutionFailed
)


def is_distributed(state: State) -> bool:
    """Whether a Map is distributed."""
    fields = state.fields
    processor = fields.get("ItemProcessor", fields.get("Iterator", {}))
    return bool(processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


def enter(run: Interpreter, line: Line, state: State) -> None:
    """The Map begins: it reads its items, or has them."""
    if "ItemReader" in state.fields:
        name = run.wait(line, READER)
        item_reader.read(run, line, state, name)
        return
    _begin(run, line, state, map_items.items_of(run, line, state))


def activity_ended(run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
    """An ItemReader or a ResultWriter has ended."""
    if line.waits == READER:
        _begin(run, line, state, item_reader.items_of(run, line, state, event))
        return
    result_writer.ended(event)
    left = line.notes["left"] - 1
    line.notes = {**line.notes, "left": left}
    run.lines.change(line)
    if not left:
        _succeed(run, line, state, line.notes["output"])


def child_changed(run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
    """A child execution has started or closed."""
    index = int(name.rpartition(":")[2])
    if isinstance(event, (e.ChildWorkflowExecutionStarted, Closed)) and result_writer.is_told(state):
        which = "began" if isinstance(event, e.ChildWorkflowExecutionStarted) else "ended"
        run.lines.keep(line.id, f"{which} {index}", Data(event.time))
    if not isinstance(event, Closed):
        return
    map_run = run.lines.map_runs[line.notes["arn"]]
    count = _items_in(run, line, index)
    changed = msgspec.structs.replace(map_run)
    match event:
        case e.ChildWorkflowExecutionCompleted(result=result):
            run.lines.keep(line.id, f"result {index}", Data.of(result[0].data if result else b"null"))
            changed.succeeded += 1
            changed.items_succeeded += count
        case e.ChildWorkflowExecutionFailed(failure=failure):
            why = {"Error": failure.type, "Cause": failure.message}
            run.lines.keep(line.id, f"failure {index}", Data({key: text for key, text in why.items() if text}))
            changed.failed += 1
            changed.items_failed += count
        case e.ChildWorkflowExecutionTimedOut():
            run.lines.keep(line.id, f"failure {index}", Data({"Error": "States.Timeout"}))
            changed.timed_out += 1
            changed.items_timed_out += count
            changed.items_failed += count
        case _:
            run.lines.keep(line.id, f"failure {index}", Data({"Error": "States.TaskFailed"}))
            changed.aborted += 1
            changed.items_aborted += count
            changed.items_failed += count
    run.lines.change_map_run(changed)
    if _is_exceeded(changed):
        _fail(run, line, changed)
    _go_on(run, line, state, changed)


def redrive(run: Interpreter, line: Line, state: State) -> None:
    """Its execution is redriven: child executions that did not succeed go on, or begin again, results that were not written are
    written again."""
    if line.waits == READER:
        run.again(line)
        return
    map_run = run.lines.map_runs[line.notes["arn"]]
    if line.waits == WRITER:
        name = f"{line.id}:{line.sequence}"
        for index in range(line.notes["files"]):
            run.cancel_activity(f"{name}:{index}")
        _gather(run, line, state, map_run)
        return
    kept, prefix = run.lines.values[line.id], f"{line.id}:{line.sequence}:"
    still = {name for name in run.lines.children.values() if name.startswith(prefix)}
    redriven = [n for n in range(map_run.begun) if f"result {n}" not in kept and f"{prefix}{n}" not in still]
    changed = msgspec.structs.replace(
        map_run,
        status="RUNNING",
        stop_time=0,
        failed=0,
        timed_out=0,
        aborted=0,
        items_failed=0,
        items_timed_out=0,
        items_aborted=0,
        redrive_count=map_run.redrive_count + 1,
        redrive_time=run.now_ns,
        pending_redrive=len(redriven),
        items_pending_redrive=sum(_items_in(run, line, index) for index in redriven),
    )
    run.lines.keep(line.id, REDRIVEN, Data(redriven))
    run.lines.change_map_run(changed)
    run.log(line, "MapRunRedriven", {"mapRunArn": raw(changed.arn), "redriveCount": raw(changed.redrive_count)})
    _go_on(run, line, state, changed)


def update(run: Interpreter, asked: dict[str, Any]) -> None:
    """UpdateMapRun: what a Map run goes by is another from here on. One that is over stays as it is."""
    found = run.lines.map_runs.get(asked.get("mapRunArn", ""))
    line = next((one for one in run.lines.lines.values() if found and one.notes.get("arn") == found.arn), None)
    if found is None or line is None or line.waits != MAP_RUN:
        return
    changed = msgspec.structs.replace(
        found,
        max_concurrency=asked.get("maxConcurrency", found.max_concurrency),
        tolerated_count=asked.get("toleratedFailureCount", found.tolerated_count),
        tolerated_percentage=asked.get("toleratedFailurePercentage", found.tolerated_percentage),
    )
    run.lines.change_map_run(changed)
    run.attempt(line, run.state_of(line), lambda run, at, of: _updated(run, at, of, changed))


def _updated(run: Interpreter, line: Line, state: State, map_run: MapRun) -> None:
    if _is_exceeded(map_run):
        _fail(run, line, map_run)
    _go_on(run, line, state, map_run)


def drop(run: Interpreter, line: Line) -> None:
    """Nobody wants the Map run any more."""
    name = f"{line.id}:{line.sequence}"
    if line.waits == READER:
        run.cancel_activity(name)
    elif line.waits == WRITER:
        for index in range(line.notes["files"]):
            run.cancel_activity(f"{name}:{index}")
    else:
        _end_children(run, line)
        map_run = run.lines.map_runs[line.notes["arn"]]
        _stop(run, map_run, "ABORTED")
        run.log(line, "MapRunAborted", {})


# --- how it begins


def _begin(run: Interpreter, line: Line, state: State, items: list[Any]) -> None:
    run.log(line, "MapStateStarted", {"length": raw(len(items))})
    at_once = map_items.concurrency(run, line, state)
    count, percentage = map_items.tolerated(run, line, state)
    batches = item_reader.batches(run, line, state, items)
    execution = run.execution
    chance = Chance(f"{run.address.run_id}:{line.id}:{run.lines.last_event}")
    label = state.fields.get("Label") or chance.uuid()
    arn = (
        f"arn:aws:states:{execution.region}:{execution.account}:mapRun:{execution.machine_name}/{label}:{chance.uuid()}"
    )
    run.wait(line, MAP_RUN, arn=arn)
    run.lines.keep(line.id, "items", Data(items))
    if batches is not None:
        run.lines.keep(line.id, "batches", Data(batches))
    map_run = MapRun(
        arn,
        label,
        "RUNNING",
        run.now_ns,
        max_concurrency=at_once,
        tolerated_count=count,
        tolerated_percentage=percentage,
        items=len(items),
        executions=len(items) if batches is None else len(batches) - 1,
    )
    run.lines.change_map_run(map_run)
    run.log(line, "MapRunStarted", {"mapRunArn": raw(arn)})
    _go_on(run, line, state, map_run)


def _go_on(run: Interpreter, line: Line, state: State, map_run: MapRun) -> None:
    """Begin as many child executions as may be under way; if there are none left to wait for, gather what they gave."""
    if run.lines.is_ending:
        run.end_early()
        return
    at_once = map_run.max_concurrency or AT_ONCE
    while map_run.running < at_once and (map_run.pending_redrive or map_run.begun < map_run.executions):
        if map_run.pending_redrive:
            redriven = run.lines.values[line.id][REDRIVEN].value
            index = redriven[len(redriven) - map_run.pending_redrive]
            goes_on = _reason(state)
            map_run.pending_redrive -= 1
            map_run.items_pending_redrive -= _items_in(run, line, index)
        else:
            index, goes_on = map_run.begun, ""
            map_run.begun += 1
            map_run.items_begun += _items_in(run, line, index)
        run.lines.change_map_run(map_run)
        _begin_child(run, line, state, map_run, index, goes_on)
    if map_run.ended == map_run.executions:
        _gather(run, line, state, map_run)


def _reason(state: State) -> str:
    """Why a child execution goes on that did not succeed; empty where it begins anew, as AWS has it with Express ones."""
    processor = state.fields.get("ItemProcessor", state.fields.get("Iterator", {}))
    is_express = processor.get("ProcessorConfig", {}).get("ExecutionType") == "EXPRESS"
    return "" if is_express else redrives.reason_of(redrives.OF_MAP_RUN)


def _begin_child(run: Interpreter, line: Line, state: State, map_run: MapRun, index: int, goes_on: str) -> None:
    given = _given(run, line, state, index)
    execution = run.execution
    name = Chance(f"{map_run.arn}:{index}").uuid()
    machine = f"{execution.machine_name}/{map_run.label}"
    child = msgspec.structs.replace(
        execution,
        name=name,
        arn=f"arn:aws:states:{execution.region}:{execution.account}:execution:{machine}:{name}",
        start_time="",
        task_queue=run.task_queue,
        map_run_arn=map_run.arn,
        states=map_items.processor_pointer(state),
    )
    if run.execution.name and not execution.arn:
        child = msgspec.structs.replace(child, arn=f"{run.address.workflow_id}/{name}")
    run.start_child(
        f"{line.id}:{line.sequence}:{index}",
        c.StartChildWorkflowExecution(
            child.arn,
            machine,
            TASK_QUEUE,
            input=(Payload(encode(given)), Payload(encode(child))),
            memo={"map_run": Payload(encode(map_run.arn))},
            goes_on=goes_on,
        ),
    )


def _given(run: Interpreter, line: Line, state: State, index: int) -> Any:
    """A child execution's input."""
    kept = run.lines.values[line.id]
    items = kept["items"].value
    if "batches" in kept:
        bounds = kept["batches"].value
        return item_reader.batch(run, line, state, items, bounds[index], bounds[index + 1])
    return map_items.selected(run, line, state, index, items[index])


def _items_in(run: Interpreter, line: Line, index: int) -> int:
    batches = run.lines.values[line.id].get("batches")
    return 1 if batches is None else batches.value[index + 1] - batches.value[index]


# --- how it ends


def _is_exceeded(map_run: MapRun) -> bool:
    failed = map_run.items_failed
    if not failed:
        return False
    count, percentage = map_run.tolerated_count, map_run.tolerated_percentage
    if not count and not percentage:
        return True
    return bool((count and failed > count) or (percentage and failed * 100 > percentage * map_run.items))


def _fail(run: Interpreter, line: Line, map_run: MapRun) -> None:
    _end_children(run, line)
    _stop(run, map_run, "FAILED")
    failure = Said(EXCEEDED, "The specified tolerated failure threshold was exceeded")
    run.log(line, "MapRunFailed", {"error": raw(failure.error), "cause": raw(failure.cause)})
    raise failure


def _stop(run: Interpreter, map_run: MapRun, status: str) -> None:
    stopped = msgspec.structs.replace(
        map_run,
        status=status,
        stop_time=run.now_ns,
        aborted=map_run.aborted + map_run.running,
        items_failed=map_run.items_failed + map_run.items_running,
        items_aborted=map_run.items_aborted + map_run.items_running,
    )
    run.lines.change_map_run(stopped)


def _end_children(run: Interpreter, line: Line) -> None:
    prefix = f"{line.id}:{line.sequence}:"
    for name in [name for name in run.lines.children.values() if name.startswith(prefix)]:
        run.cancel_child(name)


def _gather(run: Interpreter, line: Line, state: State, map_run: MapRun) -> None:
    run.lines.change_map_run(msgspec.structs.replace(map_run, status="SUCCEEDED", stop_time=run.now_ns))
    run.log(line, "MapRunSucceeded", {})
    kept = run.lines.values.get(line.id, {})

    def told(index: int, status: str, came: dict[str, Any]) -> dict[str, Any]:
        return _told(run, line, state, map_run, index, status, came)

    if "ResultWriter" in state.fields and result_writer.is_somewhere(state):
        files, output = result_writer.files(run, line, state, map_run, kept, told)
        name = run.wait(line, WRITER, arn=map_run.arn, left=len(files), files=len(files), output=output)
        for index, (key, body) in enumerate(files):
            result_writer.write(run, line, state, f"{name}:{index}", key, body)
        return
    _succeed(run, line, state, result_writer.output(state, map_run, kept, told))


def _told(
    run: Interpreter, line: Line, state: State, map_run: MapRun, index: int, status: str, came: dict[str, Any]
) -> dict[str, Any]:
    """All that AWS says of a child execution among a Map's results."""
    execution = run.execution
    kept = run.lines.values.get(line.id, {})
    name = Chance(f"{map_run.arn}:{index}").uuid()
    where = f"arn:aws:states:{execution.region}:{execution.account}"
    machine = f"{execution.machine_name}/{map_run.label}"
    dates = {
        shown: timestamp(kept[f"{which} {index}"].value)
        for shown, which in (("StartDate", "began"), ("StopDate", "ended"))
        if f"{which} {index}" in kept
    }
    redrive = (
        {"RedriveStatus": "NOT_REDRIVABLE", "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven"}
        if status == "SUCCEEDED"
        else {"RedriveStatus": "REDRIVABLE_BY_MAP_RUN"}
    )
    told = {
        "ExecutionArn": f"{where}:execution:{machine}:{name}",
        "Input": encode(_given(run, line, state, index)).decode(),
        "InputDetails": {"Included": True},
        "Name": name,
        "RedriveCount": 0,
        "StateMachineArn": f"{where}:stateMachine:{machine}",
        "Status": status,
    }
    return dict(sorted({**told, **redrive, **dates, **came}.items()))


def _succeed(run: Interpreter, line: Line, state: State, output: Any) -> None:
    run.log(line, "MapStateSucceeded", {}, leads=False)
    run.lines.clear(line.id)
    run.succeed(line, state, output)
