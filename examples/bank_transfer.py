"""Money leaves one account and must arrive in another, at a bank that fails now and then.

A call that failed may have been booked all the same, so to try again may pay twice and not to try again may lose money.
Here calls are tried again, slower each time, under a key by which the bank knows them; and when the target account
turns out to be closed, the money goes back.
"""

import asyncio
from dataclasses import dataclass

import perdure
from perdure import ActivityError, App, Retry, activity, workflow

app = App("transfer")


class AccountClosedError(Exception):
    pass


@dataclass(frozen=True)
class Transfer:
    source: str
    target: str
    cents: int


class Bank:
    """Stands for a real bank: it fails every other call, and knows by its key which call it has heard before."""

    def __init__(self) -> None:
        self.balances = {"ada": 100_00, "bob": 20_00}
        self.seen: set[str] = set()
        self.calls = 0

    def book(self, account: str, cents: int, key: str) -> None:
        self.calls += 1
        if account not in self.balances:
            raise AccountClosedError(f"{account} has no account here")
        if key not in self.seen:
            self.seen.add(key)
            self.balances[account] += cents
        if self.calls % 2:
            raise ConnectionError("the line went dead, and nobody knows whether the booking was made")


bank = Bank()


# 0.05 s, 0.1 s, 0.2 s ... up to a minute between two attempts, for as long as it takes; but nothing opens a closed account.
@app.activity(retry=Retry(initial=0.05, backoff=2.0, maximum=60, non_retryable=(AccountClosedError,)))
def book(account: str, cents: int) -> None:
    bank.book(account, cents, activity.info().idempotency_key)


@app.workflow
async def transfer(order: Transfer) -> str:
    try:
        async with workflow.saga() as saga:
            await book(order.source, -order.cents)
            saga.compensate(book, order.source, order.cents)
            await book(order.target, order.cents)
    except ActivityError as error:
        return f"returned: {error.cause}"
    return "transferred"


async def main() -> dict[str, str]:
    async with perdure.open(app, store="sqlite:///transfer.db") as client:
        return {
            target: await client.execute(transfer, Transfer("ada", target, 30_00), id=f"ada-to-{target}")
            for target in ("bob", "eve")
        }


if __name__ == "__main__":
    print(asyncio.run(main()))
    print(f"{bank.balances} after {bank.calls} calls")
