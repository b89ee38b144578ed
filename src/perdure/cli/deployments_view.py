"""Deployments of workers as tables, from what REST tells of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from perdure.cli.output import Column, Output
from perdure.cli.times import TimeStyle
from perdure.cli.values import visible

UNVERSIONED = "(no version)"


def print_deployments(output: Output, found: Sequence[Mapping[str, Any]]) -> None:
    """One line for each."""
    columns = [
        Column("DEPLOYMENT", flexible=True),
        Column("VERSIONS"),
        Column("CURRENT", flexible=True),
        Column("RAMPING", flexible=True),
    ]
    output.table(
        columns,
        [
            [visible(each["name"]), str(len(each["versions"])), _build(each["current"]), _ramping(each)]
            for each in found
        ],
    )


def print_deployment(output: Output, style: TimeStyle, found: Mapping[str, Any]) -> None:
    """All about one."""
    output.line(visible(found["name"]))
    output.fields(
        [
            ("created", _time(style, found["created"])),
            ("current", _build(found["current"])),
            ("ramping", _ramping(found)),
            ("changed by", visible(found["modified_by"])),
        ]
    )
    if not found["versions"]:
        return
    output.heading("Versions")
    columns = [
        Column("BUILD", flexible=True),
        Column("STATE"),
        Column("SINCE"),
        Column("WORKFLOWS OF", flexible=True),
        Column("ACTIVITIES OF", flexible=True),
    ]
    output.table(
        columns,
        [
            [
                visible(version["build_id"]),
                "current" if version["is_current"] else "ramping" if version["is_ramping"] else "",
                _time(style, version["current_since"] if version["is_current"] else version["ramping_since"]),
                ", ".join(map(visible, version["workflow_queues"])),
                ", ".join(map(visible, version["activity_queues"])),
            ]
            for version in found["versions"]
        ],
    )


def _build(build_id: str) -> str:
    return visible(build_id) if build_id else UNVERSIONED


def _ramping(found: Mapping[str, Any]) -> str:
    share = found["percentage"]
    return "" if share is None else f"{_build(found['ramping'])}, {share:g} %"


def _time(style: TimeStyle, text: str | None) -> str:
    if text is None:
        return ""
    return style.moment(int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000)
