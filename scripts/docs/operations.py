"""The operations of the REST interface, by noun."""

import inspect

from perdure.protocols.rest import OPERATIONS


def table() -> str:
    """A table for each noun, from the table that everything else is made from."""
    parts = []
    for tag in dict.fromkeys(operation.tag for operation in OPERATIONS):
        rows = ["| | path, after `/api/v1` | what it does |", "| --- | --- | --- |"]
        for operation in OPERATIONS:
            if operation.tag == tag:
                summary, _, _ = inspect.cleandoc(operation.handler.__doc__ or "").partition("\n\n")
                rows.append(
                    f"| {operation.method} | `{operation.path}` | {' '.join(summary.split()).replace('``', '`')} |"
                )
        parts.append(f"### {tag.capitalize()}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)
