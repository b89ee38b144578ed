"""People are reminded of an appointment a week, a day and an hour before it.

A program that sleeps for a week will be restarted meanwhile, and a table of reminders needs somebody to poll it. Here
the wait is one line: a timer that is kept in the store, costs nothing while it waits, and goes off at its time whatever
was restarted.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import perdure
from perdure import App, workflow

app = App("reminder")


@dataclass(frozen=True)
class Appointment:
    who: str
    when: datetime
    leads: list[timedelta]  # how long before it to remind


@app.activity
async def send(who: str, text: str) -> None:
    print(f"to {who}: {text}")


@app.workflow
async def remind(appointment: Appointment) -> int:
    sent = 0
    for lead in sorted(appointment.leads, reverse=True):
        wait = appointment.when - lead - workflow.now()
        if wait < timedelta(0):
            continue  # booked too late for this one
        await workflow.sleep(wait)
        await send(appointment.who, f"your appointment is in {lead}")
        sent += 1
    return sent


async def main() -> int:
    # An appointment so soon that the example ends; its test waits the whole week, on a clock that skips.
    soon = Appointment("ada", datetime.now(UTC) + timedelta(seconds=2), [timedelta(days=1), timedelta(seconds=1)])
    async with perdure.open(app, store="sqlite:///reminder.db") as client:
        return await client.execute(remind, soon)


if __name__ == "__main__":
    print(asyncio.run(main()), "sent")
