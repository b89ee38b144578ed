"""The tables of what is served of Temporal's protocol."""

from collections.abc import Iterable

from perdure.protocols.temporal import coverage

TABLES = {"methods": coverage.methods, "events": coverage.events, "commands": coverage.commands}


def table(what: str) -> str:
    """A row for each ``methods``, ``events`` or ``commands``; those that are not there in one line below."""
    rows: Iterable[coverage.Row] = list(TABLES[what]())
    lines = [f"| {what.removesuffix('s')} | | |", "| --- | --- | --- |"]
    lines += [f"| `{row.name}` | {row.state} | {row.note} |" for row in rows if row.state != coverage.NOT]
    missing = ", ".join(f"`{row.name}`" for row in rows if row.state == coverage.NOT)
    return "\n".join(lines) + (f"\n\nNot there: {missing}." if missing else "")
