"""Cron schedules of workflows. The waits are those that Temporal's server (1.29.1) answered, at the same time."""

from datetime import UTC, datetime

import pytest

from perdure.model.cron import NEVER, delay_ns, problem

SECOND_NS = 1_000_000_000
ASKED = datetime(2026, 11, 21, 22, 46, 52, 846813, UTC)


def wait(schedule: str, since: datetime = ASKED, now: datetime = ASKED) -> int:
    """In seconds."""
    found = delay_ns(schedule, int(since.timestamp() * 1e6) * 1000, int(now.timestamp() * 1e6) * 1000)
    return found if found == NEVER else found // SECOND_NS


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("CRON_TZ=Europe/Berlin 0 12 * * *", 12 * 3600 + 13 * 60 + 8),
        ("@hourly", 13 * 60 + 8),
        ("@every 500ms", 1),
        ("0 12 * * MON-FRI", 37 * 3600 + 13 * 60 + 8),
        ("TZ=Asia/Tokyo 5 4 1 1 ?", 39 * 86400 + 20 * 3600 + 18 * 60 + 8),
        ("@every 1h30m", 5400),
    ],
)
def test_a_run_waits_as_long_as_on_temporal(schedule: str, seconds: int) -> None:
    assert not problem(schedule)
    assert wait(schedule) == seconds


@pytest.mark.parametrize(
    "schedule",
    [
        "bogus",
        "",
        "* * *",
        "CRON_TZ=Nowhere * * * * *",
        "@every",
        "@every -5s",
        "@reboot",
        "60 * * * *",
        "* * * * * *",
        "0 12 * * 7",
        "0 0 L * *",
        "0 0 30 2 *",
        "\0",
        "é",
    ],
)
def test_what_temporal_refuses_is_refused(schedule: str) -> None:
    assert problem(schedule).startswith("invalid CronSchedule")
    assert wait(schedule) == NEVER


def test_times_that_passed_while_a_run_went_on_are_left_out() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    assert wait("@every 10s", began, datetime(2026, 1, 1, 0, 0, 4, tzinfo=UTC)) == 6
    assert wait("@every 10s", began, datetime(2026, 1, 1, 0, 0, 25, tzinfo=UTC)) == 5
    assert wait("@every 10s", began, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)) == 0
    assert wait("0 * * * *", began, datetime(2026, 1, 1, 2, 59, 59, tzinfo=UTC)) == 1
