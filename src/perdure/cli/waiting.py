"""What an open run waits for, in words: one line each, or one field each."""

from perdure.cli.output import BAD, Cell, Output
from perdure.cli.times import TimeStyle
from perdure.cli.values import failures_text, payloads_text, visible
from perdure.model.explanation import Wait
from perdure.sdk.explanations import facts_of

_LIMIT = 160
# In one line, the state says enough of these; `perdure explain` tells all.
_LEFT_OUT = {"ended by"}


def wait_line(wait: Wait, style: TimeStyle) -> str:
    """How a wait stands, in one line."""
    return "; ".join(
        text if name == "state" else f"{name}: {text}" if name == "last error" else f"{name} {text}"
        for name, text in _facts(wait, style, _LIMIT)
        if text and name not in _LEFT_OUT
    )


def print_wait(output: Output, wait: Wait, style: TimeStyle, limit: int) -> None:
    """All about a wait, one line for each thing known. Values longer than ``limit`` are cut."""
    output.line("  ", visible(wait.what))
    fields: list[tuple[str, Cell]] = []
    for name, text in _facts(wait, style, limit):
        fields.append((f"  {name}", (text, BAD) if name == "last error" and text else text))
    output.fields(fields)


def _facts(wait: Wait, style: TimeStyle, limit: int) -> list[tuple[str, str]]:
    return [
        *((name, visible(text)) for name, text in facts_of(wait, style)),
        ("it said", payloads_text(wait.details, limit) if wait.details else ""),
        ("last error", failures_text(wait.failure, limit) if wait.failure is not None else ""),
    ]
