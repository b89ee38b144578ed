"""A newsletter goes to a long list of people, and each of them must get it once.

One workflow with a step for everybody would have a history without end. Here each person is a child workflow with a
history and retries of its own, and the parent goes on as a new run after every batch, so no history grows with the
list.
"""

import asyncio

import perdure
from perdure import App, Retry, workflow

app = App("newsletter")

BATCH = 20
delivered: list[str] = []


@app.activity(retry=Retry(initial=0.05))
async def mail(person: str) -> None:
    delivered.append(person)


@app.workflow
async def deliver(person: str) -> None:
    await mail(person)


@app.workflow
async def newsletter(people: list[str], done: int = 0) -> int:
    batch, rest = people[:BATCH], people[BATCH:]
    async with asyncio.TaskGroup() as group:
        for person in batch:
            group.create_task(deliver.options(id=f"newsletter-to-{person}")(person))
    workflow.progress(done + len(batch), done + len(people), "people")
    if rest:
        workflow.continue_as_new(rest, done + len(batch))
    return done + len(batch)


async def main() -> tuple[int, int]:
    people = [f"person-{number:02}" for number in range(50)]
    async with perdure.open(app, store="sqlite:///newsletter.db") as client:
        done = await client.execute(newsletter, people)
        runs = [run async for run in client.list(workflow_type=newsletter)]
    return done, len(runs)


if __name__ == "__main__":
    done, runs = asyncio.run(main())
    print(f"{done} people in {runs} runs")
