"""The programs that tell stories with Temporal's SDKs, one for each language, and how each is built."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "temporal"
"""Built once, kept for the next time; ignored by git."""
BUILD_SECONDS = 400.0


class CannotBuildError(Exception):
    """A language's toolchain or packages are not there; says why."""


@dataclass(frozen=True)
class Line:
    """What a program says of one story."""

    story: str
    result: Any
    error: str
    runs: list[tuple[str, str]]
    follow: bool


def command(language: str) -> list[str]:
    """Build a program where it is not built yet; the command that starts it.

    Raises:
        CannotBuildError: if the toolchain is missing, or the build fails.
    """
    return {"python": _python, "go": _go, "typescript": _typescript, "java": _java}[language]()


def _python() -> list[str]:
    return [sys.executable, "-m", "tests.protocols.temporal.python.main"]


def _go() -> list[str]:
    go = _tool("go")
    binary = BUILD / "go" / "stories"
    _run([go, "build", "-o", str(binary), "."], HERE / "go")
    return [str(binary)]


def web_server() -> str:
    """The program that serves Temporal's web page, with the page inside.

    Raises:
        CannotBuildError: as `command` does.
    """
    go, binary = _tool("go"), BUILD / "ui" / "ui-server"
    _run([go, "build", "-o", str(binary), "github.com/temporalio/ui-server/v2/cmd/server"], HERE / "ui")
    return str(binary)


def _typescript() -> list[str]:
    node, npm = _tool("node"), _tool("npm")
    folder = _copied("typescript", "package.json")
    if not (folder / "node_modules" / ".package-lock.json").exists():
        # By the lock; `npm ci` would insist on packages for other systems, which a registry need not have. Scripts of
        # packages are not needed: the SDK ships its core ready for each system.
        _run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    _run([npm, "run", "build"], folder)
    return [node, str(folder / "lib" / "main.js")]


def _java() -> list[str]:
    java, maven, _ = _tool("java"), _tool("mvn"), _tool("javac")
    folder = _copied("java", "pom.xml")
    _run([maven, "--quiet", "--batch-mode", "package"], folder)
    parts = [folder / "target" / "classes", folder / "target" / "dependency" / "*"]
    return [java, "-cp", os.pathsep.join(map(str, parts)), "stories.Main"]


def _copied(language: str, packages: str) -> Path:
    """The sources in the folder of builds, where packages can be installed beside them; from scratch if those changed."""
    source, folder = HERE / language, BUILD / language
    wanted, built = source / packages, folder / packages
    if not built.exists() or built.read_bytes() != wanted.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return folder


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CannotBuildError(f"there is no {name} on the PATH")
    return found


def _run(arguments: Sequence[str], folder: Path) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        arguments, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_SECONDS
    )
    if done.returncode:
        raise CannotBuildError(f"{' '.join(arguments)} failed: {(done.stdout + done.stderr)[-2000:]}")


async def tell(
    language: str, address: str, stories: Sequence[str] = (), *, seconds: float = 150.0, options: Sequence[str] = ()
) -> dict[str, Line]:
    """Start a program against a server, and collect what it says, by story; stories that it never told are not there.

    Raises:
        CannotBuildError: as `command` does.
    """
    arguments = [*await asyncio.to_thread(command, language), "--address", address, *options, *stories]
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TEMPORAL_TELEMETRY_DISABLED": "1"},
        limit=1 << 22,
    )
    assert process.stdout is not None
    lines: dict[str, Line] = {}
    try:
        async with asyncio.timeout(seconds):
            async for raw in process.stdout:
                if raw.startswith(b"{"):
                    line = _line(json.loads(raw))
                    lines[line.story] = line
    except TimeoutError:
        pass  # what was told by then counts
    finally:
        if process.returncode is None:
            try:
                process.kill()
            except ProcessLookupError:
                pass
        await process.wait()
    return lines


def _line(said: dict[str, Any]) -> Line:
    runs = [(workflow_id, run_id) for workflow_id, run_id in said.get("runs") or []]
    return Line(said["story"], said.get("result"), said.get("error", ""), runs, said.get("follow", True))
