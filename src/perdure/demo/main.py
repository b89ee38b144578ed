"""The demo's own process: it starts the service and the engine, kills the engine, shows the progress, and asks the
judge.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from perdure import InvalidArgumentError
from perdure.demo.judge import Kill, Offence, Promise, Standing, judge
from perdure.demo.ledger import Books, read_books
from perdure.demo.processes import Child
from perdure.demo.report import print_report
from perdure.demo.scenario import Order, draw_kill_marks, draw_orders
from perdure.demo.stages import EmbeddedStage, ServerStage
from perdure.demo.view import Snapshot, choose_view, take_snapshot

SECONDS_BETWEEN_LOOKS = 0.2
START_SECONDS = 20.0
VERIFY_SECONDS = 60.0
LEAST_DEADLINE_SECONDS = 240.0
DEADLINE_SECONDS_PER_ORDER = 0.8
MOST_AT_ONCE = 28

INTERRUPTED = 130

SERVICE = "perdure.demo.service"


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def run(*, orders: int, kills: int, seed: int, keep: Path | None, plain: bool, server: bool = False) -> int:
    """Play the whole demo.

    Args:
        orders: how many are placed.
        kills: how often the engine is killed, or with ``server``, the server and its workers in turn.
        seed: from which orders, faults and kills are drawn.
        keep: a folder for the ledger, the engine's store and the logs; None for a temporary one that is removed.
        plain: print lines instead of the live view.
        server: engine, workers and client are processes of their own.

    Returns:
        The exit code: 0 when every promise was kept, 1 when one was not, 130 when interrupted.

    Raises:
        InvalidArgumentError: there are no orders, more kills than orders, or the folder holds a demo already.
    """
    if orders < 1 or not 0 <= kills <= orders:
        raise InvalidArgumentError(
            f"the demo needs at least 1 order, and at most a kill per order, not {orders=} and {kills=}"
        )
    console = Console()
    try:
        with _interruptible(), _folder(keep) as folder, ExitStack() as children:
            return Demo(console, folder, children, draw_orders(orders, seed), kills, seed, server=server).play(plain)
    except DemoError as error:
        console.print(Text(f"The demo failed: {error}", style="red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; everything the demo started has ended.")
        return INTERRUPTED


class Demo:
    """One demo. ``children`` ends what was started, whatever happens."""

    def __init__(
        self,
        console: Console,
        folder: Path,
        children: ExitStack,
        orders: list[Order],
        kills: int,
        seed: int,
        *,
        server: bool = False,
    ) -> None:
        self.console = console
        self.folder = folder
        self.children = children
        self.orders = orders
        self.seed = seed
        self.marks = draw_kill_marks(kills, len(orders), seed)
        self.kills: list[Kill] = []
        at_once = max(4, min(MOST_AT_ONCE, len(orders) // 3))
        self.stage = (ServerStage if server else EmbeddedStage)(folder, children, len(orders), seed, at_once)
        self.ledger = folder / "ledger.db"
        self.store = folder / "engine.db"
        self.began = time.monotonic()
        self.deadline = self.began + max(LEAST_DEADLINE_SECONDS, DEADLINE_SECONDS_PER_ORDER * len(orders))

    def play(self, plain: bool) -> int:
        """From the first order to the report; the exit code."""
        kills_wanted = len(self.marks)
        self.console.print(
            f"{len(self.orders)} orders against a slow and flaky service; {self.stage.what} will be killed {kills_wanted} "
            f"times (seed {self.seed}).",
            highlight=False,
            soft_wrap=True,
        )
        service = self._start_service()
        with choose_view(self.console, plain) as view:
            stage = self.stage
            stage.begin(self.url)
            while stage.exit_code is None:
                snapshot = self._look(kills_wanted)
                view.show(snapshot)
                self._check_on(service, snapshot)
                if self._kill_is_due(snapshot) and stage.exit_code is None:
                    self.kills.append(stage.kill())
                time.sleep(SECONDS_BETWEEN_LOOKS)
            if (failed := stage.failed()) is not None:
                _give_up(failed)
            view.show(self._look(kills_wanted))
        stage.end()
        service.end()
        return self._report(read_books(self.ledger), kills_wanted)

    # --- processes

    def _start_service(self) -> Child:
        address = self.folder / "service.url"
        options = {"ledger": self.ledger, "address": address, "orders": len(self.orders), "seed": self.seed}
        service = Child(SERVICE, options, self.folder / "service.log")
        self.children.callback(service.end)
        while not address.exists():
            if service.exit_code is not None or time.monotonic() > self.began + START_SECONDS:
                _give_up(service)
            time.sleep(0.02)
        self.url = address.read_text()
        return service

    def _kill_is_due(self, snapshot: Snapshot) -> bool:
        if not self.marks or snapshot.settled < self.marks[0][0]:
            return False
        if self.kills and snapshot.kills[-1][1] is None:
            return False  # what is not up again yet cannot be killed again
        _, delay_seconds = self.marks.pop(0)
        time.sleep(delay_seconds)
        return True

    # --- what goes on

    def _look(self, kills_wanted: int) -> Snapshot:
        return take_snapshot(
            read_books(self.ledger),
            self.orders,
            self.kills,
            elapsed_seconds=time.monotonic() - self.began,
            kills_wanted=kills_wanted,
            engine_pid=self.stage.pid,
        )

    def _check_on(self, service: Child, snapshot: Snapshot) -> None:
        for failed in (service if service.exit_code is not None else None, self.stage.failed()):
            if failed is not None:
                _give_up(failed)
        if time.monotonic() > self.deadline:
            waiting = ", ".join(
                f"{count} {standing}"
                for standing, count in snapshot.standings.items()
                if standing not in (Standing.FULFILLED, Standing.UNDONE)
            )
            raise DemoError(
                f"it took longer than {self.deadline - self.began:.0f} s. Not settled: {waiting or 'no order'}."
            )

    # --- the end

    def _report(self, books: Books, kills_wanted: int) -> int:
        verdict = judge(books, self.orders, self.kills)
        offences = list(verdict.offences)
        if len(self.kills) < kills_wanted:
            text = f"only {len(self.kills)} of {kills_wanted} kills came before all was done"
            offences.append(Offence(Promise.RESUMED, text))
        is_sound, store = self._verify_store()
        if not is_sound:
            offences.append(Offence(Promise.SOUND, store))
        verdict = replace(verdict, offences=offences)
        print_report(self.console, verdict, store=store if is_sound else "NO", seconds=time.monotonic() - self.began)
        return 1 if verdict.offences else 0

    def _verify_store(self) -> tuple[bool, str]:
        """Whether the store's verifier finds nothing wrong, and what it said last."""
        command = [sys.executable, "-m", "perdure", "verify", str(self.store)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False, f"perdure verify took longer than {VERIFY_SECONDS:.0f} s"
        lines = (done.stdout + done.stderr).strip().splitlines()
        return done.returncode == 0, lines[-1].strip() if lines else f"exit code {done.returncode}"


def _give_up(child: Child) -> NoReturn:
    code = child.exit_code
    how = "did not start in time" if code is None else f"ended by itself with exit code {code}"
    raise DemoError(f"{child.module} (pid {child.pid}) {how}. The end of {child.log.name}:\n{child.last_words()}")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder for everything, removed in the end unless it is to be kept."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="perdure-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if (keep / "ledger.db").exists():
        raise InvalidArgumentError(f"{keep} holds a demo already; choose another folder, or remove it")
    yield keep


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that its children end too. A shell may have had both ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signal_number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
