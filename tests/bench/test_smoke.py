"""Every section with hardly any load, without peers: that it measures, tells and is written; not how fast it is."""

import subprocess
import sys
import time

import pytest
from bench.__main__ import SECTIONS, load_all, measure_all, write_page
from bench.context import Bench
from bench.page import ORDER
from bench.processes import Child, ChildError
from bench.scale import FULL, TINY
from rich.console import Console


class Listening:
    def __init__(self):
        self.heard = []
        self.warnings = []
        self.done = []

    def doing(self, what):
        self.heard.append(what)

    def progress(self, done, total): ...

    def warn(self, what):
        self.warnings.append(what)

    def section_done(self, section):
        self.done.append(section.name)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_section_measures_and_the_page_tells_it(tmp_path):
    view = Listening()
    kept = tmp_path / "kept"
    failed = measure_all(Bench(tmp_path, TINY, view), list(SECTIONS), kept)
    assert failed == [], view.warnings
    sections = load_all(kept)
    assert [section.name for section in sections] == list(ORDER)
    write_page(tmp_path / "page.md", sections, list(SECTIONS), Console(quiet=True))
    text = (tmp_path / "page.md").read_text()
    assert all(f"## {section.title}\n" in text for section in sections)
    # Nothing was asked of so little load, but the ways to measure speed are the same.
    labels = {figure.label for section in sections for figure in section.figures if figure.wanted is not None}
    assert labels == {"runs of one activity", "activities, in runs of ten", "one run alone, median"}
    left = {path.name for path in tmp_path.iterdir()} - {"kept", "page.md", "compiled"}
    assert not left


def test_a_process_that_fails_is_told_with_its_log(tmp_path):
    with Child("throughput", {"nonsense": 1}, tmp_path, tmp_path / "compiled") as child:
        with pytest.raises(ChildError, match="nonsense"):
            child.hear("result", 60)


def test_a_process_ends_with_the_bench(tmp_path):
    options = {"runs": 1, "waits_for": "timer", "concurrency": 1}
    with Child("leave_open", options, tmp_path, tmp_path / "compiled") as child:
        child.hear("ready", 60)
        assert child.is_running
        child.let_go()
        deadline = time.monotonic() + 30
        while child.is_running and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not child.is_running


def test_scaling_changes_counts_and_not_what_was_asked_for():
    scaled = FULL.by(0.1)
    assert (scaled.name, scaled.sleeping_runs, scaled.rounds) == ("full-0.1", 100_000, FULL.rounds)
    assert FULL.by(1) is FULL


def test_the_command_explains_itself():
    told = subprocess.run([sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0
    assert "--no-peers" in told.stdout
