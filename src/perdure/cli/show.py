"""``perdure show``: everything about one run, and above all what it waits for."""

from perdure.cli.parameters import Full, Json, Namespace, Place, RunId, Server, Token, Utc, WorkflowId

EXAMPLES = """Examples:

perdure show order-17

perdure show perdure.db order-17 --run-id 3f9a2c1e --full

perdure show perdure.db order-17 --json"""


def show(
    place: Place,
    workflow_id: WorkflowId,
    run_id: RunId = "",
    namespace: Namespace = "default",
    full: Full = False,
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show everything about one run: where it stands, what it waits for, its input and its outcome."""
    from perdure.cli import run_view
    from perdure.cli.finding import find
    from perdure.cli.output import Output
    from perdure.cli.sources import Source, look
    from perdure.cli.times import TimeStyle

    async def read(source: Source) -> run_view.WholeRun:
        return await run_view.read(source, await find(source, namespace, workflow_id, run_id))

    found = look(place, server, token, read)
    if json:
        Output().json(run_view.run_json(found), indented=True)
    else:
        run_view.print_run(Output(), TimeStyle(utc=utc), found, full=full)
