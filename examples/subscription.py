"""A subscription begins with a trial, renews each month, and must cope with cards that stop working.

Nightly jobs that look for whom to charge today charge twice or forget somebody as soon as one of them fails half-way,
and the rules hide in their SQL. Here each subscription is a state machine that lives for years: what may happen in which
state stands in one table, which can be drawn, and a month is a timer.
"""

import asyncio
from datetime import timedelta

from perdure import ActivityError, App, ApplicationError, activity, testing, workflow

app = App("subscriptions")

TRIAL, MONTH, PATIENCE = timedelta(days=14), timedelta(days=30), timedelta(days=3)


class Cards:
    """Stands for a bank, which knows a charge by its key."""

    def __init__(self) -> None:
        self.works = {"ada": True, "bob": True, "eve": False}
        self.taken: dict[str, tuple[str, int]] = {}


cards = Cards()


@app.activity
async def charge(customer: str, cents: int) -> None:
    if not cards.works[customer]:
        raise ApplicationError("the card was declined", non_retryable=True)
    cards.taken[activity.info().idempotency_key] = (customer, cents)


@app.activity
async def mail(customer: str, text: str) -> None:
    print(f"to {customer}: {text}")


def is_paid(subscription: "Subscription") -> bool:
    return subscription.failures == 0


def may_try_again(subscription: "Subscription") -> bool:
    return subscription.failures < 3


Way = workflow.Transition

LIFE = workflow.StateMachine(
    "trial",
    [
        Way("trial", "charging", after=TRIAL),
        Way("trial", "ended", signal="cancel"),
        Way("charging", "active", guard=is_paid),
        Way("charging", "past due"),
        Way("active", "charging", after=MONTH),
        Way("active", "ended", signal="cancel"),
        Way("past due", "charging", update="renew_card"),
        Way("past due", "charging", after=PATIENCE, guard=may_try_again),
        Way("past due", "ended", after=PATIENCE),
        Way("past due", "ended", signal="cancel"),
    ],
    final=["ended"],
)


@app.workflow
class Subscription:
    def __init__(self) -> None:
        self.failures = 0
        self.months = 0
        self.life = LIFE.walk(self)

    async def run(self, customer: str, cents: int) -> int:
        """Answers with the months that were paid."""
        async for state in self.life:
            match state:
                case "charging":
                    await self.charge(customer, cents)
                case "past due":
                    await mail(customer, "your card was declined, please give us another one")
                case "ended":
                    await mail(customer, f"thank you for {self.months} months")
                case _:
                    pass  # nothing to do but to wait
        return self.months

    async def charge(self, customer: str, cents: int) -> None:
        try:
            await charge(customer, cents)
        except ActivityError:
            self.failures += 1
        else:
            self.failures = 0
            self.months += 1

    @workflow.query
    def state(self) -> str:
        return self.life.state


async def main() -> dict[str, int]:
    # The clock of tests, which skips what nobody needs to wait for; with perdure.open the months are months.
    async with testing.environment(app) as env:
        runs = {name: await env.client.start(Subscription, name, 9_90) for name in cards.works}
        await env.sleep(TRIAL + 2 * MONTH + timedelta(days=1))
        cards.works["bob"] = False
        await env.sleep(MONTH)
        print(f"bob is {await runs['bob'].query(Subscription.state)}")
        cards.works["bob"] = True
        await runs["bob"].update("renew_card")
        await env.sleep(timedelta(days=365))
        for name in ("ada", "bob"):
            await runs[name].signal("cancel")
        return {name: await run.result() for name, run in runs.items()}


if __name__ == "__main__":
    print(asyncio.run(main()))
    print(LIFE.draw())
