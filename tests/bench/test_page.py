"""The page, from sections made up here."""

import re

from bench.page import page
from bench.results import Figure, Section, Table

SPEED = Section(
    "speed",
    "Speed",
    "What was measured.",
    [
        Figure(label="runs", value=12_000, unit="runs/s", wanted=10_000, aim=20_000, more_is_better=True, limit="X"),
        Figure(label="alone", value=0.75, unit="ms", wanted=0.5, limit="The disk takes 0.4 ms."),
    ],
    [Table("Ratios", ["", "Perdure", "DBOS"], [["runs | s", "12,000", "230"]], "A note.")],
    took_seconds=90,
)
MACHINE = Section("machine", "The machine", "Where.", [Figure(label="sync", value=0.2, unit="ms")])


def test_figures_stand_first_with_what_limits_those_that_were_missed():
    text = page([MACHINE, SPEED])
    assert "| runs | 12,000 runs/s | at least 10,000 runs/s (aim 20,000) | reached |" in text
    assert "| alone | 0.750 ms | at most 0.500 ms | missed |" in text
    assert "- **alone**: The disk takes 0.4 ms." in text
    assert "**runs**" not in text
    assert text.index("## In short") < text.index("## Speed") < text.index("## The machine")


def test_tables_are_whole():
    lines = page([SPEED]).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| ---"):
            width = bars(line)
            assert bars(lines[number - 1]) == width
            rows = lines[number + 1 : lines.index("", number)]
            assert rows and all(bars(row) == width for row in rows)
    assert "| runs \\| s | 12,000 | 230 |" in lines
    assert lines[lines.index("| runs \\| s | 12,000 | 230 |") + 2] == "A note."


def test_what_was_asked_of_nothing_is_not_in_short():
    assert "## In short" not in page([MACHINE])


def test_the_page_tells_how_long_it_takes_and_bears_no_date():
    text = page([SPEED, MACHINE])
    assert "about 2 minutes here" in text
    assert not re.search(r"\b20\d\d-\d\d|\b20\d\d\b", text)


def test_each_section_says_which_sources_were_measured():
    text = page([SPEED.lasting(60, "abc1234"), MACHINE.lasting(1, "def5678+")])
    speed, machine = text.split("## The machine")
    assert "Measured at commit abc1234." in speed
    assert "Measured at commit def5678+." in machine


def bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))
