"""``perdure start`` and ``perdure execute``: begin a run, and wait for its result."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.parameters import Arguments, Json, Namespace, Server, ServerPlace, Token

if TYPE_CHECKING:
    from perdure.model.requests import StartWorkflow

START_EXAMPLES = """Examples:

perdure start fulfil '{"id": "17", "cents": 4200}' --id order-17

perdure start fulfil @order.json --id order-17 --search Amount=42 --task-queue orders

curl https://shop.example/order/17 | perdure start fulfil - --id order-17 --json"""

EXECUTE_EXAMPLES = """Examples:

perdure execute hello '"world"'

perdure execute fulfil @order.json --id order-17 --timeout 10m

Exit codes: 0 with the result on standard output, 1 when the run ended in another way or the time was up, 2 when it could not be started."""


class Conflict(StrEnum):
    """What to do while a run of the id is open."""

    USE = "use"
    FAIL = "fail"
    TERMINATE = "terminate"


class Reuse(StrEnum):
    """What to do when the last run of the id is closed."""

    ALLOW = "allow"
    ALLOW_IF_FAILED = "allow_if_failed"
    REJECT = "reject"


WorkflowName = Annotated[
    str, typer.Argument(metavar="TYPE", help="The workflow's type: its function's or class's name.", show_default=False)
]
Id = Annotated[str, typer.Option("--id", help="The workflow id; made up if not given.", show_default=False)]
Queue = Annotated[
    str, typer.Option("--task-queue", "-q", metavar="NAME", help="Where its workers are.", show_default=True)
]
ConflictOption = Annotated[
    Conflict, typer.Option("--id-conflict", help="While a run of the id is open: use it, fail, or terminate it first.")
]
ReuseOption = Annotated[
    Reuse, typer.Option("--id-reuse", help="When the last run of the id is closed: allow another one, or not.")
]
ExecutionTimeout = Annotated[
    str,
    typer.Option(
        "--execution-timeout", metavar="DURATION", help="How long it may take with all its retries, such as 2h."
    ),
]
RunTimeout = Annotated[str, typer.Option("--run-timeout", metavar="DURATION", help="How long one run of it may take.")]
Delay = Annotated[str, typer.Option("--delay", metavar="DURATION", help="How long to wait before its first turn.")]
Memo = Annotated[
    list[str] | None,
    typer.Option("--memo", metavar="NAME=JSON", help="A note for people. May be repeated.", show_default=False),
]
Search = Annotated[
    list[str] | None,
    typer.Option(
        "--search", metavar="NAME=JSON", help="A search attribute to find it by. May be repeated.", show_default=False
    ),
]
AffinityOption = Annotated[
    list[str] | None,
    typer.Option(
        "--affinity",
        metavar="NAME=TEXT",
        help="Only workers with this label take its turns, such as zone=eu. May be repeated.",
        show_default=False,
    ),
]
Prefer = Annotated[
    list[str] | None,
    typer.Option(
        "--prefer",
        metavar="NAME=TEXT",
        help="Workers with this label take its turns first. May be repeated.",
        show_default=False,
    ),
]
RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="ID",
        help="Makes it safe to say again: the same id starts nothing more.",
        show_default=False,
    ),
]


def start(
    place: ServerPlace,
    workflow: WorkflowName,
    args: Arguments = None,
    id: Id = "",
    namespace: Namespace = "default",
    task_queue: Queue = "default",
    id_conflict: ConflictOption = Conflict.USE,
    id_reuse: ReuseOption = Reuse.ALLOW,
    execution_timeout: ExecutionTimeout = "",
    run_timeout: RunTimeout = "",
    delay: Delay = "",
    memo: Memo = None,
    search: Search = None,
    affinity: AffinityOption = None,
    prefer: Prefer = None,
    request_id: RequestId = "",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Start a workflow; return once that is recorded."""
    from perdure.cli.output import Output, note
    from perdure.cli.sources import ask

    request = _request(
        workflow,
        args,
        id,
        task_queue,
        id_conflict,
        id_reuse,
        execution_timeout,
        run_timeout,
        delay,
        memo,
        search,
        request_id,
        affinity,
        prefer,
    )
    result = ask(place, server, token, lambda service: service.start(namespace, request))
    if json:
        shown = {
            "namespace": namespace,
            "workflow_id": request.workflow_id,
            "run_id": result.run_id,
            "is_new": result.is_new,
        }
        Output().json(shown)
        return
    Output().line(request.workflow_id, "  ", result.run_id)
    if not result.is_new:
        note(f"{request.workflow_id!r} had been started already; this is its run.")


def execute(
    place: ServerPlace,
    workflow: WorkflowName,
    args: Arguments = None,
    id: Id = "",
    namespace: Namespace = "default",
    task_queue: Queue = "default",
    id_conflict: ConflictOption = Conflict.USE,
    id_reuse: ReuseOption = Reuse.ALLOW,
    execution_timeout: ExecutionTimeout = "",
    run_timeout: RunTimeout = "",
    memo: Memo = None,
    search: Search = None,
    affinity: AffinityOption = None,
    prefer: Prefer = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="The longest wait here. The run goes on afterwards.")
    ] = "",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start a workflow, wait until it has ended, and print its result as JSON."""
    from perdure.cli import inputs
    from perdure.cli.result import show_result, wait_for
    from perdure.cli.sources import ask

    request = _request(
        workflow,
        args,
        id,
        task_queue,
        id_conflict,
        id_reuse,
        execution_timeout,
        run_timeout,
        "",
        memo,
        search,
        "",
        affinity,
        prefer,
    )
    patience = inputs.seconds(timeout, "--timeout")
    closed = ask(place, server, token, lambda service: wait_for(service, namespace, request, patience))
    raise typer.Exit(show_result(request.workflow_id, closed))


def _request(
    workflow: str,
    args: list[str] | None,
    id: str,
    task_queue: str,
    id_conflict: Conflict,
    id_reuse: Reuse,
    execution_timeout: str,
    run_timeout: str,
    delay: str,
    memo: list[str] | None,
    search: list[str] | None,
    request_id: str,
    affinity: list[str] | None,
    prefer: list[str] | None,
) -> "StartWorkflow":
    import msgspec

    from perdure.cli import inputs
    from perdure.cli.sources import identity
    from perdure.model.affinity import affinity_of
    from perdure.sdk.converter import Converter
    from perdure.sdk.starting import Target

    options = {
        "id": id or None,
        "task_queue": task_queue,
        "id_conflict": id_conflict.value,
        "id_reuse": id_reuse.value,
        "execution_timeout": inputs.seconds(execution_timeout, "--execution-timeout"),
        "run_timeout": inputs.seconds(run_timeout, "--run-timeout"),
        "start_delay": inputs.seconds(delay, "--delay"),
        "memo": inputs.named_values(memo, "--memo") or None,
        "search_attributes": inputs.named_values(search, "--search") or None,
        "request_id": request_id,
        "affinity": affinity_of(inputs.labels(affinity, "--affinity"), inputs.labels(prefer, "--prefer")),
    }
    said = {name: value for name, value in options.items() if value not in (None, "")}
    request = Target(workflow, None, None, Converter()).request((), said, identity())
    return msgspec.structs.replace(request, input=inputs.payloads_of(args))
