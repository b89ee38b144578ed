"""Logs as lines for people, or as JSON for machines; with the run and the trace that each line is about.

Perdure logs with the standard library, below ``perdure``: the engine in ``perdure.engine``, workers in ``perdure.worker``,
``workflow.logger`` in ``perdure.workflow`` and ``activity.logger`` in ``perdure.activity``. Whatever is known is in fields
of the record (``extra``), so any other handler finds it there too.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

ABOUT = (
    "namespace",
    "workflow_id",
    "run_id",
    "workflow_type",
    "activity_type",
    "activity_id",
    "attempt",
    "task_queue",
    "trace_id",
    "span_id",
)
"""What a record may be about, in the order in which it is written."""

_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code != 9}
_VISIBLE |= {10: "\\n", 13: "\\r", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_VISIBLE_IN_JSON = {code: f"\\u{code:04x}" for code in (*range(127, 160), 0x2028, 0x2029)}
"""Names come from callers: none may begin a line of its own, or tell a terminal what to do."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, what it is about, all other extra fields,
    and ``error`` with ``traceback`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Whatever JSON does not have is written as text."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _OWN and name not in fields}
        for name in ABOUT:
            if name in extra:
                fields[name] = extra.pop(name)
        fields |= extra
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"] = f"{type(error).__name__}: {error}"
            fields["traceback"] = "".join(traceback.format_exception(error))
        if record.stack_info:
            fields["stack"] = record.stack_info
        return json.dumps(fields, default=str, ensure_ascii=False).translate(_VISIBLE_IN_JSON)


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, and in brackets what it is about if the message does not say."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line without a traceback."""
        line = super().formatMessage(record).translate(_VISIBLE)
        about = [
            f"{name}={value}"
            for name in ("workflow_id", "run_id", "activity_type", "attempt", "trace_id")
            if (value := getattr(record, name, None)) is not None and str(value) not in line
        ]
        return f"{line} [{' '.join(about).translate(_VISIBLE)}]" if about else line


def set_up_logging(level: str = "info", format: str = "text", stream: TextIO | None = None) -> None:
    """Log to a stream. For a process of our own: a library's user sets up logging, not the library.

    Args:
        level: "debug", "info", "warning" or "error": what is logged, at least.
        format: "text" or "json".
        stream: where to; without it, standard error.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
