"""The demo itself, played for real but small; and that nothing of it is left behind, however it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import perdure
from perdure.demo import main, stages
from perdure.demo.ledger import Books, Charge, read_books
from perdure.demo.main import run
from perdure.demo.scenario import draw_kill_marks, draw_orders, draw_stock


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary folders are made in the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("server", "killed"), [(False, ["engine"] * 2), (True, ["server", "worker"] * 2)])
def test_every_promise_is_kept_through_kills(tmp_path, capsys, server, killed):
    code = run(orders=25, kills=len(killed), seed=1, keep=None, plain=True, server=server)

    said = capsys.readouterr().out
    assert code == 0, said
    assert len(re.findall(r"^ yes  ", said, re.MULTILINE)) == 7
    assert not re.search(r"^ NO ", said, re.MULTILINE)
    assert re.findall(r"(\w+) process(?: \d+)? ended by SIGKILL; resumed in \d+\.\d\d s", said) == killed
    assert "runs per second" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_charge_too_many_in_the_ledger_fails_the_demo(tmp_path, capsys, monkeypatch):
    def with_a_second_charge(path: Path) -> Books:
        books = read_books(path)
        of_order = books.orders.get("0001")
        if of_order is None or not of_order.charges:
            return books
        twice = replace(of_order, charges=[*of_order.charges, Charge(-1, "0001", of_order.charges[0].cents, True)])
        return replace(books, orders={**books.orders, "0001": twice})

    monkeypatch.setattr(main, "read_books", with_a_second_charge)

    assert run(orders=2, kills=0, seed=1, keep=tmp_path / "kept", plain=True) == 1
    said = capsys.readouterr().out
    assert re.search(r"^ NO   nobody is charged twice", said, re.MULTILINE)
    assert "order 0001: charged 2 times" in said
    assert {"ledger.db", "engine.db", "engine.log"} <= {path.name for path in (tmp_path / "kept").iterdir()}
    with pytest.raises(perdure.InvalidArgumentError, match="holds a demo already"):
        run(orders=2, kills=0, seed=1, keep=tmp_path / "kept", plain=True)


def test_an_engine_that_ends_by_itself_fails_the_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stages, "ENGINE", "perdure.demo.no_such_module")

    assert run(orders=2, kills=0, seed=1, keep=None, plain=True) == 1
    said = capsys.readouterr().out
    assert "ended by itself with exit code 1" in said
    assert "No module named" in said
    assert list(tmp_path.iterdir()) == []


def test_the_demo_gives_up_at_its_deadline(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(main, "LEAST_DEADLINE_SECONDS", 1.0)
    monkeypatch.setattr(main, "DEADLINE_SECONDS_PER_ORDER", 0.0)

    assert run(orders=5, kills=0, seed=1, keep=None, plain=True) == 1
    assert "it took longer than 1 s" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("orders", "kills"), [(0, 0), (5, 6), (5, -1)])
def test_nonsense_is_refused(orders, kills):
    with pytest.raises(perdure.InvalidArgumentError):
        run(orders=orders, kills=kills, seed=1, keep=None, plain=True)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_demo(tmp_path, end, server):
    arguments = f"orders=50, kills=0, seed=1, keep=None, plain=True, {server=}"
    code = f"from perdure.demo.main import run; raise SystemExit(run({arguments}))"
    demo = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        # The client of a server knows of no folder.
        _wait_until(lambda: len(_processes_in(tmp_path)) == (4 if server else 2))
        time.sleep(0.5)
        demo.send_signal(end)
        exit_code = demo.wait(30)
    finally:
        demo.kill()
        demo.wait()

    assert exit_code == (-signal.SIGKILL if end == signal.SIGKILL else 130)
    _wait_until(lambda: not _processes_in(tmp_path))
    if end != signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []


def _processes_in(folder: Path) -> list[int]:
    """The processes whose command line names something in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass  # it has just ended
    return found


def _wait_until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_scenario_is_the_same_in_every_process():
    orders = draw_orders(300, 1)

    assert orders == draw_orders(300, 1)
    assert orders != draw_orders(300, 2)
    assert len({order.id for order in orders}) == 300
    stock = draw_stock(orders)
    wanted = {sku: sum(order.lines.get(sku, 0) for order in orders) for sku in stock}
    assert [sku for sku in stock if wanted[sku] > stock[sku]] == ["poster"]


@pytest.mark.parametrize(("kills", "orders"), [(0, 10), (1, 1), (5, 300), (20, 25)])
def test_kills_come_in_order_and_leave_work_to_resume(kills, orders):
    marks = [settled for settled, _ in draw_kill_marks(kills, orders, seed=3)]

    assert len(marks) == kills
    assert marks == sorted(marks)
    assert all(1 <= mark <= max(1, 0.6 * orders) for mark in marks)
