"""A rider wants a car now; phones of riders and drivers send events, late, in any order, or not at all.

Services that each react to some events agree only by luck on where a ride stands, and nobody sees a ride whose driver
fell silent. Here a ride is one function that takes its events one after another: it offers itself to the nearest
driver, waits fifteen seconds, turns to the next, follows the car and charges for the way.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import perdure
from perdure import App, workflow

app = App("rides")

PATIENCE = timedelta(seconds=15)
CENTS_AT_START, CENTS_PER_KM = 3_00, 1_80


@dataclass(frozen=True)
class Event:
    """What a phone says."""

    kind: Literal["accepted", "declined", "picked up", "moved", "dropped off", "cancelled"]
    driver: str = ""
    km: float = 0.0


@dataclass(frozen=True)
class Receipt:
    driver: str
    km: float
    cents: int


@app.activity
async def nearest_drivers(place: str) -> list[str]:
    return ["kim", "lee", "sam"]


@app.activity
async def tell(who: str, text: str) -> None:
    print(f"to {who}: {text}")


@app.activity
async def charge(rider: str, cents: int) -> None:
    print(f"{rider} pays {cents / 100:.2f}")


@app.workflow
async def ride(rider: str, place: str) -> Receipt | None:
    driver = await find_driver(rider, place)
    if driver is None:
        await tell(rider, "no car today")
        return None
    km = 0.0
    while True:
        event = await workflow.receive("event", Event)
        match event.kind:
            case "moved" if event.driver == driver:
                km += event.km
            case "dropped off" if event.driver == driver:
                cents = CENTS_AT_START + round(CENTS_PER_KM * km)
                await charge(rider, cents)
                return Receipt(driver, round(km, 1), cents)
            case "cancelled":
                await asyncio.gather(tell(driver, "the ride is cancelled"), charge(rider, CENTS_AT_START))
                return None
            case "accepted":
                await tell(event.driver, "somebody else was faster")
            case _:
                pass  # news of no consequence


async def find_driver(rider: str, place: str) -> str | None:
    """Part of the workflow: offers the ride to one driver after another."""
    for driver in await nearest_drivers(place):
        await tell(driver, f"{rider} waits at {place}")
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while True:
                    event = await workflow.receive("event", Event)
                    if event.kind == "cancelled":
                        return None
                    if event.kind == "accepted" and event.driver == driver:
                        await tell(rider, f"{driver} is on the way")
                        return driver
                    if event.kind == "declined" and event.driver == driver:
                        break
        except TimeoutError:
            await tell(driver, "the ride is gone")
    return None


async def main() -> Receipt | None:
    async with perdure.open(app, store="sqlite:///rides.db") as client:
        run = await client.start(ride, "ada", "the station")
        for event in (
            Event("declined", "kim"),
            Event("accepted", "lee"),
            Event("accepted", "kim"),  # changed his mind, too late
            Event("picked up", "lee"),
            *(Event("moved", "lee", km=0.7) for _ in range(6)),
            Event("dropped off", "lee"),
        ):
            await run.signal("event", event)
        return await run.result()


if __name__ == "__main__":
    print(asyncio.run(main()))
