"""``perdure activity ...``: activities of a run that have not ended, and with ``standalone`` those of no run."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli import standalone
from perdure.cli.groups import group
from perdure.cli.parameters import Namespace, Reason, RunId, Server, ServerPlace, Token, WorkflowId
from perdure.cli.places import PlaceCommand

if TYPE_CHECKING:
    from perdure.model.requests import OutsideRequest

EXAMPLES = """Examples:

perdure activity pause order-17 --id charge-1 --reason "the bank is down"

perdure activity options order-17 --type charge --task-queue bank-2 --retry-initial 10s

perdure activity unpause order-17 --id charge-1"""

activity = group(
    "activity",
    "Pause, unpause, reset activities that have not ended, and change their options; start some of their own.",
    EXAMPLES,
)
for _name, _command in standalone.COMMANDS.items():
    activity.command(_name, cls=PlaceCommand, epilog=standalone.EXAMPLES)(_command)

Id = Annotated[
    str, typer.Option("--id", metavar="ID", help="The activity's id, as show prints it.", show_default=False)
]
Type = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="All of this type. Without both, all.", show_default=False)
]
ResetHeartbeat = Annotated[bool, typer.Option("--reset-heartbeat", help="Forget what attempts have reported.")]
Delay = Annotated[
    str, typer.Option("--delay", metavar="DURATION", help="How long the next attempt waits at least: 30s, 5m.")
]


@activity.command("pause", cls=PlaceCommand, epilog=EXAMPLES)
def pause_activity(
    place: ServerPlace,
    workflow_id: WorkflowId,
    id: Id = "",
    type: Type = "",
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start no further attempt until they are unpaused; an attempt that runs may finish."""
    from perdure.cli.sources import identity
    from perdure.model.requests import PauseActivity

    request = PauseActivity(id, type, reason, identity())
    _send(place, server, token, namespace, workflow_id, run_id, request, "Paused")


@activity.command("unpause", cls=PlaceCommand, epilog=EXAMPLES)
def unpause_activity(
    place: ServerPlace,
    workflow_id: WorkflowId,
    id: Id = "",
    type: Type = "",
    reset_attempts: Annotated[bool, typer.Option("--reset-attempts", help="Count attempts from 1 again.")] = False,
    reset_heartbeat: ResetHeartbeat = False,
    delay: Delay = "0s",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let paused ones go on, at once."""
    from perdure.cli.inputs import nanoseconds
    from perdure.cli.sources import identity
    from perdure.model.requests import UnpauseActivity

    wait = nanoseconds(delay, "--delay")
    request = UnpauseActivity(id, type, reset_attempts, reset_heartbeat, wait, identity())
    _send(place, server, token, namespace, workflow_id, run_id, request, "Unpaused")


@activity.command("reset", cls=PlaceCommand, epilog=EXAMPLES)
def reset_activity(
    place: ServerPlace,
    workflow_id: WorkflowId,
    id: Id = "",
    type: Type = "",
    reset_heartbeat: ResetHeartbeat = False,
    keep_paused: Annotated[bool, typer.Option("--keep-paused", help="Leave paused ones paused.")] = False,
    restore_options: Annotated[
        bool, typer.Option("--restore-options", help="Give back the options that the workflow asked for.")
    ] = False,
    delay: Delay = "0s",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Count attempts from 1 again; those that wait for their next attempt get it now."""
    from perdure.cli.inputs import nanoseconds
    from perdure.cli.sources import identity
    from perdure.model.requests import ResetActivity

    wait = nanoseconds(delay, "--delay")
    request = ResetActivity(id, type, reset_heartbeat, keep_paused, restore_options, wait, identity())
    _send(place, server, token, namespace, workflow_id, run_id, request, "Reset")


def _duration(option: str, help: str) -> Any:
    return typer.Option(option, metavar="DURATION", help=f"{help} 0s for no limit.", show_default=False)


@activity.command("options", cls=PlaceCommand, epilog=EXAMPLES)
def update_activity_options(
    place: ServerPlace,
    workflow_id: WorkflowId,
    id: Id = "",
    type: Type = "",
    queue: Annotated[
        str | None,
        typer.Option(
            "--task-queue", "-q", metavar="NAME", help="Where its attempts wait from now on.", show_default=False
        ),
    ] = None,
    start_to_close: Annotated[str | None, _duration("--start-to-close", "How long one attempt may take.")] = None,
    schedule_to_close: Annotated[
        str | None, _duration("--schedule-to-close", "How long all attempts may take together.")
    ] = None,
    schedule_to_start: Annotated[
        str | None, _duration("--schedule-to-start", "How long an attempt may wait for a worker.")
    ] = None,
    heartbeat: Annotated[str | None, _duration("--heartbeat", "The longest silence between heartbeats.")] = None,
    retry_initial: Annotated[
        str | None,
        typer.Option(
            "--retry-initial", metavar="DURATION", help="The wait before the first retry.", show_default=False
        ),
    ] = None,
    retry_maximum: Annotated[
        str | None, typer.Option("--retry-maximum", metavar="DURATION", help="The longest wait.", show_default=False)
    ] = None,
    retry_backoff: Annotated[
        float | None,
        typer.Option(
            "--retry-backoff", metavar="N", min=1, help="What each wait is multiplied by.", show_default=False
        ),
    ] = None,
    max_attempts: Annotated[
        int | None,
        typer.Option(
            "--max-attempts", metavar="N", min=0, help="How often in all. 0 for no limit.", show_default=False
        ),
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Give back the options that the workflow asked for.")
    ] = False,
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Change options; what is not said stays. A retry that waits, waits as the new retry policy says."""
    from perdure.cli.inputs import nanoseconds
    from perdure.cli.sources import identity
    from perdure.model.activity_options import ActivityOptions
    from perdure.model.errors import InvalidArgumentError
    from perdure.model.requests import UpdateActivityOptions

    def ns(option: str, text: str | None) -> int | None:
        return None if text is None else nanoseconds(text, option)

    options: ActivityOptions | None = ActivityOptions(
        queue,
        ns("--schedule-to-close", schedule_to_close),
        ns("--schedule-to-start", schedule_to_start),
        ns("--start-to-close", start_to_close),
        ns("--heartbeat", heartbeat),
        ns("--retry-initial", retry_initial),
        retry_backoff,
        ns("--retry-maximum", retry_maximum),
        max_attempts,
    )
    if restore:
        if options != ActivityOptions():
            raise InvalidArgumentError("--restore gives back all options: say nothing else with it.")
        options = None
    request = UpdateActivityOptions(id, type, options, identity())
    _send(place, server, token, namespace, workflow_id, run_id, request, "Changed options of")


def _send(
    place: str | None,
    server: str,
    token: str,
    namespace: str,
    workflow_id: str,
    run_id: str,
    request: "OutsideRequest",
    done: str,
) -> None:
    from perdure.cli.acting import send
    from perdure.model.errors import InvalidArgumentError

    activity_id, activity_type = getattr(request, "activity_id", ""), getattr(request, "activity_type", "")
    if activity_id and activity_type:
        raise InvalidArgumentError("Name an activity by --id, or all of a --type, not both.")
    which = f"activity {activity_id!r}" if activity_id else f"activities of type {activity_type!r}"
    if not (activity_id or activity_type):
        which = "all pending activities"
    send(place, server, token, namespace, workflow_id, run_id, request, f"{done} {which} of {workflow_id!r}.")
