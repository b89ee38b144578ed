"""``perdure show``: everything about one run, and above all what it waits for."""

from perdure.cli.parameters import Full, Json, Namespace, RunId, StoreFile, Utc, WorkflowId

EXAMPLES = """Examples:

perdure show perdure.db order-17

perdure show perdure.db order-17 --run-id 3f9a2c1e --full

perdure show perdure.db order-17 --json"""


def show(
    file: StoreFile,
    workflow_id: WorkflowId,
    run_id: RunId = "",
    namespace: Namespace = "default",
    full: Full = False,
    json: Json = False,
    utc: Utc = False,
) -> None:
    """Show everything about one run: where it stands, what it waits for, its input and its outcome."""
    from perdure.cli import run_view, stores
    from perdure.cli.output import Output
    from perdure.cli.times import TimeStyle

    with stores.opened(file) as store:
        history = stores.read(store, stores.find(store, namespace, workflow_id, run_id))
    run = history.run()
    if json:
        Output().json(run_view.run_json(run, history.size_bytes), indented=True)
    else:
        run_view.print_run(Output(), TimeStyle(utc=utc), run, history.size_bytes, full=full)
