"""Schedules: workflows started by the clock.

A schedule is a run itself, of the workflow ``perdure.schedule`` in the namespace ``perdure.system``. So its timers, its
recovery after a crash and the record of all it did are the engine's. ``definition`` says what a schedule is, ``times``
when it is due, ``program`` is the workflow, ``firing`` starts the runs, ``client`` is what users call.
"""

from perdure.sdk.schedules.asking import Every, ScheduleOptions
from perdure.sdk.schedules.calendars import Calendar
from perdure.sdk.schedules.client import ScheduleHandle, Schedules
from perdure.sdk.schedules.descriptions import ScheduleDescription, ScheduledRun, ScheduleInfo
from perdure.sdk.schedules.program import schedule_app

__all__ = [
    "Calendar",
    "Every",
    "ScheduleDescription",
    "ScheduleHandle",
    "ScheduleInfo",
    "ScheduleOptions",
    "ScheduledRun",
    "Schedules",
    "schedule_app",
]
