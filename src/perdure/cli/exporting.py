"""Making the file of a run."""

import platform
import time
from collections.abc import Collection
from pathlib import Path

from perdure.cli.stores import History as Stored
from perdure.cli.times import rfc3339
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from perdure.sdk.redaction import redact as redacted
from perdure.sdk.replay import History


def history_of(stored: Stored, *, redact: bool, keep: Collection[str]) -> History:
    """A stored run as a history that can be kept in a file."""
    from perdure import __version__

    row, run, events = stored.row, stored.run(), stored.events()
    about = {
        "workflow_type": row.workflow_type,
        "status": run.status.name.lower(),
        "build_id": run.build_id,
        "pinned_build_id": run.pinned_build_id,
        "exported_at": rfc3339(time.time_ns()),
        "perdure": __version__,
        "python": platform.python_version(),
        "redacted": redact,
        "kept": sorted(keep),
    }
    if redact:
        events = redacted(events, keep)
    return History(row.workflow_id, row.run_id, events, namespace=row.namespace, about=about)


def write(history: History, target: Path, *, replace: bool) -> None:
    """Write it, whole or not at all.

    Raises:
        AlreadyExistsError: there is a file, and it may not be replaced.
        InvalidArgumentError: the target is a folder.
        NotFoundError: there is no folder for it.
        OSError: it can't be written.
    """
    if target.is_dir():
        raise InvalidArgumentError(f"{target} is a folder. Name the file to write in it.")
    if not target.parent.is_dir():
        raise NotFoundError(f"There is no folder {target.parent} to write to. Create it, or choose another one.")
    if target.exists() and not replace:
        raise AlreadyExistsError(f"There is a file {target} already. Choose another one, or replace it with --force.")
    history.to_file(target)
