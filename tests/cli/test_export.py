"""``perdure export``: a run as one file."""

import gzip
import json

import pytest
from tests.cli.conftest import Perdure
from tests.cli.orders import LARGE, app

import perdure as library


def test_a_run_becomes_a_file_that_replays(perdure: Perdure, store, tmp_path):
    target = tmp_path / "ship.json"
    outcome = perdure("export", store, "ship-1", target)
    assert outcome.exit_code == 0 and not outcome.out and "Wrote 1" in outcome.err
    history = library.History.from_file(target)
    assert (history.workflow_id, history.namespace, history.started.workflow_type) == ("ship-1", "default", "ship")
    assert history.about["status"] == "running" and history.about["redacted"] is False and history.about["exported_at"]
    library.replay(app, history)
    shown = json.loads(target.read_text())
    assert (shown["format"], shown["version"]) == ("perdure-history", 1)


def test_a_compressed_file_and_large_values(perdure: Perdure, store, tmp_path):
    target = tmp_path / "large.json.gz"
    assert perdure("export", store, "large", target).exit_code == 0
    assert LARGE in gzip.decompress(target.read_bytes()).decode()
    assert len(target.read_bytes()) < 10_000
    library.replay(app, library.History.from_file(target))


def test_a_redacted_run_has_no_values_and_replays(perdure: Perdure, store, tmp_path):
    target = tmp_path / "order.json"
    assert perdure("export", store, "order-dear", target, "--redact").exit_code == 0
    text = target.read_text()
    assert "5000" not in text and "no funds" not in text and "CardDeclined" in text
    library.replay(app, library.History.from_file(target))
    assert perdure("export", store, "order-dear", target, "--redact", "--keep", "cents", "--force").exit_code == 0
    assert "5000" in target.read_text()


def test_standard_output(process: Perdure, store):
    outcome = process("export", store, "order-0", "-")
    assert outcome.exit_code == 0 and not outcome.err
    library.replay(app, library.History.from_json(outcome.out))


def test_nothing_is_overwritten_by_mistake_and_nothing_is_written_by_half(perdure: Perdure, store, tmp_path):
    target = tmp_path / "order.json"
    target.write_text("precious")
    outcome = perdure("export", store, "order-0", target)
    assert outcome.exit_code == 2 and "replace it with --force" in outcome.err and target.read_text() == "precious"
    assert perdure("export", store, "nobody", target, "--force").exit_code == 2
    assert target.read_text() == "precious"
    assert perdure("export", store, "order-0", target, "--force").exit_code == 0
    assert library.History.from_file(target).workflow_id == "order-0"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".new")) == []


@pytest.mark.parametrize(("target", "problem"), [(".", "is a folder"), ("nowhere/x.json", "There is no folder")])
def test_a_target_that_cannot_be_written(perdure: Perdure, store, tmp_path, target, problem):
    outcome = perdure("export", store, "order-0", tmp_path / target)
    assert outcome.exit_code == 2 and problem in outcome.err


def test_a_file_of_a_newer_version_and_a_damaged_one_are_refused(perdure: Perdure, store, tmp_path):
    target = tmp_path / "order.json"
    perdure("export", store, "order-0", target)
    newer = json.loads(target.read_text()) | {"version": 2}
    target.write_text(json.dumps(newer))
    with pytest.raises(library.InvalidArgumentError, match="written by a newer Perdure"):
        library.History.from_file(target)
    packed = gzip.compress(b"{}" * 1000)
    for damaged in (b"", b"no history", packed[:20], packed):
        target.write_bytes(damaged)
        with pytest.raises(library.InvalidArgumentError, match=r"order\.json: "):
            library.History.from_file(target)
