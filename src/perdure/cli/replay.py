"""``perdure replay``: which runs the code here would break."""

from typing import Annotated

import typer

from perdure.cli.parameters import Json, LookIn, Statuses, Token, WorkflowType

EXAMPLES = """Examples:

perdure replay app.py:app --from perdure.db --status open

perdure replay shop.workflows:app --from backup.db --filter "BuildId = 'v41'" --sample 500 --json

perdure replay app.py:app --from https://flows.example --filter "BuildId = 'v41'" --status open

perdure replay app.py:app --from histories/

Exit codes: 0 when the code fits all of them, 1 when it would break some, 2 when nothing could be replayed."""


def replay(
    app: Annotated[
        str,
        typer.Argument(
            metavar="APP", help="The code: a file or module, and the app in it, such as app.py:app.", show_default=False
        ),
    ],
    sources: Annotated[
        list[str],
        typer.Option(
            "--from",
            "-f",
            metavar="SOURCE",
            help="What happened: a store, which may be in use, the URL of a server, a run that perdure export wrote, or a folder of those. "
            "May be repeated.",
            show_default=False,
        ),
    ],
    filter: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="FILTER",
            help="Of a store only runs that this is true of: \"ExecutionStatus = 'Running' AND BuildId = 'v1'\"; "
            "see docs/search.md.",
            show_default=False,
        ),
    ] = "",
    namespace: LookIn = "default",
    status: Statuses = None,
    workflow_type: WorkflowType = "",
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            "-l",
            metavar="N",
            min=0,
            help="Of a store only so many runs, the newest or the first by the filter; 0 for all.",
        ),
    ] = 0,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            metavar="N",
            min=0,
            help="Of a store only so many runs, drawn at random but always the same; 0 for all.",
        ),
    ] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Runs of types that the app does not have count as broken, too.")
    ] = False,
    json: Json = False,
    token: Token = "",
) -> None:
    """Play what has happened against the code here, and name each run that it would break, and where."""
    from contextlib import ExitStack

    from perdure.cli import histories, replay_view, runs_view
    from perdure.cli.app_loading import load_app
    from perdure.cli.output import Output, progress
    from perdure.cli.replaying import Outcome, replay_one

    code = load_app(app)
    choice = histories.Choice(
        namespace, filter, tuple(runs_view.statuses_of(status or [])), workflow_type, limit, sample
    )
    output = Output()
    counts = dict.fromkeys(Outcome, 0)
    done = 0
    with ExitStack() as stack:
        opened = [stack.enter_context(histories.opened(source, choice, token)) for source in sources]
        total = sum(map(len, opened))
        show = stack.enter_context(progress("Replaying", "{:,}".format))
        for source in opened:
            for found in source:
                verdict = replay_one(code, found, strict=strict)
                counts[verdict.outcome] += 1
                done += 1
                show(done, total)
                if json:
                    output.json(replay_view.verdict_json(verdict))
                elif verdict.outcome is Outcome.BROKEN:
                    replay_view.print_verdict(output, verdict)
    if json:
        output.json(replay_view.summary_json(counts))
    else:
        replay_view.print_summary(output, app, counts)
    if counts[Outcome.BROKEN]:
        raise typer.Exit(1)
