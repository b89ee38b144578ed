"""``perdure activity start``, ``list``, ``describe``, ``cancel`` and ``terminate``: activities that no workflow asked for."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from perdure.cli.parameters import (
    Arguments,
    Full,
    Json,
    LookIn,
    Namespace,
    Place,
    Reason,
    RunId,
    Server,
    ServerPlace,
    Statuses,
    Token,
    Utc,
)
from perdure.cli.start import Conflict, ConflictOption, Memo, Queue, RequestId, Reuse, ReuseOption, Search

EXAMPLES = """Examples:

perdure activity start charge '{"cents": 4200}' --id charge-17 --start-to-close 1m --max-attempts 5

perdure activity list --status open

perdure activity describe charge-17

perdure activity cancel charge-17 --reason "asked for by ada\""""

ActivityId = Annotated[str, typer.Argument(metavar="ACTIVITY_ID", help="The activity's id.", show_default=False)]


def _duration(option: str, help: str) -> Any:
    return typer.Option(option, metavar="DURATION", help=f"{help} Such as 30s or 5m.", show_default=False)


def start_activity(
    place: ServerPlace,
    activity: Annotated[str, typer.Argument(metavar="TYPE", help="The activity's type.", show_default=False)],
    args: Arguments = None,
    id: Annotated[str, typer.Option("--id", help="The activity's id; made up if not given.", show_default=False)] = "",
    namespace: Namespace = "default",
    task_queue: Queue = "default",
    id_conflict: ConflictOption = Conflict.USE,
    id_reuse: ReuseOption = Reuse.ALLOW,
    start_to_close: Annotated[str, _duration("--start-to-close", "How long one attempt may take.")] = "",
    schedule_to_close: Annotated[str, _duration("--schedule-to-close", "How long all attempts may take.")] = "",
    schedule_to_start: Annotated[str, _duration("--schedule-to-start", "How long it may wait for a worker.")] = "",
    heartbeat: Annotated[str, _duration("--heartbeat", "The longest silence between heartbeats.")] = "",
    delay: Annotated[str, _duration("--delay", "How long to wait before the first attempt.")] = "",
    max_attempts: Annotated[
        int | None,
        typer.Option("--max-attempts", metavar="N", min=1, help="How often in all.", show_default=False),
    ] = None,
    memo: Memo = None,
    search: Search = None,
    request_id: RequestId = "",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Start an activity that no workflow asks for; return once that is recorded."""
    import msgspec

    from perdure.cli import inputs
    from perdure.cli.output import Output, note
    from perdure.cli.sources import ask, identity
    from perdure.model.standalone import PREFIX
    from perdure.sdk.converter import Converter
    from perdure.sdk.retry import Retry
    from perdure.sdk.starting_activities import activity_request

    options = {
        "id": id or None,
        "task_queue": task_queue,
        "id_conflict": id_conflict.value,
        "id_reuse": id_reuse.value,
        "start_to_close": inputs.seconds(start_to_close, "--start-to-close"),
        "schedule_to_close": inputs.seconds(schedule_to_close, "--schedule-to-close"),
        "schedule_to_start": inputs.seconds(schedule_to_start, "--schedule-to-start"),
        "heartbeat": inputs.seconds(heartbeat, "--heartbeat"),
        "start_delay": inputs.seconds(delay, "--delay"),
        "retry": None if max_attempts is None else Retry(max_attempts=max_attempts),
        "memo": inputs.named_values(memo, "--memo") or None,
        "search_attributes": inputs.named_values(search, "--search") or None,
        "request_id": request_id,
    }
    said = {name: value for name, value in options.items() if value not in (None, "")}
    request = activity_request(activity, (), said, Converter(), identity())
    request = msgspec.structs.replace(request, input=(*request.input, *inputs.payloads_of(args)))
    result = ask(place, server, token, lambda service: service.start(namespace, request))
    activity_id = request.workflow_id.removeprefix(PREFIX)
    if json:
        shown = {"namespace": namespace, "activity_id": activity_id, "workflow_id": request.workflow_id}
        Output().json({**shown, "run_id": result.run_id, "is_new": result.is_new})
        return
    Output().line(activity_id, "  ", result.run_id)
    if not result.is_new:
        note(f"Activity {activity_id!r} had been started already; this is its run.")


def list_activities(
    place: Place = None,
    namespace: LookIn = "default",
    status: Statuses = None,
    type: Annotated[str, typer.Option("--type", metavar="TYPE", help="Only of this type.", show_default=False)] = "",
    limit: Annotated[int, typer.Option("--limit", "-l", metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List activities that no workflow asked for, the newest first."""
    from perdure.cli.list import list_runs
    from perdure.model.standalone import TASK_QUEUE

    list_runs(place, f"TaskQueue = '{TASK_QUEUE}'", namespace, status, type, limit, json, utc, server, token)


def describe_activity(
    place: Place,
    activity_id: ActivityId,
    run_id: RunId = "",
    namespace: LookIn = "default",
    full: Full = False,
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show everything about an activity that no workflow asked for: its attempts, its input, its outcome."""
    from perdure.cli.show import show

    show(place, _workflow_id(activity_id), run_id, namespace, full, json, utc, server, token)


def cancel_activity(
    place: ServerPlace,
    activity_id: ActivityId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Ask an activity that no workflow asked for to stop."""
    from perdure.cli.controls import cancel

    cancel(place, _workflow_id(activity_id), reason, run_id, namespace, server, token)


def terminate_activity(
    place: ServerPlace,
    activity_id: ActivityId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """End an activity that no workflow asked for, at once."""
    from perdure.cli.controls import terminate

    terminate(place, _workflow_id(activity_id), reason, run_id, namespace, server, token)


def _workflow_id(activity_id: str) -> str:
    from perdure.model.standalone import PREFIX

    return f"{PREFIX}{activity_id}"


COMMANDS: Mapping[str, Callable[..., None]] = {
    "start": start_activity,
    "list": list_activities,
    "describe": describe_activity,
    "cancel": cancel_activity,
    "terminate": terminate_activity,
}
