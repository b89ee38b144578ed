"""Schedules for those who speak another protocol: arguments are payloads already, and calendars are mappings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from perdure.model.payloads import Payload
from perdure.model.requests import StartWorkflow
from perdure.model.service import Service
from perdure.sdk.converter import Converter
from perdure.sdk.schedules import asking
from perdure.sdk.schedules.asking import Every
from perdure.sdk.schedules.calendars import Calendar
from perdure.sdk.schedules.client import ScheduleHandle, Schedules
from perdure.sdk.schedules.definition import Command
from perdure.sdk.starting import Target


class _AsGiven(Converter):
    """Leaves payloads as they are."""

    def to_payload(self, value: Any) -> Payload:
        return value if isinstance(value, Payload) else super().to_payload(value)


_converter = _AsGiven()


class TranslatedSchedules:
    """As ``client.schedules``; ``every`` and ``calendar`` are structs with the fields of ``perdure.Every`` (with
    ``..._seconds``) and ``perdure.Calendar``."""

    def __init__(self, service: Service, namespace: str, identity: str) -> None:
        self._schedules = Schedules(service, namespace, identity, lambda name: Target(name, None, None, _converter))
        self.list = self._schedules.list

    async def create(self, id: str, workflow: str, /, *args: Payload, **options: Any) -> "TranslatedSchedule":
        """As ``Schedules.create``."""
        return TranslatedSchedule(await self._schedules.create(id, workflow, *args, **translated(options)))

    async def create_for(
        self,
        id: str,
        start: StartWorkflow,
        *,
        triggers: Sequence[tuple[str | None, datetime | None]] = (),
        backfills: Sequence[tuple[datetime, datetime, str]] = (),
        **options: Any,
    ) -> "TranslatedSchedule":
        """As ``Schedules.create_for``; ``triggers`` are overlap policies and times, ``backfills`` have start, end and
        overlap policy."""
        told: list[Command] = [asking.trigger(str(place), overlap, at) for place, (overlap, at) in enumerate(triggers)]
        told += [asking.backfill(str(place), *backfill) for place, backfill in enumerate(backfills)]
        return TranslatedSchedule(await self._schedules.create_for(id, start, told=told, **translated(options)))

    def get(self, id: str) -> "TranslatedSchedule":
        """As ``Schedules.get``."""
        return TranslatedSchedule(self._schedules.get(id))


class TranslatedSchedule:
    """As ``ScheduleHandle``."""

    def __init__(self, handle: ScheduleHandle) -> None:
        self._handle = handle
        self.describe = handle.describe
        self.pause = handle.pause
        self.resume = handle.resume
        self.trigger = handle.trigger
        self.backfill = handle.backfill
        self.delete = handle.delete
        self.times = handle.times

    async def replace(self, start: StartWorkflow, **options: Any) -> bool:
        """As ``ScheduleHandle.replace``."""
        return await self._handle.replace(start, **translated(options))

    async def update(self, **options: Any) -> None:
        """As ``ScheduleHandle.update``."""
        await self._handle.update(**translated(options))


def translated(options: dict[str, Any]) -> dict[str, Any]:
    """Options with structs of the same fields, as options with the public types."""
    if "every" in options:
        options["every"] = [Every(one.every_seconds, one.offset_seconds) for one in options["every"]]
    for name in ("calendar", "exclude"):
        if name in options:
            options[name] = [Calendar(**msgspec.structs.asdict(one)) for one in options[name]]
    return options
