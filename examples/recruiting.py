"""Somebody applies, several people interview them, and each of these finds the time some day, or forgets.

Candidates wait for weeks because one answer is missing and nobody sees whose. Here each interview is a workflow of its
own that asks, reminds and in the end gives up; the application waits for all of them, decides, makes an offer, and can
be withdrawn at any time.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from perdure import App, testing, workflow

app = App("recruiting")

REMIND_AFTER, GIVE_UP_AFTER, OFFER_LASTS = timedelta(days=2), timedelta(days=6), timedelta(days=7)


@dataclass(frozen=True)
class Score:
    points: int
    note: str = ""


@app.activity
async def mail(to: str, text: str) -> None:
    print(f"to {to}: {text}")


@app.workflow
class Interview:
    def __init__(self) -> None:
        self.score: Score | None = None

    async def run(self, candidate: str, interviewer: str) -> Score | None:
        await mail(interviewer, f"please talk to {candidate}")
        began = workflow.now()
        while workflow.now() - began < GIVE_UP_AFTER:
            try:
                await workflow.wait_condition(lambda: self.score, timeout=REMIND_AFTER)
                return self.score
            except TimeoutError:
                await mail(interviewer, f"{candidate} still waits for you")
        return None

    @workflow.update
    def hand_in(self, score: Score) -> str:
        self.score = score
        return "thank you"

    @hand_in.validator
    def _can_be(self, score: Score) -> None:
        if not 1 <= score.points <= 5:
            raise ValueError(f"points go from 1 to 5, not to {score.points}")


@app.workflow
class Application:
    def __init__(self) -> None:
        self.answer: bool | None = None

    async def run(self, candidate: str, interviewers: list[str]) -> Literal["hired", "declined", "rejected"]:
        try:
            return await self.decide(candidate, interviewers)
        except asyncio.CancelledError:
            # The interviews, its children, were cancelled with it.
            await mail(candidate, "a pity, good luck")
            raise

    async def decide(self, candidate: str, interviewers: list[str]) -> Literal["hired", "declined", "rejected"]:
        async def interview(by: str) -> Score | None:
            return await (await workflow.start_child(Interview, candidate, by, id=interview_id(candidate, by)))

        scores = [score async for score in workflow.map(interview, interviewers) if score is not None]
        if len(scores) < 2 or sum(score.points for score in scores) / len(scores) < 3.5:
            await mail(candidate, "not this time")
            return "rejected"
        await mail(candidate, "we would like to have you")
        try:
            await workflow.wait_condition(lambda: self.answer is not None, timeout=OFFER_LASTS)
        except TimeoutError:
            await mail(candidate, "our offer has expired")
        return "hired" if self.answer else "declined"

    @workflow.signal
    def reply(self, accepted: bool) -> None:
        self.answer = accepted


def interview_id(candidate: str, interviewer: str) -> str:
    return f"interview-{candidate}-{interviewer}"


async def main() -> str:
    # The clock of tests, which skips what nobody needs to wait for; with perdure.open the weeks are weeks.
    async with testing.environment(app) as env:
        application = await env.client.start(Application, "ada", ["kim", "lee", "sam"])
        await env.sleep(timedelta(days=1))
        for interviewer, points in (("kim", 5), ("sam", 4)):
            interview = env.client.get(interview_id("ada", interviewer))
            await interview.update(Interview.hand_in, Score(points))
        await env.sleep(timedelta(days=6))  # lee never answers
        await application.signal(Application.reply, True)
        end = await application.result()
        print(f"after {env.elapsed.days} days")
        return end


if __name__ == "__main__":
    print(asyncio.run(main()))
