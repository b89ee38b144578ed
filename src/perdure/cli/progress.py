"""How far a run says it has come (``workflow.progress``): kept in its memo, under a name of its own."""

from typing import Any

import msgspec

from perdure.cli.values import plain_value, visible
from perdure.model.payloads import PayloadMap

MEMO_KEY = "__progress"


class Progress(msgspec.Struct, frozen=True):
    """``done`` of ``total``, in any unit; ``total`` is None when it is not known."""

    done: float
    total: float | None = None
    label: str = ""

    def text(self) -> str:
        """``7/12 58% transcoding``."""
        parts = [f"{self.done:g}" if self.total is None else f"{self.done:g}/{self.total:g}"]
        if self.total:
            # Rounded down: what is not finished must not look so.
            parts.append(f"{int(100 * self.done / self.total)}%")
        if self.label:
            parts.append(visible(self.label))
        return " ".join(parts)


def progress_of(memo: PayloadMap) -> Progress | None:
    """What the memo says; None where it says nothing, or a codec hides it."""
    payload = memo.get(MEMO_KEY)
    value: Any = None if payload is None else plain_value(payload)
    if isinstance(value, list):
        value = dict(zip(("done", "total", "label"), value, strict=False))
    try:
        return msgspec.convert(value, Progress) if value else None
    except msgspec.ValidationError:
        return None
