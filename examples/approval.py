"""An expense claim waits for its receipts and for somebody's word, perhaps for days.

Its state would otherwise be rows in a table that several jobs and pages have to keep right. Here it is an object that
lives as long as the claim: signals and updates change it, queries look at it, and after a week it gives up by itself.
"""

import asyncio
from datetime import timedelta
from typing import Literal

import perdure
from perdure import App, workflow

app = App("approval")


@app.activity
async def pay(employee: str, cents: int) -> None:
    print(f"{cents / 100:.2f} to {employee}")


@app.workflow
class Claim:
    def __init__(self) -> None:
        self.receipts: dict[str, int] = {}
        self.approved: bool | None = None

    async def run(self, employee: str) -> Literal["paid", "refused", "expired"]:
        try:
            await workflow.wait_condition(lambda: self.approved is not None, timeout=timedelta(days=7))
        except TimeoutError:
            return "expired"
        if not self.approved:
            return "refused"
        await pay(employee, sum(self.receipts.values()))
        return "paid"

    @workflow.update
    async def add_receipt(self, name: str, cents: int) -> int:
        """Answers with the sum so far."""
        self.receipts[name] = cents
        return sum(self.receipts.values())

    @add_receipt.validator
    def _check_receipt(self, name: str, cents: int) -> None:
        if name in self.receipts:
            raise ValueError(f"{name} is claimed already")

    @workflow.signal
    def decide(self, approved: bool) -> None:
        self.approved = approved

    @workflow.query
    def status(self) -> str:
        return f"{len(self.receipts)} receipts, {'open' if self.approved is None else 'decided'}"


async def main() -> list[str]:
    async with perdure.open(app, store="sqlite:///approval.db") as client:
        claim = await client.start(Claim, "ada", id="claim-1")
        said = [str(await claim.update(Claim.add_receipt, "taxi", 23_50))]
        try:
            await claim.update(Claim.add_receipt, "taxi", 23_50)
        except perdure.UpdateFailedError as error:
            said.append(str(error.cause))
        said.append(await claim.query(Claim.status))
        await claim.signal(Claim.decide, True)
        return [*said, await claim.result()]


if __name__ == "__main__":
    print(asyncio.run(main()))
