"""An engine, and the gate in front of it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import perdure
from perdure import App, workflow
from perdure.app.stores import store_of
from perdure.engine.ports import Store
from perdure.model.access import Credentials
from perdure.model.service import Service
from perdure.security import Allowance, AuditLog, SecureGate, Tokens, parse_grants
from perdure.security.gate import SecureSession

HOUR = 3600 * 10**9


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * 10**9

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1e9

    def move(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


def make_app() -> App:
    app = App("guarded")

    @app.workflow
    class Waits:
        def __init__(self) -> None:
            self.done = False

        @workflow.signal
        def finish(self) -> None:
            self.done = True

        @workflow.query
        def is_done(self) -> bool:
            return self.done

        @workflow.update
        def note(self, text: str) -> str:
            return text

        async def run(self) -> None:
            await workflow.wait_condition(lambda: self.done)

    return app


class Secured:
    """A server's engine with its gate, as ``app.server`` puts them together."""

    def __init__(self, store: Store, service: Service, clock: Clock) -> None:
        self.store = store
        self.service = service
        self.clock = clock
        self.tokens = Tokens(store, clock)
        self.audit = AuditLog(store, clock)
        self.gate = self.make_gate()

    def make_gate(self, **options: Any) -> SecureGate:
        """``options`` are the gate's, and those of what each caller may send."""
        allowance = Allowance(**{name: options.pop(name) for name in Allowance.__struct_fields__ if name in options})
        return SecureGate(self.service, self.tokens, self.audit, now=self.clock, allowance=allowance, **options)

    async def open(self) -> None:
        await self.tokens.open()
        await self.audit.open()

    async def token(self, *grants: str, name: str = "somebody", lifetime: int = HOUR) -> str:
        _, text = await self.tokens.create(name, parse_grants(grants), lifetime_ns=lifetime)
        return text

    async def session(self, *grants: str) -> SecureSession:
        return await self.admit(await self.token(*grants))

    async def admit(self, token: str, remote: str = "10.0.0.7") -> SecureSession:
        return await self.gate.admit(Credentials(f"Bearer {token}", "", remote))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    return store_of("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}")


@pytest.fixture
async def secured(store: Store, clock: Clock) -> AsyncIterator[Secured]:
    async with perdure.open(make_app(), store=store) as client:
        secured = Secured(store, client._service, clock)
        await secured.open()
        yield secured
        await secured.gate.close()
        await secured.audit.close()


Make = Callable[..., Any]
