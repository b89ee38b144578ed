"""What the tests of the commands that change something are done to."""

import asyncio

import perdure
from perdure import App, ApplicationError, workflow

app = App("flows")


@app.activity
async def double(value: int) -> int:
    return 2 * value


@app.workflow
async def echo(value: object = None) -> object:
    return value


@app.workflow
async def doubled(value: int) -> int:
    return await double(value)


@app.workflow
async def refused(reason: str) -> None:
    raise ApplicationError(reason)


@app.workflow
class Loan:
    def __init__(self) -> None:
        self.documents: list[str] = []
        self.decision: str | None = None

    @workflow.signal
    def decide(self, decision: str) -> None:
        self.decision = decision

    @workflow.query
    def status(self) -> dict[str, object]:
        return {"documents": self.documents, "decision": self.decision}

    @workflow.update
    def add_document(self, name: str) -> int:
        if not name:
            raise ApplicationError("a document has a name")
        self.documents.append(name)
        return len(self.documents)

    async def run(self, cents: int = 0) -> str:
        await workflow.wait_condition(lambda: self.decision is not None)
        return f"{self.decision} {cents}"


@app.workflow
async def forever() -> None:
    workflow.progress(1, 4, "waiting")
    await asyncio.Event().wait()


__all__ = ["app", "perdure"]
