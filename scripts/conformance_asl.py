"""``make conformance-asl``: a server on an empty store, judged by the vectors' own judge.

The vectors are not part of the project: they lie in ``../shared/vectors/asl``, or where ``--vectors`` says, and the judge
is the ``run.py`` beside them. What the judge prints is passed on: each vector that is not passed with its reason, then the
table by group. Further arguments are the judge's, such as ``--group assign``.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
USUAL = ROOT.parent / "shared" / "vectors" / "asl"
READY = re.compile(r"Step Functions' clients connect to (\S+)\.$")


def main(arguments: list[str]) -> int:
    """Judge. The exit status is the judge's: 0 if every vector passed, 2 if there are none."""
    folder = USUAL
    if "--vectors" in arguments:
        at = arguments.index("--vectors")
        folder = Path(arguments[at + 1])
    judge = (folder if (folder / "run.py").is_file() else USUAL) / "run.py"
    if not judge.is_file():
        print(f"There are no vectors in {folder}: nothing is judged.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        mocks = Path(scratch) / "mocks.json"
        subprocess.run([sys.executable, judge, "--write-mock-config", mocks, *_vectors(arguments)], check=True)
        lambda_port = _free_port()
        server = subprocess.Popen(
            [
                Path(sys.executable).with_name("perdure"),
                "server",
                "--store=memory://",
                "--rest-address=127.0.0.1:0",
                "--grpc-address=127.0.0.1:0",
                "--stepfunctions-address=127.0.0.1:0",
                f"--lambda-endpoint=http://127.0.0.1:{lambda_port}",
                f"--mock-config={mocks}",
            ],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stderr is not None
            found = next((match for line in server.stderr if (match := READY.search(line))), None)
            if found is None:
                print("The server did not start.", file=sys.stderr)
                return 1
            asked = [sys.executable, judge, "--endpoint", found[1], "--lambda-port", str(lambda_port), *arguments]
            return subprocess.run(asked, check=False).returncode
        finally:
            server.terminate()
            server.communicate()


def _vectors(arguments: list[str]) -> list[str]:
    at = arguments.index("--vectors") if "--vectors" in arguments else None
    return [] if at is None else arguments[at : at + 2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
