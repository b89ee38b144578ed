"""What the demo shows while it goes on."""

from collections import Counter
from io import StringIO

from rich.console import Console

from perdure.demo.judge import Kill, Standing
from perdure.demo.view import LineView, LiveView, Snapshot, choose_view, draw

SNAPSHOT = Snapshot(
    elapsed_seconds=12.3,
    standings=Counter({Standing.UNSEEN: 5, Standing.FULFILLED: 3, Standing.UNDONE: 2}),
    requests=1234,
    faults=Counter({"answered too late": 7}),
    repeats=9,
    kills=[(Kill(1, 0), 0.456), (Kill(2, 0), None)],
    kills_wanted=3,
    engine_pid=4711,
)


def test_the_live_view_has_everything_on_a_narrow_terminal():
    console = Console(width=100, record=True, file=StringIO())
    console.print(draw(SNAPSHOT))

    text = console.export_text()
    for part in ("5 of 10 orders settled, 12 s", "1,234", "answered too late", "Kills: 2 of 3", "4711"):
        assert part in text
    assert "resumed in 0.46 s" in text
    assert "starting again" in text


def test_lines_name_each_kill_once_it_is_resumed(capsys):
    with LineView(Console()) as view:
        view.show(SNAPSHOT)
        view.show(SNAPSHOT)

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        " 12.3 s  kill 1: engine process 1 ended by SIGKILL; resumed in 0.46 s",
        " 12.3 s  5 of 10 orders settled, 2 of them undone; 1,234 requests, 7 went wrong",
    ]


def test_only_a_terminal_gets_the_live_view():
    assert isinstance(choose_view(Console(force_terminal=True), plain=False), LiveView)
    assert isinstance(choose_view(Console(force_terminal=True), plain=True), LineView)
    assert isinstance(choose_view(Console(force_terminal=False), plain=False), LineView)
