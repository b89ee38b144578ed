"""docs/benchmarks.md, made from what the sections found and nothing else. It bears no date and no name of a machine, but
of each section the commit that was measured."""

from collections.abc import Iterator, Sequence

from bench.results import Figure, Section, Table, number

ORDER = (
    "speed",
    "server",
    "queues",
    "memory",
    "recovery",
    "growth",
    "search",
    "schedules",
    "machines",
    "profile",
    "machine",
)

OPENING = """\
# Benchmarks

Written by `make bench`, which measures everything on this page again and writes it anew; don't edit it. All of it is
durable: what a caller was told is synced to disk (`synchronous=FULL`). All of it is measured from outside the engine,
through the client's own methods. Sections may be measured at different commits; each says at which.
"""

CLOSING = """\
## Again, on your machine

```
make bench                        # everything; about {minutes:.0f} minutes here
make bench ARGS="--quick"         # less of everything, in about two minutes; writes .bench/benchmarks-quick.md instead
make bench ARGS="--only speed"    # one section ({names}); the others are kept
make bench ARGS="--no-peers"      # Perdure alone; writes .bench/benchmarks-full-no-peers.md
make bench ARGS="--no-write"      # show the figures, but write no page
```

Each measured engine runs in a fresh process, over fresh files in the repository's `.bench/`; so put the repository on
the disk that you care about. Keep the machine quiet meanwhile.
"""


def page(sections: Sequence[Section]) -> str:
    """The whole page."""
    return "\n".join(_lines(sorted(sections, key=lambda section: ORDER.index(section.name)))).rstrip() + "\n"


def _lines(sections: Sequence[Section]) -> Iterator[str]:
    yield OPENING
    asked = [figure for section in sections for figure in section.figures if figure.wanted is not None]
    if asked:
        yield "## In short\n"
        yield from _markdown(_summary(asked))
        missed = [figure for figure in asked if not figure.is_reached]
        if missed:
            yield "What limits those that were missed:\n"
            yield from (f"- **{figure.label}**: {figure.limit}" for figure in missed)
            yield ""
    for section in sections:
        yield f"## {section.title}\n"
        yield f"{section.text}\n"
        if section.commit:
            yield f"Measured at commit {section.commit}.\n"
        for table in section.tables:
            if table.title:
                yield f"### {table.title}\n"
            yield from _markdown(table)
    minutes = max(1.0, sum(section.took_seconds for section in sections) / 60)
    yield CLOSING.format(minutes=minutes, names=", ".join(f"`{section.name}`" for section in sections))


def summary_row(figure: Figure) -> list[str]:
    """A figure against what was asked."""
    return [figure.label, f"{number(figure.value)} {figure.unit}", figure.demand, figure.verdict]


def _summary(figures: Sequence[Figure]) -> Table:
    return Table("", ["", "measured", "wanted", ""], [summary_row(figure) for figure in figures])


def _markdown(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    yield _row(["---", *("---:" for _ in table.columns[1:])])
    yield from map(_row, table.rows)
    yield ""
    if table.note:
        yield f"{table.note}\n"


def _row(cells: Sequence[str]) -> str:
    # A bar would end the cell, and a table's first column may be empty in its header.
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
