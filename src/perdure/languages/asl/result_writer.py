"""Where the results of a distributed Map go: files, as AWS writes them, and a manifest that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl import calls, map_items, templates
from perdure.languages.asl.data import Data, encode
from perdure.languages.asl.said import Said
from perdure.model import events as e

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line, MapRun


def is_somewhere(state: State) -> bool:
    """Whether there is a place to write to; a ResultWriter may also only say how results look."""
    return "Resource" in state.fields["ResultWriter"]


def files(
    run: Interpreter, line: Line, state: State, map_run: MapRun, kept: dict[str, Data]
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Names and contents of the files, and what the Map gives."""
    parameters = _parameters(run, line, state)
    bucket, prefix = parameters.get("Bucket", ""), parameters.get("Prefix", "")
    folder = f"{prefix}/" if prefix and not prefix.endswith("/") else prefix
    folder += map_run.arn.rpartition(":")[2] + "/"
    succeeded: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for index in range(map_run.executions):
        if (result := kept.get(f"result {index}")) is not None:
            succeeded.append({"Output": result.text, "Status": "SUCCEEDED"})
        elif (failure := kept.get(f"failure {index}")) is not None:
            failed.append({**failure.value, "Status": "FAILED"})
    written = []
    named: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for kind, found in (("SUCCEEDED", succeeded), ("FAILED", failed)):
        if found:
            body = encode(found).decode()
            key = f"{folder}{kind}_0.json"
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
