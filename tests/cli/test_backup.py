"""``perdure backup``."""

import json
import shutil
import sqlite3

from tests.cli.conftest import Perdure


def test_a_copy_is_a_store_with_the_same_runs(perdure: Perdure, store, tmp_path):
    target = tmp_path / "copy.db"
    outcome = perdure("backup", store, target)
    assert outcome.exit_code == 0 and not outcome.err
    assert outcome.out.startswith(f"Copied {store} to {target}: ") and outcome.out.endswith(", checked.\n")
    assert perdure("verify", target).exit_code == 0
    assert perdure("list", target, "--status", "closed").out == perdure("list", store, "--status", "closed").out


def test_json_says_where_how_large_and_how_long(perdure: Perdure, store, tmp_path):
    copy = json.loads(perdure("backup", store, tmp_path / "copy.db", "--json").out)
    assert copy["target"] == str(tmp_path / "copy.db") and copy["damages"] == []
    assert copy["size_bytes"] == (tmp_path / "copy.db").stat().st_size and copy["duration_ns"] > 0


def test_nothing_is_overwritten_unless_asked_for(perdure: Perdure, store, tmp_path):
    target = tmp_path / "copy.db"
    assert perdure("backup", store, target).exit_code == 0
    before = target.read_bytes()
    refused = perdure("backup", store, target)
    assert refused.exit_code == 2 and "with --force" in refused.err and target.read_bytes() == before
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE namespaces SET description = 'changed'")
    replaced = perdure("backup", store, target, "--force")
    assert replaced.exit_code == 0 and target.read_bytes() != before
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_neither_the_store_itself_nor_one_in_use_is_overwritten(perdure: Perdure, store, tmp_path):
    (tmp_path / "alias.db").symlink_to(store)
    for target in (store, tmp_path / "alias.db"):
        outcome = perdure("backup", store, target, "--force")
        assert outcome.exit_code == 2 and "is the store itself" in outcome.err
    for companion in (".lock", "-wal"):
        shutil.copy(store, tmp_path / "live.db")
        (tmp_path / f"live.db{companion}").touch()
        outcome = perdure("backup", store, tmp_path / "live.db", "--force")
        assert outcome.exit_code == 2 and "is more than a copy" in outcome.err
        (tmp_path / f"live.db{companion}").unlink()


def test_places_where_no_copy_can_go(perdure: Perdure, store, tmp_path):
    missing = perdure("backup", store, tmp_path / "none" / "copy.db")
    assert missing.exit_code == 2 and "There is no folder" in missing.err
    folder = perdure("backup", store, tmp_path)
    assert folder.exit_code == 2 and f"Name the file to make in it, {tmp_path / store.name} for example" in folder.err


def test_a_damaged_copy_is_told_and_does_not_replace_a_good_one(perdure: Perdure, store, tmp_path):
    target = tmp_path / "copy.db"
    assert perdure("backup", store, target).exit_code == 0
    good = target.read_bytes()
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks'").fetchone()
    with store.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xab" * 4096)
    outcome = perdure("backup", store, target, "--force")
    assert (
        outcome.exit_code == 1 and "damaged" in outcome.lines[0] and str(tmp_path / "copy.db.new") in outcome.lines[0]
    )
    assert target.read_bytes() == good
