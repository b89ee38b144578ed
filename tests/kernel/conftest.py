"""``pytest tests/kernel --rerecord`` writes what the kernel decides now into the transcripts, and what is stored now into
``stored_format.txt``. The option is known only where this folder is named on the command line.
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rerecord",
        action="store_true",
        help="write the kernel's transcripts and tables anew; read the difference before you keep it",
    )


@pytest.fixture
def rerecord(request: pytest.FixtureRequest) -> bool:
    """Whether what is recorded is to be replaced rather than compared."""
    return bool(request.config.getoption("--rerecord", default=False))
