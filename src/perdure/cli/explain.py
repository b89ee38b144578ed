"""``perdure explain``: why a run is not moving."""

from perdure.cli.parameters import Full, Json, Namespace, Place, RunId, Server, Token, Utc, WorkflowId

EXAMPLES = """Examples:

perdure explain order-17

perdure explain perdure.db order-17 --json"""


def explain(
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
    """Say what a run waits for, since when, and who or what can end the wait."""
    from perdure.cli import explanation_view
    from perdure.cli.finding import find
    from perdure.cli.output import Output, note
    from perdure.cli.sources import Source, look
    from perdure.cli.times import TimeStyle
    from perdure.model.explanation import Explanation, WaitKind

    async def read(source: Source) -> Explanation:
        return await source.explain(await find(source, namespace, workflow_id, run_id))

    explanation = look(place, server, token, read)
    if json:
        Output().json(explanation_view.explanation_json(explanation), indented=True)
    else:
        explanation_view.print_explanation(Output(), TimeStyle(utc=utc), explanation, full=full)
        if any(wait.kind is WaitKind.MESSAGE for wait in explanation.waits) and not explanation.code:
            note("In which line its code waits, and for which message, the app that runs it can tell: run.explain().")
