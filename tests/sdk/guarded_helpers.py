"""A module of helpers, some of which ask the clock."""

from datetime import date, datetime


def today() -> date:
    return _today()


def _today() -> date:
    return date.today()


def never_asks_the_clock(at: datetime | None = None) -> datetime:
    return at or datetime.now()
