"""A loan waits for papers, for a credit check and for an officer's word, which may take days or never come.

Such a case is usually rows in a table that a web page, a job for reminders and a job for deadlines change behind each
other's backs. Here it is one object that lives as long as the case: papers arrive as updates, the decision as a signal,
a page asks by query, and whoever is silent is reminded every three days until the case is closed.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import perdure
from perdure import App, workflow

app = App("loans")

NEEDED = {"passport", "payslip"}


@dataclass(frozen=True)
class Application:
    applicant: str
    euros: int


@dataclass(frozen=True)
class Decision:
    officer: str
    approved: bool


@app.activity
async def credit_score(applicant: str) -> int:
    return 300 if applicant == "eve" else 720


@app.activity
async def remind(who: str, applicant: str) -> None:
    print(f"to {who}: the loan for {applicant} waits for you")


@app.activity
async def pay_out(application: Application) -> None:
    print(f"{application.euros} euros to {application.applicant}")


@app.workflow
class Loan:
    def __init__(self) -> None:
        self.papers: set[str] = set()
        self.decision: Decision | None = None

    async def run(self, application: Application) -> Literal["paid out", "declined", "expired"]:
        if await credit_score(application.applicant) < 500:
            return "declined"
        for _ in range(3):
            try:
                await workflow.wait_condition(lambda: not self.missing and self.decision, timeout=timedelta(days=3))
                break
            except TimeoutError:
                await remind("the officers" if not self.missing else application.applicant, application.applicant)
        else:
            return "expired"
        if self.decision is None or not self.decision.approved:
            return "declined"
        await pay_out(application)
        return "paid out"

    @property
    def missing(self) -> list[str]:
        return sorted(NEEDED - self.papers)

    @workflow.update
    async def add(self, paper: str) -> list[str]:
        """Answers with what is still missing."""
        self.papers.add(paper)
        return self.missing

    @add.validator
    def _is_wanted(self, paper: str) -> None:
        if paper not in self.missing:
            raise ValueError(f"a {paper} is not needed, or is there already")

    @workflow.signal
    def decide(self, decision: Decision) -> None:
        self.decision = decision

    @workflow.query
    def status(self) -> str:
        return f"missing: {', '.join(self.missing) or 'nothing'}; {'decided' if self.decision else 'open'}"


async def main() -> list[str]:
    said = []
    async with perdure.open(app, store="sqlite:///loans.db") as client:
        loan = await client.start(Loan, Application("ada", 25_000))
        said.append(await loan.query(Loan.status))
        await loan.update(Loan.add, "passport")
        try:
            await loan.update(Loan.add, "love letter")
        except perdure.UpdateFailedError as error:
            said.append(str(error.cause))
        await loan.update(Loan.add, "payslip")
        said.append(await loan.query(Loan.status))
        await loan.signal(Loan.decide, Decision("officer-3", True))
        said.append(await loan.result())
        said.append(await client.execute(Loan, Application("eve", 100)))
    return said


if __name__ == "__main__":
    print("\n".join(asyncio.run(main())))
