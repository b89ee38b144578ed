"""When schedules are due, and how their times are shown, as Temporal's own server (1.29.1) has answered for the same specs.

``recorded/schedule_times.json`` has specs made by chance: what ``DescribeSchedule`` made of each, and what
``ListScheduleMatchingTimes`` gave for stretches around changes of clocks, months and years.
"""

import json
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.schedule.v1 import message_pb2 as pb

from perdure.model.requests import StartWorkflow
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.schedule_times import schedule_spec, timing_options
from perdure.sdk.schedules.asking import changed
from perdure.sdk.schedules.definition import Definition
from perdure.sdk.schedules.times import Spec, times, to_datetime, to_ns
from perdure.sdk.schedules.translated import translated

RECORDED = json.loads((Path(__file__).parent / "recorded" / "schedule_times.json").read_text())
MOST = 24


def our_spec(given: dict[str, Any]) -> Spec:
    options = translated(timing_options(ParseDict(given, pb.ScheduleSpec())))
    bare = Definition("default", "s", Spec(), StartWorkflow("w", "W"))
    return changed(bare, options, is_new=True).spec


def plain(shown: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing: the step of a single number, and that UTC is UTC."""
    for calendar in [*shown.get("structuredCalendar", []), *shown.get("excludeStructuredCalendar", [])]:
        for ranges in calendar.values():
            for one in ranges if isinstance(ranges, list) else ():
                if one.get("start", 0) == one.get("end", 0):
                    one["step"] = 1
    if shown.get("timezoneName") == "UTC":
        del shown["timezoneName"]
    return shown


@pytest.mark.parametrize("row", RECORDED, ids=[str(place) for place in range(len(RECORDED))])
def test_times_are_temporal_s(row: dict[str, Any]) -> None:
    if "refused" in row:
        with pytest.raises(Refused) as caught:
            our_spec(row["spec"])
        assert caught.value.message == row["refused"]
        return
    spec = our_spec(row["spec"])
    assert plain(MessageToDict(schedule_spec(spec))) == plain(row["described"])
    assert our_spec(MessageToDict(schedule_spec(spec))) == spec
    for stretch, expected in row["times"].items():
        start, end = (to_ns(datetime.fromisoformat(each).replace(tzinfo=UTC)) for each in stretch.split("/"))
        found = takewhile(end.__ge__, times(spec, start))
        assert [to_datetime(nominal).replace(tzinfo=None).isoformat() for nominal in islice(found, MOST)] == expected


def test_a_schedule_that_excludes_everything_is_never_due() -> None:
    everything = {"second": "0-59", "minute": "0-59", "hour": "0-23"}
    for excluded in (everything, {**everything, "hour": "7"}):
        spec = our_spec({"interval": [{"interval": "86400s", "phase": "25200s"}], "excludeCalendar": [excluded]})
        assert next(times(spec, to_ns(datetime(2026, 1, 1, tzinfo=UTC))), None) is None
