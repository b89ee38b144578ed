"""Histories without their values: nothing is left of them, and code that does not depend on them still replays."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perdure
from perdure import App, Converter, History, workflow
from perdure.model import events as e
from perdure.model.errors import NonDeterminismError
from perdure.model.payloads import Payload
from perdure.sdk.redaction import redact

SECRET = "hunter2-Secret"
app = App("secrets")


class Decision(StrEnum):
    YES = "yes"
    NO = "no"


@dataclass
class Customer:
    name: str
    born: date
    seen: datetime
    wakes: time
    patience: timedelta
    balance: Decimal
    key: UUID
    photo: bytes
    age: int
    score: float
    tags: list[str]
    notes: dict[str, str]
    boss: "Customer | None" = None


ALICE = Customer(
    f"Alice {SECRET}",
    date(1990, 5, 17),
    datetime(2024, 5, 17, 9, 30, 1, tzinfo=UTC),
    time(7, 15),
    timedelta(hours=3, seconds=1),
    Decimal("1234.50"),
    UUID("12345678-1234-5678-1234-567812345678"),
    SECRET.encode(),
    34,
    0.75,
    [SECRET, "b"],
    {"note": SECRET, f"{SECRET}@example.org": "x"},
)


@app.activity
async def look_up(customer: Customer) -> Customer:
    return customer


@app.activity
async def decide(customer: Customer) -> Decision:
    return Decision.YES


@app.activity(retry=perdure.Retry(max_attempts=1))
async def refuse(reason: str) -> None:
    raise perdure.ApplicationError(f"no {reason}", {"why": SECRET}, type="Refused")


@app.workflow
async def child(customer: Customer) -> None: ...


@app.workflow
class Case:
    def __init__(self) -> None:
        self.word = ""

    async def run(self, customer: Customer) -> Customer:
        workflow.upsert_memo({"who": customer.name})
        found = await look_up(customer)
        assert type(found.balance) is Decimal and found.tags
        await workflow.wait_condition(lambda: bool(self.word))
        try:
            await refuse(self.word)
        except perdure.ActivityError as error:
            assert isinstance(error.__cause__, perdure.ApplicationError) and error.__cause__.type == "Refused"
        await child.options(id=f"child-{customer.age}")(found)
        await asyncio.sleep(0.01)
        if workflow.patched("new-way"):
            workflow.side_effect(lambda: SECRET)
        return found

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word


@app.workflow
async def branches(customer: Customer) -> str:
    if await decide(customer) is Decision.YES:
        await look_up(customer)
    return customer.name


async def recorded() -> History:
    async with perdure.open(app, store="memory://") as client:
        run = await client.start(Case, ALICE, id="case-1", memo={"vip": SECRET})
        await run.signal(Case.say, SECRET)
        await run.result()
        return await run.fetch_history()


def without_ids_and_times(text: str) -> str:
    """A history's text without what may have any digits in it by chance."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{15,}", "", text)


async def test_nothing_of_the_values_is_left_and_it_replays():
    history = await recorded()
    assert SECRET in history.to_json().decode()
    redacted = History(history.workflow_id, history.run_id, redact(history.events))
    text = redacted.to_json().decode()
    for secret in (SECRET, "hunter2", "Alice", "1990", "1234", "example.org", history.started.identity):
        assert secret not in without_ids_and_times(text), secret
    assert "12345678-1234-5678-1234-567812345678" not in text
    assert [type(event) for event in redacted.events] == [type(event) for event in history.events]
    perdure.replay(app, redacted)
    perdure.replay(app, History.from_json(redacted.to_json()))


async def test_what_the_code_branches_on_has_to_be_kept():
    async with perdure.open(app, store="memory://") as client:
        run = await client.start(branches, ALICE, id="x")
        await run.result()
        history = await run.fetch_history()
    with pytest.raises(NonDeterminismError):
        perdure.replay(app, History("x", run.run_id, redact(history.events)))
    kept = redact(history.events, {"decide"})
    perdure.replay(app, History("x", run.run_id, kept))
    (decision,) = [event for event in kept if isinstance(event, e.ActivityTaskCompleted) and event.id < 9][:1]
    assert decision.result[0].data == b'"yes"'


VALUES: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
    str: st.text,
    int: st.integers,
    bool: st.booleans,
    float: lambda: st.floats(allow_nan=False, allow_infinity=False, width=32),
    date: st.dates,
    datetime: lambda: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas,
    UUID: st.uuids,
    bytes: lambda: st.binary(max_size=40),
    Decimal: lambda: st.decimals(allow_nan=False, allow_infinity=False, places=3),
    list[int]: lambda: st.lists(st.integers(), max_size=4),
}


@pytest.mark.parametrize("hint", VALUES, ids=str)
def test_a_value_keeps_its_type_its_length_and_whether_it_is_empty(hint):
    converter = Converter()

    @given(VALUES[hint]())
    def check(value: Any) -> None:
        event = e.WorkflowExecutionCompleted(1, 0, (converter.to_payload(value),))
        (other,) = redact([event])
        assert isinstance(other, e.WorkflowExecutionCompleted)
        read = converter.from_payload(other.result[0], hint)
        assert type(read) is type(value)
        if isinstance(value, (str, bytes, list)):
            assert len(read) == len(value)
        if isinstance(value, (str, int, bytes)):
            assert bool(read) == bool(value)

    check()


def test_the_same_value_becomes_the_same_and_another_one_another():
    converter = Converter()
    values = (converter.to_payload("same"), converter.to_payload("same"), converter.to_payload("different"))
    (event,) = redact([e.WorkflowExecutionCompleted(1, 0, values)])
    assert isinstance(event, e.WorkflowExecutionCompleted)
    first, second, third = event.result
    assert first == second != third and first != values[0]
    (again,) = redact([e.WorkflowExecutionCompleted(1, 0, values)])
    assert again != event


def test_what_only_a_codec_reads_becomes_null():
    (event,) = redact([e.WorkflowExecutionCompleted(1, 0, (Payload(SECRET.encode(), "binary/encrypted"),))])
    assert isinstance(event, e.WorkflowExecutionCompleted)
    assert event.result == (Payload(b"", "binary/null"),)


def test_every_event_can_be_redacted():
    from tests.kernel.strategies import RECORDS, structs

    for kind in RECORDS:

        @settings(max_examples=15)
        @given(structs(kind))
        def check(record: Any) -> None:
            (other,) = redact([record])
            assert type(other) is type(record) and other.id == record.id and other.time == record.time

        check()


def test_words_for_people_are_redacted():
    (event,) = redact([e.WorkflowExecutionTerminated(1, 0, SECRET, (), SECRET)])
    assert isinstance(event, e.WorkflowExecutionTerminated)
    assert event.identity == "redacted" and re.fullmatch(r"[a-z]{6}\d-[A-Z][a-z]{5}", event.reason)
