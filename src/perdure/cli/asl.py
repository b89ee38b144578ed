"""``perdure asl``: state machines in the Amazon States Language, checked, run and drawn without a server."""

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, Namespace, RunId, Server, Token

CHECK_EXAMPLES = """Examples:

perdure asl check order.asl.json

perdure asl check *.asl.json --json

Exit codes: 0 when nothing is wrong, 1 when something is, 2 when a file can't be read."""

RUN_EXAMPLES = """Examples:

perdure asl run order.asl.json '{"id": 17}' --mocks mocks.json

perdure asl run order.asl.json @input.json --mocks MockConfigFile.json --test-case HappyPath --wait-time-scale 0

Exit codes: 0 when the execution succeeded, 1 when it failed, 2 when it could not be run."""

DRAW_EXAMPLES = """Examples:

perdure asl draw order.asl.json > order.mmd

perdure asl draw order.asl.json --svg > order.svg

perdure asl draw order.asl.json --svg --run order-17 --at perdure.db > order-17.svg"""

asl = group(
    "asl",
    "Check, run and draw state machines in the Amazon States Language.",
    CHECK_EXAMPLES.partition("\n\nExit")[0] + "\n\nHelp for one command: perdure asl run --help.",
)

Definition = Annotated[
    Path, typer.Argument(metavar="FILE", help="The definition of a state machine, as JSON.", show_default=False)
]


@asl.command("check", epilog=CHECK_EXAMPLES)
def check(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Definitions of state machines, as JSON.", show_default=False),
    ],
    express: Annotated[bool, typer.Option("--express", help="They are EXPRESS state machines.")] = False,
    json: Json = False,
) -> None:
    """Say what is wrong with definitions: by AWS's rules, with the place and what would be right."""
    from perdure.cli.asl_view import diagnostic_json
    from perdure.cli.output import Output, note
    from perdure.languages.asl.checks import check as check_definition
    from perdure.languages.asl.language import line_of

    output, is_wrong = Output(), False
    for file in files:
        found = check_definition(_text(file), type="EXPRESS" if express else "STANDARD")
        is_wrong = is_wrong or any(each.severity == "ERROR" for each in found)
        for each in found:
            if json:
                output.json(diagnostic_json(file, each))
            else:
                print(line_of(str(file), each))
        if not found and not json:
            note(f"{file}: nothing is wrong.")
    if is_wrong:
        raise typer.Exit(1)


@asl.command("run", epilog=RUN_EXAMPLES)
def run(
    file: Definition,
    input: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="The execution's input: JSON, or @FILE. Without it, {}.", show_default=False
        ),
    ] = "{}",
    mocks: Annotated[
        str,
        typer.Option(
            "--mocks",
            metavar="FILE",
            help='What tasks answer, by the state\'s name: {"Charge": {"Return": {"ok": true}}, "Ship": {"Throw": {"Error": "Lost"}}}, '
            "a list of these for one after the other; or a mock file of Step Functions Local.",
            show_default=False,
        ),
    ] = "",
    test_case: Annotated[
        str,
        typer.Option(
            "--test-case", metavar="NAME", help="Which one of Step Functions Local's mock file.", show_default=False
        ),
    ] = "",
    wait_time_scale: Annotated[
        float,
        typer.Option(
            "--wait-time-scale", metavar="FACTOR", min=0, help="How long waits are: 1 as written, 0 for not at all."
        ),
    ] = 1.0,
    express: Annotated[bool, typer.Option("--express", help="It is an EXPRESS state machine.")] = False,
    json: Json = False,
) -> None:
    """Run a state machine here, in memory, and show each state's input and output as it goes."""
    import asyncio

    from perdure.cli.asl_running import Mocks, execute
    from perdure.cli.asl_view import refuse_wrong

    text = _text(file)
    refuse_wrong(file, text, is_express=express)
    given = _text(Path(input[1:])) if input.startswith("@") else input
    answers = Mocks.read(mocks, file.name.partition(".")[0], test_case)
    is_success = asyncio.run(
        execute(file, text, given, answers, wait_time_scale=wait_time_scale, is_express=express, as_json=json)
    )
    if not is_success:
        raise typer.Exit(1)


@asl.command("draw", epilog=DRAW_EXAMPLES)
def draw(
    file: Definition,
    svg: Annotated[bool, typer.Option("--svg", help="As SVG instead of Mermaid's text.")] = False,
    run: Annotated[
        str,
        typer.Option("--run", metavar="WORKFLOW_ID", help="Show where this run of it is.", show_default=False),
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="PLACE", help="Where the run is: a store file, or the URL of a server.", show_default=False
        ),
    ] = "",
    run_id: RunId = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Draw a state machine, on standard output: as Mermaid, or as SVG; with where a run of it is."""
    from perdure.cli.asl_running import marks_of_run
    from perdure.languages.asl import drawing
    from perdure.languages.asl.definition import definition_of

    definition = definition_of(_text(file))
    marks = marks_of_run(at or None, server, token, namespace, run, run_id) if run else {}
    print((drawing.svg if svg else drawing.mermaid)(definition, marks), end="")


def _text(file: Path) -> str:
    from perdure.model.errors import InvalidArgumentError

    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"{file} is no text in UTF-8: {error}") from None
