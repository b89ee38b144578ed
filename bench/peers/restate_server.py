"""Restate, its server and its Python SDK, set up as well as we could find.

Restate is a server that calls the service's handlers over HTTP/2 and journals what they do. So the peer is three
processes: `restate-server`, hypercorn with the service, and the caller, which starts runs through the server's HTTP
ingress and waits for their results. What was tried, on two cores with Restate 1.7 and its SDK 1.3, in one-activity
runs per second (the noise is about 5 %):

- Partitions: 1,030 with one, 900 with two, 870 with four, 380 to 640 with the server's default of 24, which is meant
  for larger machines. So: one for every two cores.
- hypercorn processes: 780 to 850 with one; 520 to 770 with two, which take the server's core. So: one for every two
  cores. On uvloop or asyncio: about the same. uvloop, as Perdure's.
- hypercorn closes a connection after 1,000 requests, and some of the runs in flight on it then wait for a retry, up to
  45 seconds. `hypercorn.toml` lifts that limit.
- Garbage-collector thresholds raised in the service, as Perdure's are: 3 to 8 % more.
- The caller: one HTTP/1.1 connection, kept alive, for each run in flight. A hand-written client takes 0.06 ms of CPU a
  run, aiohttp 0.2 to 0.3, httpx 1.6 to 9; they share the two cores with the server, so the hand-written one is used.
- A plain service's handler, which needs less of the server than a `restate.Workflow` with its key and its promises;
  asynchronous, and streaming (HTTP/2 in both directions), so that no step costs a new request.
- Runs in flight: on the quiet machine 1,030 runs/s with 50, 930 with 200, 970 with 1,000; on the busy one 750, 770 and
  830. In runs of ten activities, busy: 2,400 activities/s with 100, 2,600 with 400, 2,900 with 1,000.

All that concerns safety is as Restate has it: the log is written and synced before it is acted on. Telemetry is off.

The server comes from npm: its package holds nothing but a launcher, and depends on one package with the binary for
each platform. The binary is started directly, without Node.js. Install scripts are not run; they report statistics.
"""

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.peers.process import PeerError, PeerProcess
from bench.peers.result import Result

SERVER_VERSION: Final = "1.7.12"

# Runs in flight worth measuring, the better one here first.
CONCURRENCIES: Final = (1000, 50)
INSTALL_SECONDS: Final = 300

_DOWNLOADS: Final = Path(__file__).resolve().parents[2] / ".bench"
_FOLDER: Final = _DOWNLOADS / f"restate-{SERVER_VERSION}"
_PLATFORMS: Final = {
    ("linux", "x86_64"): "linux-x64",
    ("linux", "aarch64"): "linux-arm64",
    ("darwin", "x86_64"): "darwin-x64",
    ("darwin", "arm64"): "darwin-arm64",
}


def title() -> str:
    return f"Restate {SERVER_VERSION} with its Python SDK {importlib.metadata.version('restate-sdk')}"


def available() -> str | None:
    """None when Restate can be measured here, if need be after `install`, else a sentence that says what is missing."""
    if server() is None:
        return f"There is no restate-server for {sys.platform} on {platform.machine()}."
    missing = [name for name in ("restate", "hypercorn", "uvloop") if importlib.util.find_spec(name) is None]
    if missing:
        return f"Modules are missing ({', '.join(missing)}): pip install 'perdure[bench]'."
    if not installed() and shutil.which("npm") is None:
        return "npm is missing, which installs restate-server; it comes with Node.js."
    return None


def server() -> Path | None:
    """Where the binary is, or will be once installed; None where there is none for this machine."""
    build = _PLATFORMS.get((sys.platform, platform.machine()))
    if build is None:
        return None
    return _FOLDER / "node_modules" / "@restatedev" / f"restate-server-{build}" / "bin" / "restate-server"


def installed() -> bool:
    """Whether npm finished: it writes its hidden lock file last."""
    binary = server()
    return binary is not None and binary.is_file() and (_FOLDER / "node_modules" / ".package-lock.json").is_file()


def install() -> None:
    """Installs the server into .bench/ with npm, if it is not there yet. Raises PeerError if that fails."""
    if installed():
        return
    command = ["npm", "install", "--prefix", str(_FOLDER), f"@restatedev/restate-server@{SERVER_VERSION}"]
    command += ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]
    _FOLDER.mkdir(parents=True, exist_ok=True)
    (_DOWNLOADS / ".gitignore").write_text("*\n")  # 220 MB that belong in nobody's repository
    try:
        npm = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"npm could not install restate-server: {error}") from error
    if npm.returncode != 0 or not installed():
        raise PeerError(f"npm could not install restate-server:\n{npm.stderr.strip()[-2000:]}")


class RestateServer:
    """`with RestateServer() as peer:` starts Restate in a fresh folder; leaving ends it and removes the folder."""

    def __init__(self) -> None:
        self._process = PeerProcess("bench.peers.restate_child")

    def __enter__(self) -> Self:
        install()
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.stop()

    def throughput(self, runs: int, activities: int, concurrency: int) -> Result:
        """`runs` runs of `activities` steps in sequence, `concurrency` in flight."""
        return self._process.measure(runs, activities, concurrency)

    def alone(self, runs: int) -> Result:
        """`runs` runs of one step, one at a time."""
        return self._process.measure(runs, 1, 1)
