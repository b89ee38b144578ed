"""What every writing connection is set to: what was acknowledged is synced, whatever SQLite was built to do by default."""

from perdure.stores.sqlite.backups import backup
from perdure.stores.sqlite.connections import connect_writer


def test_the_writer_logs_ahead_and_syncs_each_commit(tmp_path):
    connection = connect_writer(str(tmp_path / "work.db"))
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "2 is FULL"
    finally:
        connection.close()


def test_a_new_store_is_its_owners_alone_and_an_old_one_stays_as_it_is(tmp_path):
    path = tmp_path / "work.db"
    for mode in (0o600, 0o640):
        connection = connect_writer(str(path))
        try:
            connection.execute("CREATE TABLE IF NOT EXISTS something (x)")
            found = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        finally:
            connection.close()
        assert len(found) > 1 and set(found.values()) == {mode}, found
        path.chmod(0o640)
    copy = tmp_path / "copy.db"
    backup(path, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
