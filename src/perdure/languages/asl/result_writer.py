"""Where the results of a distributed Map go: files, as AWS writes them, and a manifest that names them; and how they look there,
or in what the Map gives: each with all that there is to say of its child execution, alone, or flattened.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.languages.asl import calls, map_items, templates
from perdure.languages.asl.data import Data, encode
from perdure.languages.asl.said import Said
from perdure.model import events as e

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line, MapRun


NONE, COMPACT, FLATTEN = "NONE", "COMPACT", "FLATTEN"


def is_somewhere(state: State) -> bool:
    """Whether there is a place to write to; a ResultWriter may also only say how results look."""
    return "Resource" in state.fields["ResultWriter"]


def config(state: State) -> dict[str, Any]:
    """How results look."""
    found: dict[str, Any] = state.fields.get("ResultWriter", {}).get("WriterConfig", {})
    return found


def is_told(state: State) -> bool:
    """Whether it may be asked for all that there is to say of a child execution."""
    return "ResultWriter" in state.fields and (is_somewhere(state) or config(state).get("Transformation") == NONE)


def output(
    state: State, map_run: MapRun, kept: dict[str, Data], told: Callable[[int, str, dict[str, Any]], dict[str, Any]]
) -> list[Any]:
    """What the Map gives, where nothing is written. Arguments as of ``files``."""
    return _transformed(config(state).get("Transformation", COMPACT), map_run, kept, told)


def _transformed(
    kind: str, map_run: MapRun, kept: dict[str, Data], told: Callable[[int, str, dict[str, Any]], dict[str, Any]]
) -> list[Any]:
    found: list[Any] = []
    for index in range(map_run.executions):
        result = kept.get(f"result {index}")
        if result is None:
            continue
        if kind == NONE:
            found.append(told(index, "SUCCEEDED", {"Output": result.text, "OutputDetails": {"Included": True}}))
        elif kind == FLATTEN and isinstance(result.value, list):
            found += result.value
        else:
            found.append(result.value)
    return found


def files(
    run: Interpreter,
    line: Line,
    state: State,
    map_run: MapRun,
    kept: dict[str, Data],
    told: Callable[[int, str, dict[str, Any]], dict[str, Any]],
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Names and contents of the files, and what the Map gives.

    Args:
        run, line, state: the Map's.
        map_run: as it stands.
        kept: the results.
        told: all that there is to say of a child execution: its place, its status, and what came of it.
    """
    parameters = _parameters(run, line, state)
    bucket, prefix = parameters.get("Bucket", ""), parameters.get("Prefix", "")
    folder = f"{prefix}/" if prefix and not prefix.endswith("/") else prefix
    folder += map_run.arn.rpartition(":")[2] + "/"
    succeeded = _transformed(config(state).get("Transformation", NONE), map_run, kept, told)
    failed = [
        told(index, "FAILED", failure.value)
        for index in range(map_run.executions)
        if (failure := kept.get(f"failure {index}")) is not None and f"result {index}" not in kept
    ]
    is_lines = config(state).get("OutputType") == "JSONL"
    written = []
    named: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for kind, found in (("SUCCEEDED", succeeded), ("FAILED", failed)):
        if found:
            body = "".join(encode(one).decode() + "\n" for one in found) if is_lines else encode(found).decode()
            key = f"{folder}{kind}_0.{'jsonl' if is_lines else 'json'}"
            written.append((key, body))
            named[kind].append({"Key": key, "Size": len(body.encode())})
    manifest = {"DestinationBucket": bucket, "MapRunArn": map_run.arn, "ResultFiles": named}
    written.append((f"{folder}manifest.json", encode(manifest).decode()))
    output = {
        "MapRunArn": map_run.arn,
        "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}manifest.json"},
    }
    return written, output


def write(run: Interpreter, line: Line, state: State, name: str, key: str, body: str) -> None:
    """Have a file written."""
    resource = state.fields["ResultWriter"]["Resource"]
    parameters = {name: value for name, value in _parameters(run, line, state).items() if name != "Prefix"}
    told = calls.about(run, line, state, resource)
    run.commands.append(calls.service(run, name, resource, {**parameters, "Key": key, "Body": body}, told))


def ended(event: e.Event) -> None:
    """A file is written. Raises ``StateFailure`` if it is not."""
    match event:
        case e.ActivityTaskCompleted():
            return
        case e.ActivityTaskFailed(failure=failure):
            raise Said("States.ResultWriterFailed", failure.message or failure.type)
        case _:
            raise Said("States.ResultWriterFailed", "The results could not be written.")


def _parameters(run: Interpreter, line: Line, state: State) -> dict[str, Any]:
    writer = state.fields["ResultWriter"]
    scope = map_items.scope_of(run, line, state)
    if state.is_jsonata:
        filled = templates.fill_jsonata(writer.get("Arguments", {}), scope, field="ResultWriter/Arguments")
    else:
        filled = templates.fill(writer.get("Parameters", {}), scope, field="ResultWriter")
    return filled if isinstance(filled, dict) else {}
