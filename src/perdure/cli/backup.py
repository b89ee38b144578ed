"""``perdure backup``: a copy of a store, also while it is in use."""

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.parameters import Json, StoreFile

EXAMPLES = """Examples:

perdure backup perdure.db /backups/monday.db

perdure backup perdure.db /backups/latest.db --force

Exit codes: 0 when the copy is sound, 1 when it is damaged as its source must be, 2 when no copy could be made."""


def backup(
    file: StoreFile,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Where the copy goes.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace TARGET if it is there.")] = False,
    json: Json = False,
) -> None:
    """Copy a store as it is at this moment, also while an engine uses it, and check the copy."""
    from perdure.cli.copying import copy_store
    from perdure.cli.output import BAD, Output, note, progress
    from perdure.cli.times import duration
    from perdure.cli.values import byte_count, visible

    output = Output()
    with progress("Copying", lambda pages: f"{pages:,} pages") as show:
        copy = copy_store(file, target, replace=force, progress=show)
    if json:
        output.json(
            {
                "source": file,
                "target": str(copy.path),
                "size_bytes": copy.size_bytes,
                "duration_ns": copy.duration_ns,
                "damages": copy.damages,
            }
        )
    else:
        checked = ("damaged", BAD) if copy.damages else "checked"
        size, took = byte_count(copy.size_bytes), duration(copy.duration_ns)
        output.line(f"Copied {visible(file)} to {visible(str(copy.path))}: {size} in {took}, ", checked, ".")
        for damage in copy.damages:
            output.line("  ", visible(damage))
    if copy.damages:
        note(f"See what is wrong with the source: perdure verify {file}")
        raise typer.Exit(1)
