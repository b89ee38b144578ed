"""The end of the demo: what was promised, and what the ledger says about it."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perdure.demo.judge import Promise, Standing, Verdict

OFFENCES_SHOWN = 20


def print_report(console: Console, verdict: Verdict, *, store: str, seconds: float) -> None:
    """Each promise with the number that shows it, then all that must not be.

    Args:
        console: where to.
        verdict: what the judge found.
        store: what the store's verifier said.
        seconds: how long the demo took.
    """
    evidence = _evidence(verdict, store)
    broken = {offence.promise for offence in verdict.offences}
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column()
    table.add_column(no_wrap=True)
    for promise in Promise:
        mark = Text("NO", style="bold red") if promise in broken else Text("yes", style="bold green")
        table.add_row(mark, promise, evidence[promise])
    console.print("\n[bold]What the service's own ledger says[/]", highlight=False)
    console.print(table)
    for cause, count in verdict.causes.most_common():
        console.print(f"  {count:4} undone because {cause}", highlight=False)
    console.print(
        f"  {verdict.runs_per_second:4.1f} runs per second, kills and slow service included; "
        f"{verdict.requests:,} requests, of which {verdict.faults:,} went wrong; {seconds:.0f} s in all",
        highlight=False,
        soft_wrap=True,
    )
    for offence in verdict.offences[:OFFENCES_SHOWN]:
        console.print(Text(f"  {offence}", style="red"), soft_wrap=True)
    if len(verdict.offences) > OFFENCES_SHOWN:
        console.print(f"  ... and {len(verdict.offences) - OFFENCES_SHOWN} more")


def _evidence(verdict: Verdict, store: str) -> dict[Promise, str]:
    fulfilled, undone = verdict.standings[Standing.FULFILLED], verdict.standings[Standing.UNDONE]
    resumed = ", ".join(f"{seconds:.2f}" for seconds in verdict.resumed_seconds if seconds is not None)
    counts = {promise: sum(offence.promise is promise for offence in verdict.offences) for promise in Promise}
    return {
        Promise.SETTLED: f"{fulfilled} fulfilled + {undone} undone, of {verdict.standings.total()}",
        Promise.CHARGED_ONCE: f"{verdict.charged} charges, {counts[Promise.CHARGED_ONCE]} twice",
        Promise.NOT_HELD: f"{verdict.reserved} reservations, {counts[Promise.NOT_HELD]} left",
        Promise.AT_MOST_ONCE: f"{verdict.invoices} invoices, {counts[Promise.AT_MOST_ONCE]} twice",
        Promise.RESUMED: f"{len(verdict.resumed_seconds)} kills" + (f"; resumed in {resumed} s" if resumed else ""),
        Promise.ADDS_UP: f"{counts[Promise.ADDS_UP]} differences",
        Promise.SOUND: store,
    }
