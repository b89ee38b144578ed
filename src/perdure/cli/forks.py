"""``perdure reset`` and ``perdure fork``: a run again from the middle."""

from typing import Annotated

import typer

from perdure.cli.parameters import Arguments, Json, Namespace, Reason, RunId, Server, ServerPlace, Token, WorkflowId

RESET_EXAMPLES = """Examples:

perdure reset order-17 --event 24 --reason "the address was wrong"

perdure reset order-17 --run-id 3f9a2c1e --event 4"""

FORK_EXAMPLES = """Examples:

perdure fork order-17 order-17-again --event 4

perdure fork order-17 order-17-cheaper '{"id": "17", "cents": 100}' --event 4"""

EventId = Annotated[
    int,
    typer.Option(
        "--event",
        "-e",
        metavar="EVENT_ID",
        min=1,
        help="An event of the run, by its number in perdure history: the turn it is in is taken again.",
        show_default=False,
    ),
]


def reset(
    place: ServerPlace,
    workflow_id: WorkflowId,
    event: EventId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Start a workflow again from a copy of a run's history; an open run is terminated. Prints the new run."""
    import secrets

    from perdure.cli.acting import act
    from perdure.cli.sources import ask

    request_id = secrets.token_hex(16)
    found = ask(
        place,
        server,
        token,
        lambda service: act(
            service,
            namespace,
            workflow_id,
            run_id,
            lambda address: service.reset(address, event_id=event, reason=reason, request_id=request_id),
        ),
    )
    _print(namespace, workflow_id, found, json)


def fork(
    place: ServerPlace,
    workflow_id: WorkflowId,
    new_id: Annotated[str, typer.Argument(metavar="NEW_ID", help="The id of the new workflow.", show_default=False)],
    event: EventId,
    args: Arguments = None,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Start another workflow from a copy of a run's history, with other arguments if some are given. Prints the new run."""
    import secrets

    from perdure.cli.acting import act
    from perdure.cli.inputs import payloads_of
    from perdure.cli.sources import ask

    input = payloads_of(args) if args else None
    request_id = secrets.token_hex(16)
    found = ask(
        place,
        server,
        token,
        lambda service: act(
            service,
            namespace,
            workflow_id,
            run_id,
            lambda address: service.fork(
                address, event_id=event, workflow_id=new_id, input=input, reason=reason, request_id=request_id
            ),
        ),
    )
    _print(namespace, new_id, found, json)


def _print(namespace: str, workflow_id: str, run_id: str, json: bool) -> None:
    from perdure.cli.output import Output

    if json:
        Output().json({"namespace": namespace, "workflow_id": workflow_id, "run_id": run_id})
    else:
        Output().line(workflow_id, "  ", run_id)
