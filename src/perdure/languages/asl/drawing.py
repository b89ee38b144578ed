"""A machine as a picture: as Mermaid, which pages draw themselves, and as an SVG that stands alone. Both can show where a
run is."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from perdure.languages.asl.definition import Definition, State, States

COLOURS = {"done": "#d7f0dd", "active": "#cfe3ff", "failed": "#ffd6d6", "": "#ffffff"}
WIDTH, HEIGHT, GAP = 200, 40, 48
TERMINAL = ("Succeed", "Fail")


class Arrow(msgspec.Struct, frozen=True):
    """A way from one state to another, or to the end (""), with a word about it."""

    source: str
    target: str
    label: str = ""


def marks_of(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Where a run is, by the names of states: "done", "active" or "failed".

    Args:
        events: AWS's events of it.
    """
    marks: dict[str, str] = {}
    for event in events:
        if "stateEnteredEventDetails" in event:
            marks[event["stateEnteredEventDetails"]["name"]] = "active"
        elif "stateExitedEventDetails" in event:
            marks[event["stateExitedEventDetails"]["name"]] = "done"
    last = events[-1]["type"] if events else ""
    if last in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"):
        return {name: "failed" if mark == "active" else mark for name, mark in marks.items()}
    return marks


def arrows(states: States) -> list[Arrow]:
    """All ways between states that belong together."""
    found = []
    for state in states.by_name.values():
        fields = state.fields
        for number, rule in enumerate(fields.get("Choices", ()), 1):
            found.append(Arrow(state.name, rule["Next"], _condition(rule) or f"{number}"))
        if "Default" in fields:
            found.append(Arrow(state.name, fields["Default"], "otherwise"))
        if state.next is not None:
            found.append(Arrow(state.name, state.next))
        elif state.kind != "Choice":
            found.append(Arrow(state.name, ""))
        for catcher in fields.get("Catch", ()):
            found.append(Arrow(state.name, catcher["Next"], ", ".join(catcher["ErrorEquals"])))
    return found


def inner(definition: Definition, state: State) -> list[tuple[str, States]]:
    """What is inside of a state: its branches, or what it does for each item."""
    found = [
        (f"branch {index + 1}", definition.states(f"{state.pointer}/Branches/{index}"))
        for index in range(len(state.fields.get("Branches", ())))
    ]
    for name in ("ItemProcessor", "Iterator"):
        if name in state.fields:
            found.append(("for each item", definition.states(f"{state.pointer}/{name}")))
    return found


def _condition(rule: Mapping[str, Any]) -> str:
    if "Condition" in rule:
        return str(rule["Condition"]).removeprefix("{%").removesuffix("%}").strip()
    for word in ("And", "Or"):
        if word in rule:
            return f" {word.lower()} ".join(_condition(part) for part in rule[word])
    if "Not" in rule:
        return f"not {_condition(rule['Not'])}"
    operators = [name for name in rule if name not in ("Variable", "Next", "Comment", "Assign", "Output")]
    return f"{rule.get('Variable', '')} {operators[0]} {rule[operators[0]]}" if operators else ""


# --- Mermaid


def mermaid(definition: Definition, marks: Mapping[str, str] | None = None) -> str:
    """The machine as Mermaid's text.

    Args:
        definition: the machine.
        marks: as ``marks_of`` gives them.
    """
    lines = ["stateDiagram-v2"]
    classes: list[str] = []
    _mermaid_states(definition, definition.states(""), marks or {}, "    ", "s", lines, classes)
    if marks:
        lines += [f"    classDef {mark} fill:{colour}" for mark, colour in COLOURS.items() if mark]
        lines += classes
    return "\n".join(lines) + "\n"


def _mermaid_states(
    definition: Definition,
    states: States,
    marks: Mapping[str, str],
    indent: str,
    prefix: str,
    lines: list[str],
    classes: list[str],
) -> None:
    names = {name: f"{prefix}{number}" for number, name in enumerate(states.by_name)}
    for name, state in states.by_name.items():
        within = inner(definition, state)
        lines.append(f'{indent}state "{_quoted(name)}" as {names[name]}')
        if within:
            lines.append(f"{indent}state {names[name]} {{")
            for number, (_, part) in enumerate(within):
                if number:
                    lines.append(f"{indent}    --")
                _mermaid_states(definition, part, marks, indent + "    ", f"{names[name]}_{number}_", lines, classes)
            lines.append(f"{indent}}}")
        if marks.get(name):
            classes.append(f"    class {names[name]} {marks[name]}")
    lines.append(f"{indent}[*] --> {names[states.start_at]}")
    for arrow in arrows(states):
        target = names.get(arrow.target, "[*]")
        label = f" : {_quoted(arrow.label)}" if arrow.label else ""
        lines.append(f"{indent}{names[arrow.source]} --> {target}{label}")


def _quoted(text: str) -> str:
    # Mermaid reads some characters of a label; these codes of its own stand for them.
    return re.sub(r'["#;:{}<>\n]', lambda found: f"#{ord(found[0])};", text)


# --- SVG


def svg(definition: Definition, marks: Mapping[str, str] | None = None) -> str:
    """The machine as an SVG, from top to bottom.

    Args:
        definition: the machine.
        marks: as ``marks_of`` gives them.
    """
    body, width, height = _box(definition, definition.states(""), marks or {})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#667"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}</svg>\n'
    )


