"""``perdure replay``: which runs the code here would break."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Perdure

ORDERS = Path(__file__).with_name("orders.py")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The program after a change that orders under way cannot follow."""
    path = tmp_path / "changed_orders.py"
    text = ORDERS.read_text()
    for before, after in (
        ("    return await charge(order)", "    await asyncio.sleep(1)\n    return await charge(order)"),
        ('    workflow.progress(3, 12, "packing")', '    raise KeyError("new bug")'),
    ):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
    return path


def test_the_code_that_wrote_a_store_fits_all_of_it(perdure: Perdure, store):
    outcome = perdure("replay", f"{ORDERS}:app", "--from", store)
    assert outcome.exit_code == 0
    assert outcome.lines == [f"{ORDERS}:app fits all of 16 runs."]


def test_each_run_that_would_break_is_named_and_where(perdure: Perdure, store, changed):
    outcome = perdure("replay", changed, "--from", store)
    assert outcome.exit_code == 1
    text = outcome.out
    order = text[text.index("order-1 ") : text.index("order-0 ")]
    assert "fulfil  run " in order and "at event 5 of 11" in order
    assert "the history has ActivityTaskScheduled(activity_id='1', activity_type='charge')" in order
    assert "but the code asked for StartTimer(" in order
    ship = text[text.index("ship-1 ") :]
    assert "at event 3 of 13" in ship and "now raises what it did not raise before: KeyError: 'new bug'" in ship
    assert f"{changed} would break 5 of 16 runs." in outcome.lines
    assert text.count("Keep the old path behind workflow.patched()") == 1


def test_json_for_ci(process: Perdure, store, changed):
    outcome = process("replay", f"{changed}:app", "--from", store, "--json")
    *runs, summary = map(json.loads, outcome.lines)
    assert outcome.exit_code == 1
    assert summary == {"kind": "summary", "runs": 16, "fits": 11, "broken": 5, "unknown_type": 0}
    broken = {run["workflow_id"]: run for run in runs if run["outcome"] == "broken"}
    assert broken.keys() == {"order-0", "order-1", "order-2", "order-dear", "ship-1"}
    assert broken["order-0"]["event_id"] == 5 and broken["order-0"]["workflow_type"] == "fulfil"


def test_runs_are_chosen(perdure: Perdure, store, changed):
    outcome = perdure("replay", changed, "--from", store, "--status", "open", "--json")
    open_runs = [json.loads(line)["workflow_id"] for line in outcome.lines[:-1]]
    assert set(open_runs) == {"ship-1", "approve-s1", "paused", "broken"}
    assert perdure("replay", changed, "--from", store, "--type", "approve").exit_code == 0
    wanted = "WorkflowId STARTS_WITH 'order-' ORDER BY WorkflowId"
    some = perdure("replay", changed, "--from", store, "--filter", wanted, "--json")
    assert [json.loads(line).get("workflow_id") for line in some.lines[:2]] == ["order-0", "order-1"]
    assert len(some.lines) == 5
    wrong = perdure("replay", changed, "--from", store, "--filter", "Color = 1")
    assert wrong.exit_code == 2 and "Color" in wrong.err
    newest = perdure("replay", changed, "--from", store, "--limit", "2", "--json")
    assert len(newest.lines) == 3
    samples = [perdure("replay", changed, "--from", store, "--sample", "5", "--json").out for _ in range(2)]
    assert samples[0] == samples[1] and len(samples[0].splitlines()) == 6


def test_exported_runs_and_folders_of_them(perdure: Perdure, store, changed, tmp_path):
    folder = tmp_path / "histories"
    folder.mkdir()
    for name in ("order-0", "large"):
        perdure("export", store, name, folder / f"{name}.json.gz")
    assert perdure("replay", f"{ORDERS}:app", "--from", folder).lines == [f"{ORDERS}:app fits all of 2 runs."]
    assert "would break 1 of 2 runs" in perdure("replay", changed, "--from", folder).out
    one = perdure("replay", changed, "--from", folder / "order-0.json.gz", "--from", folder / "large.json.gz")
    assert "would break 1 of 2 runs" in one.out
    (folder / "damaged.json").write_text("{")
    damaged = perdure("replay", f"{ORDERS}:app", "--from", folder)
    assert damaged.exit_code == 1 and "damaged.json" in damaged.out
    alone = perdure("replay", f"{ORDERS}:app", "--from", folder / "damaged.json")
    assert alone.exit_code == 2 and "this is not a history" in alone.err


def test_types_that_the_app_does_not_have(perdure: Perdure, store, tmp_path):
    other = tmp_path / "other_app.py"
    other.write_text(
        "from perdure import App\n\napp = App('other')\n\n@app.workflow\nasync def echo(value: object) -> object:\n    return value\n"
    )
    outcome = perdure("replay", other, "--from", store)
    assert (
        outcome.exit_code == 0 and "fits all of 3 runs. 13 of types that it does not have were left out." in outcome.out
    )
    strict = perdure("replay", other, "--from", store, "--strict")
    assert strict.exit_code == 1 and "the app has no workflow of type 'ship'" in strict.out


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("missing.py:app", None, "There is no file"),
        ("a.py:app", "import does_not_exist", "can't be run: ModuleNotFoundError"),
        ("b.py:app", "x = (", "can't be run: SyntaxError"),
        ("c.py:app", "1 / 0", "c.py:1)"),
        ("d.py:app", "x = 1", "There is no variable 'app'"),
        ("e.py:x", "x = 1", "is no perdure.App but of type int"),
        ("f.py", "x = 1", "does not have one app"),
        ("no.such.module:app", None, "There is no module 'no.such.module' here"),
    ],
)
def test_code_that_cannot_be_used_is_one_line_and_no_traceback(perdure: Perdure, store, tmp_path, name, text, problem):
    where = tmp_path / name if name.endswith((".py", ".py:app", ".py:x")) else name
    if text is not None:
        (tmp_path / name.partition(":")[0]).write_text(text)
    outcome = perdure("replay", where, "--from", store)
    assert outcome.exit_code == 2 and not outcome.out
    assert problem in outcome.err and outcome.err.startswith("Error: ") and outcome.err.count("\n") == 1


def test_sources_that_cannot_be_used(perdure: Perdure, store, tmp_path):
    for source, problem in (
        (tmp_path / "shopp.db", "Did you mean"),
        (tmp_path / "nothing.json", "There is no file"),
        (tmp_path, "There are no exported runs"),
        (ORDERS, "this is not a history"),
    ):
        outcome = perdure("replay", ORDERS, "--from", source)
        assert outcome.exit_code == 2 and problem in outcome.err, source
    assert perdure("replay", ORDERS).exit_code == 2


def test_a_module_by_its_name(process: Perdure, store):
    outcome = process("replay", "tests.cli.orders:app", "--from", store)
    assert outcome.exit_code == 0 and "fits all of 16 runs" in outcome.out
