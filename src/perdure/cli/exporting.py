"""Making the file of a run."""

import platform
import time
from collections.abc import Callable, Collection
from pathlib import Path

from perdure.cli.sources import Source, events
from perdure.cli.times import rfc3339
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from perdure.model.ids import RunAddress
from perdure.sdk.redaction import redact as redacted
from perdure.sdk.replay import History


async def history_of(
    source: Source,
    address: RunAddress,
    *,
    redact: bool,
    keep: Collection[str],
    progress: Callable[[int, int], None],
) -> History:
    """A run as a history that can be kept in a file. ``progress`` is told how many events are read, and of how many.

    Raises ``NotFoundError``.
    """
    from perdure import __version__

    description = await source.describe(address)
    summary = description.summary
    found = await events(source, address, progress=lambda count: progress(count, summary.history_length))
    about = {
        "workflow_type": summary.workflow_type,
        "status": summary.status.name.lower(),
        "build_id": description.build_id,
        "pinned_build_id": description.pinned_build_id,
        "exported_at": rfc3339(time.time_ns()),
        "perdure": __version__,
        "python": platform.python_version(),
        "redacted": redact,
        "kept": sorted(keep),
    }
    if redact:
        found = redacted(found, keep)
    return History(summary.workflow_id, summary.run_id, found, namespace=summary.namespace, about=about)


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
