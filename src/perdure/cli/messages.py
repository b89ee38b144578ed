"""``perdure signal``, ``query`` and ``update``: talking to a run."""

import secrets
from enum import StrEnum
from typing import Annotated

import typer

from perdure.cli.parameters import Arguments, Json, Namespace, RunId, Server, ServerPlace, Token, WorkflowId

SIGNAL_EXAMPLES = """Examples:

perdure signal loan-7 decide '{"officer": "ada", "approved": true}'

perdure signal loan-7 decide @decision.json --request-id decision-91"""

QUERY_EXAMPLES = """Examples:

perdure query loan-7 status

perdure query loan-7 documents '"passport"'"""

UPDATE_EXAMPLES = """Examples:

perdure update loan-7 add_document '"passport.pdf"'

perdure update loan-7 add_document '"passport.pdf"' --wait accepted --update-id upload-5

Exit codes: 0 with the answer on standard output, 1 when the update was rejected or failed, 2 when it could not be sent."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name: that of the handler.", show_default=False)]


class Stage(StrEnum):
    """How far an update must have come."""

    ADMITTED = "admitted"
    ACCEPTED = "accepted"
    COMPLETED = "completed"


def signal(
    place: ServerPlace,
    workflow_id: WorkflowId,
    name: Name,
    args: Arguments = None,
    run_id: RunId = "",
    namespace: Namespace = "default",
    request_id: Annotated[
        str,
        typer.Option(
            "--request-id",
            metavar="ID",
            help="Makes it safe to send again: a run takes each id once.",
            show_default=False,
        ),
    ] = "",
    server: Server = "",
    token: Token = "",
) -> None:
    """Send a signal to a run; return once it is recorded."""
    from perdure.cli.acting import act
    from perdure.cli.inputs import payloads_of
    from perdure.cli.output import note
    from perdure.cli.sources import ask, identity
    from perdure.model.requests import SignalWorkflow

    request = SignalWorkflow(name, payloads_of(args), None, request_id or secrets.token_hex(16), identity())
    ask(
        place,
        server,
        token,
        lambda service: act(service, namespace, workflow_id, run_id, lambda address: service.request(address, request)),
    )
    note(f"Sent signal {name!r} to {workflow_id!r}.")


def query(
    place: ServerPlace,
    workflow_id: WorkflowId,
    name: Name,
    args: Arguments = None,
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Ask a run for something, open or closed, without changing it; print the answer as JSON."""
    from perdure.cli.acting import act, print_answer
    from perdure.cli.inputs import payloads_of
    from perdure.cli.output import busy
    from perdure.cli.sources import ask
    from perdure.cli.values import visible

    payloads = payloads_of(args)
    with busy(f"{visible(workflow_id)}: asked for {visible(name)}"):
        answer = ask(
            place,
            server,
            token,
            lambda service: act(
                service, namespace, workflow_id, run_id, lambda address: service.query(address, name, payloads)
            ),
        )
    print_answer(answer)


def update(
    place: ServerPlace,
    workflow_id: WorkflowId,
    name: Name,
    args: Arguments = None,
    run_id: RunId = "",
    namespace: Namespace = "default",
    wait: Annotated[
        Stage, typer.Option("--wait", help="How far it must have come before the command ends.")
    ] = Stage.COMPLETED,
    update_id: Annotated[
        str,
        typer.Option(
            "--update-id", metavar="ID", help="The same again gives the answer of the first.", show_default=False
        ),
    ] = "",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Ask a run for a change, and print its answer as JSON."""
    from perdure.cli.acting import act, print_answer
    from perdure.cli.inputs import payloads_of
    from perdure.cli.output import Output, busy, note
    from perdure.cli.sources import ask, identity
    from perdure.cli.values import UNLIMITED, failures_text, jsonable, visible
    from perdure.model.requests import UpdateWorkflow
    from perdure.model.service import UpdateStage

    request = UpdateWorkflow(update_id or secrets.token_hex(16), name, payloads_of(args), None, identity())
    stage = UpdateStage[wait.name]
    with busy(f"{visible(workflow_id)}: {visible(name)} until it is {wait.value}"):
        outcome = ask(
            place,
            server,
            token,
            lambda service: act(
                service, namespace, workflow_id, run_id, lambda address: service.update(address, request, stage)
            ),
        )
    if json:
        shown = {"update_id": request.update_id, **jsonable(outcome)}
        Output().json(shown)
    elif outcome.failure is not None:
        note(f"Update {name!r} of {workflow_id!r} failed: {failures_text(outcome.failure, UNLIMITED)}")
    elif outcome.stage is UpdateStage.COMPLETED:
        print_answer(outcome.result)
    else:
        note(
            f"Update {request.update_id!r} is {outcome.stage.name.lower()}; wait for its answer with the same --update-id."
        )
    if outcome.failure is not None:
        raise typer.Exit(1)
