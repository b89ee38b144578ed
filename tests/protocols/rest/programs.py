"""The workflows that the tests talk to."""

import asyncio
from typing import Any

import perdure
from perdure import workflow

app = perdure.App("rest-tests")
outside = perdure.App("outside", task_queue="shell")


@outside.activity(
    task_queue="shell", start_to_close=60, heartbeat=30, cancellation="wait", retry=perdure.Retry(initial=0.01)
)
async def charge(order: dict[str, Any]) -> Any:
    """Nobody serves it here: its worker speaks REST."""
    raise NotImplementedError


@app.activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@app.workflow
async def hello(name: str) -> str:
    return await greet(name)


@app.workflow
async def asks_outside(order: dict[str, Any]) -> Any:
    """Its activities are done by whoever polls."""
    return await charge(order)


@app.workflow
async def echo(*values: Any) -> Any:
    return values[0] if len(values) == 1 else list(values)


@app.workflow
async def sleeper(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


@app.workflow
async def fails(message: str) -> None:
    raise perdure.ApplicationError(message, {"amount": 3}, type="NoFunds")


@app.workflow
async def counting(upto: int) -> int:
    for number in range(upto):
        workflow.progress(number + 1, upto, "counting")
        await asyncio.sleep(0.01)
    return upto


@app.workflow
class Account:
    """Money that is put in and taken out."""

    def __init__(self) -> None:
        self.balance = 0
        self.closed = False

    async def run(self, balance: int = 0) -> int:
        self.balance += balance
        await workflow.wait_condition(lambda: self.closed)
        return self.balance

    @workflow.signal
    def deposit(self, amount: int) -> None:
        self.balance += amount

    @workflow.signal
    def close(self) -> None:
        self.closed = True

    @workflow.query
    def look(self) -> int:
        return self.balance

    @workflow.update
    async def withdraw(self, amount: int) -> int:
        if amount > self.balance:
            raise perdure.ApplicationError("no funds", type="NoFunds")
        self.balance -= amount
        return self.balance

    @withdraw.validator
    def _check(self, amount: int) -> None:
        if amount < 0:
            raise ValueError("an amount is not negative")