def _box(definition: Definition, states: States, marks: Mapping[str, str]) -> tuple[str, int, int]:
    """States that belong together, drawn from the corner: the drawing, its width and its height."""
    ways = arrows(states)
    order = _order(states, ways)
    sizes: dict[str, tuple[int, int]] = {}
    drawn: dict[str, str] = {}
    for name in order:
        drawn[name], *size = _state(definition, states.by_name[name], marks)
        sizes[name] = size[0], size[1]
    ranks = _ranks(order, ways)
    rows: dict[int, list[str]] = {}
    for name in order:
        rows.setdefault(ranks[name], []).append(name)
    width = max(sum(sizes[name][0] + GAP for name in row) for row in rows.values()) + GAP
    places: dict[str, tuple[int, int]] = {}
    top = GAP
    for rank in sorted(rows):
        row = rows[rank]
        left = (width - sum(sizes[name][0] for name in row) - GAP * (len(row) - 1)) // 2
        for name in row:
            places[name] = left, top
            left += sizes[name][0] + GAP
        top += max(sizes[name][1] for name in row) + GAP
    parts = [f'<circle cx="{width // 2}" cy="{GAP // 4}" r="6" fill="#334"/>\n']
    start = places[states.start_at]
    parts.append(_line(width // 2, GAP // 4 + 6, start[0] + sizes[states.start_at][0] // 2, start[1], ""))
    has_end = False
    for arrow in ways:
        left, y = places[arrow.source]
        x, bottom = left + sizes[arrow.source][0] // 2, y + sizes[arrow.source][1]
        if not arrow.target:
            has_end = True
            parts.append(_line(x, bottom, width // 2, top, ""))
        elif arrow.target in places:
            to = places[arrow.target]
            parts.append(_line(x, bottom, to[0] + sizes[arrow.target][0] // 2, to[1], arrow.label))
    if has_end:
        parts.append(f'<circle cx="{width // 2}" cy="{top + 8}" r="6" fill="#fff" stroke="#334" stroke-width="3"/>\n')
        top += GAP // 2
    parts += [f'<g transform="translate({places[name][0]},{places[name][1]})">{drawn[name]}</g>\n' for name in order]
    return "".join(parts), width, top + GAP // 2


def _state(definition: Definition, state: State, marks: Mapping[str, str]) -> tuple[str, int, int]:
    within = [(title, *_box(definition, states, marks)) for title, states in inner(definition, state)]
    width = max(WIDTH, 9 * len(state.name) + 20, sum(one[2] for one in within) + 20)
    height = HEIGHT + max((one[3] for one in within), default=0) + (20 if within else 0)
    fill = COLOURS[marks.get(state.name, "")]
    dashes = ' stroke-dasharray="6 3"' if within else ""
    drawn = (
        f'<rect width="{width}" height="{height}" rx="6" fill="{fill}" stroke="#445"{dashes}/>'
        f'<text x="{width // 2}" y="17" text-anchor="middle" font-weight="bold">{html.escape(state.name)}</text>'
        f'<text x="{width // 2}" y="33" text-anchor="middle" fill="#667" font-size="11">{html.escape(_about(state))}</text>'
    )
    left = 10
    for title, body, inner_width, _ in within:
        drawn += (
            f'<g transform="translate({left},{HEIGHT + 10})">{body}'
            f'<text x="8" y="4" fill="#667" font-size="11">{html.escape(title)}</text></g>'
        )
        left += inner_width
    return drawn, width, height


def _about(state: State) -> str:
    resource = state.fields.get("Resource", "")
    return f"{state.kind} {resource.removeprefix('arn:aws:').removeprefix('states:::')}".strip()[:40]


def _line(x: int, y: int, to_x: int, to_y: int, label: str) -> str:
    bend = max(20, abs(to_y - y) // 2)
    way = f"M{x},{y} C{x},{y + bend} {to_x},{to_y - bend} {to_x},{to_y}"
    drawn = f'<path d="{way}" fill="none" stroke="#667" marker-end="url(#tip)"/>\n'
    if label:
        text = html.escape(label if len(label) <= 30 else label[:29] + "…")
        middle = (x + to_x) // 2, (y + to_y) // 2 - 3
        drawn += (
            f'<text x="{middle[0]}" y="{middle[1]}" text-anchor="middle" fill="#446" font-size="11">{text}</text>\n'
        )
    return drawn


def _order(states: States, ways: Sequence[Arrow]) -> list[str]:
    """As a reader meets them; those that nothing leads to come last."""
    order, waiting = [], [states.start_at]
    while waiting:
        name = waiting.pop(0)
        if name in order or name not in states.by_name:
            continue
        order.append(name)
        waiting += [way.target for way in ways if way.source == name]
    return order + [name for name in states.by_name if name not in order]


def _ranks(order: Sequence[str], ways: Sequence[Arrow]) -> dict[str, int]:
    """How far down each is: below all that lead to it, but for ways back."""
    place = {name: number for number, name in enumerate(order)}
    ranks = dict.fromkeys(order, 0)
    for name in order:
        for way in ways:
            if way.source == name and way.target in place and place[way.target] > place[name]:
                ranks[way.target] = max(ranks[way.target], ranks[name] + 1)
    return ranks
