"""The parts of the reference that are written from the code: what stands for them in a page, and what they become.

A page says where one goes by a line of its own, ``<!-- generated: events -->`` or, with arguments,
``<!-- generated: command list -->``. The site's build puts the part there, see ``hook``; the tests ask the same functions.
"""

import re
from collections.abc import Callable

from scripts.docs import commands, errors, listings, metrics, operations, records, settings, temporal

from perdure.engine.settings import Settings
from perdure.model import events
from perdure.model.limits import Limits

MARKER = re.compile(r"^<!-- generated: (\S+)(?: (.+?))? -->$", re.MULTILINE)

PARTS: dict[str, Callable[[str], str]] = {
    "command": commands.section,
    "program-options": lambda _: commands.program_options(),
    "error-tree": lambda _: errors.tree(),
    "error-list": lambda _: errors.directives(),
    "events": lambda _: records.table("event", records.of(events.Event)),
    "examples": lambda _: listings.examples(),
    "facts": lambda _: records.table("fact", records.of(events.Fact)),
    "settings": lambda _: settings.table(Settings),
    "server-settings": lambda _: settings.server_table(),
    "client-settings": lambda _: settings.client_table(),
    "worker-settings": lambda _: settings.worker_table(),
    "operations": lambda _: operations.table(),
    "metrics": lambda _: metrics.table(),
    "temporal": temporal.table,
    "limits": lambda _: settings.table(Limits),
}


def filled(markdown: str) -> str:
    """A page with all of its parts in place. Raises ``KeyError`` for a part that there is not."""
    return MARKER.sub(lambda found: PARTS[found[1]](found[2] or ""), markdown)
