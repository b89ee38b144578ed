"""Where a command looks: what its first argument is taken for, whatever follows."""

import pytest
import typer
from typer.testing import CliRunner

from perdure.cli.places import PlaceCommand

app = typer.Typer(rich_markup_mode=None)


@app.command("list", cls=PlaceCommand)
def one_that_may_be_left_out(
    place: str | None = typer.Argument(None), filter: str = typer.Argument(""), server: str = typer.Option("")
) -> None:
    print(place, filter, server, sep="|")


@app.command("show", cls=PlaceCommand)
def one_that_must_be_there(
    place: str | None = typer.Argument(None), workflow_id: str = typer.Argument(), server: str = typer.Option("")
) -> None:
    print(place, workflow_id, server, sep="|")


@app.command("start", cls=PlaceCommand)
def any_number(
    place: str | None = typer.Argument(None),
    workflow: str = typer.Argument(),
    args: list[str] | None = typer.Argument(None),
    server: str = typer.Option(""),
) -> None:
    print(place, workflow, args, server, sep="|")


def run(*arguments):
    outcome = CliRunner().invoke(app, arguments)
    return outcome.stdout.strip() if outcome.exit_code == 0 else outcome.stderr


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (("list",), "None||"),
        (("list", "work.db"), "work.db||"),
        (("list", "sqlite:///odd"), "sqlite:///odd||"),
        (("list", "http://h:1"), "http://h:1||"),
        (("list", "Amount > 1"), "None|Amount > 1|"),
        (("list", "odd", "Amount > 1"), "odd|Amount > 1|"),
        (("list", "here"), "here||"),
        (("show", "order-1"), "None|order-1|"),
        (("show", "odd", "order-1"), "odd|order-1|"),
        (("show", "here"), "None|here|"),
        (("show", "work.db", "order-1"), "work.db|order-1|"),
        (("show", "--server", "http://h", "work.db"), "None|work.db|http://h"),
        (("show", "work.db", "--server", "http://h"), "None|work.db|http://h"),
        (("start", "Hello", "1", "2"), "None|Hello|['1', '2']|"),
        (("start", "here", "1"), "None|here|['1']|"),
        (("start", "https://h", "Hello"), "https://h|Hello|None|"),
        (("start", "--", "work.db", "Hello", "-1"), "work.db|Hello|['-1']|"),
    ],
)
def test_the_first_argument_is_a_place_where_nothing_else_is_meant(line, seen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").touch()
    assert run(*line) == seen


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("show",), "WORKFLOW_ID"),
        (("show", "work.db"), "WORKFLOW_ID"),
        (("show", "a", "b", "c"), "unexpected extra argument"),
        (("show", "--server", "http://h", "a", "b"), "unexpected extra argument"),
        (("list", "a", "b", "c"), "unexpected extra argument"),
    ],
)
def test_too_few_and_too_many_are_mistakes(line, said):
    assert said.lower() in run(*line).lower()
