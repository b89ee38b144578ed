"""``perdure explain``: why a run is not moving."""

from perdure.cli.parameters import Full, Json, Namespace, RunId, StoreFile, Utc, WorkflowId

EXAMPLES = """Examples:

perdure explain perdure.db order-17

perdure explain perdure.db order-17 --json"""


def explain(
    file: StoreFile,
    workflow_id: WorkflowId,
    run_id: RunId = "",
    namespace: Namespace = "default",
    full: Full = False,
    json: Json = False,
    utc: Utc = False,
) -> None:
    """Say what a run waits for, since when, and who or what can end the wait."""
    from perdure.cli import explanation_view, stores
    from perdure.cli.output import Output, note
    from perdure.cli.times import TimeStyle
    from perdure.kernel.explain import explain as explain_run
    from perdure.model.explanation import WaitKind

    style = TimeStyle(utc=utc)
    with stores.opened(file) as store:
        history = stores.read(store, stores.find(store, namespace, workflow_id, run_id))
    explanation = explain_run(history.run(), style.now)
    if json:
        Output().json(explanation_view.explanation_json(explanation), indented=True)
    else:
        explanation_view.print_explanation(Output(), style, explanation, full=full)
        if any(wait.kind is WaitKind.MESSAGE for wait in explanation.waits):
            note("In which line its code waits, and for which message, the app that runs it can tell: run.explain().")
