"""``perdure cancel``, ``terminate``, ``pause``, ``resume`` and ``delete``: what is done to one run."""

from perdure.cli.parameters import Namespace, Reason, RunId, Server, ServerPlace, Token, WorkflowId, Yes


def examples(command: str) -> str:
    """What the help of one of these shows."""
    more = "--yes" if command == "delete" else '--reason "asked for by ada"'
    return f"""Examples:

perdure {command} order-17

perdure {command} order-17 --run-id 3f9a2c1e {more}"""


def cancel(
    place: ServerPlace,
    workflow_id: WorkflowId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Ask a run to stop; its code may clean up first."""
    from perdure.cli.acting import send
    from perdure.cli.sources import identity
    from perdure.model.requests import CancelWorkflow

    request = CancelWorkflow(reason, _new_id(), identity())
    send(place, server, token, namespace, workflow_id, run_id, request, f"Asked {workflow_id!r} to stop.")


def terminate(
    place: ServerPlace,
    workflow_id: WorkflowId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Close a run at once. Its code is not asked, and nothing is cleaned up."""
    from perdure.cli.acting import send
    from perdure.cli.sources import identity
    from perdure.model.requests import TerminateWorkflow

    request = TerminateWorkflow(reason, (), identity())
    send(place, server, token, namespace, workflow_id, run_id, request, f"Terminated {workflow_id!r}.")


def pause(
    place: ServerPlace,
    workflow_id: WorkflowId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let no turn and no activity of a run start until it is resumed; what runs already may finish."""
    from perdure.cli.acting import send
    from perdure.cli.sources import identity
    from perdure.model.requests import PauseWorkflow

    request = PauseWorkflow(reason, identity(), _new_id())
    send(place, server, token, namespace, workflow_id, run_id, request, f"Paused {workflow_id!r}.")


def resume(
    place: ServerPlace,
    workflow_id: WorkflowId,
    reason: Reason = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a paused run go on."""
    from perdure.cli.acting import send
    from perdure.cli.sources import identity
    from perdure.model.requests import ResumeWorkflow

    request = ResumeWorkflow(reason, identity(), _new_id())
    send(place, server, token, namespace, workflow_id, run_id, request, f"Resumed {workflow_id!r}.")


def delete(
    place: ServerPlace,
    workflow_id: WorkflowId,
    run_id: RunId = "",
    namespace: Namespace = "default",
    yes: Yes = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Remove a run and its history for good. An open run is terminated first."""
    from perdure.cli.acting import act
    from perdure.cli.confirming import confirm
    from perdure.cli.output import note
    from perdure.cli.sources import ask

    confirm(f"Delete {workflow_id!r} and its history for good?", yes)
    ask(place, server, token, lambda service: act(service, namespace, workflow_id, run_id, service.delete))
    note(f"Deleted {workflow_id!r}.")


def _new_id() -> str:
    import secrets

    return secrets.token_hex(16)
