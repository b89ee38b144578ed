"""What every writing connection is set to: what was acknowledged is synced, whatever SQLite was built to do by default."""

from perdure.stores.sqlite.connections import connect_writer


def test_the_writer_logs_ahead_and_syncs_each_commit(tmp_path):
    connection = connect_writer(str(tmp_path / "work.db"))
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "2 is FULL"
    finally:
        connection.close()
