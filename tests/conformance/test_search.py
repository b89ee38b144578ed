"""What runs are found by, on every store."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.rooms import Room, attempt, delete, row, start, write

from perdure.engine.encoding import encode_value
from perdure.engine.ports import RunRow, Store, Write
from perdure.engine.search.evaluate import place_of
from perdure.engine.search.parse import parse
from perdure.kernel import search_attribute
from perdure.model.errors import InvalidArgumentError, StoreConflictError
from perdure.model.options import RunStatus
from perdure.model.payloads import NULL, Payload
from perdure.model.search import EVERYTHING, AttributeType, AttributeTypes, Group

TYPES: AttributeTypes = {"Amount": AttributeType.INT, "Tags": AttributeType.KEYWORD_LIST, "Note": AttributeType.TEXT}


def with_attributes(key: int, attributes: dict[str, object], **values: Any) -> RunRow:
    payloads = {name: Payload(msgspec.json.encode(value)) for name, value in attributes.items()}
    return row(key, search_attributes=encode_value(payloads), **values)


def payload_of(value: object) -> Payload:
    return Payload(msgspec.json.encode(value)) if value is not None else Payload(b"", NULL)


def entries(attributes: dict[str, object]) -> set[tuple[str, str | int | float]]:
    payloads = {name: Payload(msgspec.json.encode(value)) for name, value in attributes.items()}
    return search_attribute.entries(payloads, TYPES)


def begun(key: int, attributes: dict[str, object], **values: Any) -> Write:
    """A run's first commit; each says the types that it needs, as new ones do."""
    run = with_attributes(key, attributes, **values)
    types = [(run.namespace, name, TYPES[name]) for name in attributes]
    return Write(key, 1, b"%d" % key, created=run, entries=entries(attributes), attribute_types=types)


def changed(key: int, number: int, attributes: dict[str, object], **values: Any) -> Write:
    run = with_attributes(key, attributes, **values)
    types = [(run.namespace, name, TYPES[name]) for name in attributes]
    return Write(key, number, b"%d" % key, changed=run, entries=entries(attributes), attribute_types=types)


async def found(store: Store, filter: str, namespace: str = "default", limit: int = 100) -> list[int]:
    types = (await store.attribute_types()).get(namespace, {})
    return [each.key for each in await store.runs(namespace, parse(filter, types), None, limit)]


async def counted(store: Store, filter: str) -> dict[tuple[Any, ...], int]:
    types = (await store.attribute_types()).get("default", {})
    groups = await store.count("default", parse(filter, types, counting=True))
    return {group.values: group.count for group in groups}


async def test_the_first_type_stays(store: Store):
    await write(store, Write(0, 0, attribute_types=[("default", "Amount", AttributeType.INT)]))
    await write(store, Write(0, 0, attribute_types=[("default", "Amount", AttributeType.TEXT)]))
    await write(store, Write(0, 0, attribute_types=[("other", "Amount", AttributeType.FLOAT)]))
    assert await store.attribute_types() == {
        "default": {"Amount": AttributeType.INT},
        "other": {"Amount": AttributeType.FLOAT},
    }


async def test_types_and_values_outlive_the_store(room: Room):
    store = room.store()
    await store.open()
    await write(store, begun(1, {"Amount": 5}))
    await store.close()
    again = room.store()
    await again.open()
    assert await again.attribute_types() == {"default": {"Amount": AttributeType.INT}}
    assert await found(again, "Amount = 5") == [1]
    await again.close()


VALUES = st.none() | st.integers(-2, 2) | st.sampled_from(["a", "b c", "2026-01-31"]) | st.lists(st.sampled_from("ab"))


@given(
    held=st.lists(VALUES, min_size=1, max_size=4),
    later=st.lists(VALUES, max_size=3),
    retyped=st.lists(st.sampled_from(list(AttributeType)[:-2]), min_size=1, max_size=3),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_has_another_type_is_found_by_that(store: Store, held, later, retyped):
    """The index always is what the rows and the type say, as ``entries`` has it; an attribute beside it is untouched."""
    first = len(await store.attribute_types()) * 10 + 1
    namespace = f"n{first}"
    values = dict(enumerate(held, first))

    async def check(type: AttributeType) -> None:
        types = (await store.attribute_types())[namespace]
        assert types == {"Odd": type, "Amount": AttributeType.INT}
        assert await found(store, "Amount = 5", namespace) == sorted(values, reverse=True)
        if type is AttributeType.REMOVED:
            with pytest.raises(InvalidArgumentError, match="there is no attribute 'Odd'"):
                parse("Odd IS NULL", types)
            return
        fitting = [
            key for key, value in values.items() if search_attribute.entries({"Odd": payload_of(value)}, {"Odd": type})
        ]
        assert await found(store, "Odd IS NOT NULL", namespace) == fitting[::-1]

    def odd(key: int, number: int) -> Write:
        run = with_attributes(key, {}, namespace=namespace)
        held = {"Odd": payload_of(values[key]), "Amount": payload_of(5)}
        run.search_attributes = encode_value(held)
        type = AttributeType.INT if number == 1 else types_now
        found_by = search_attribute.entries(held, {"Odd": type, "Amount": AttributeType.INT})
        types = [(namespace, "Odd", AttributeType.INT), (namespace, "Amount", AttributeType.INT)]
        made = Write(key, number, b"%d" % key, entries=found_by, attribute_types=types)
        if number == 1:
            made.created = run
        else:
            made.changed = run
        return made

    types_now = AttributeType.INT
    await write(store, *(odd(key, 1) for key in values))
    await check(types_now)
    for number, type in enumerate((AttributeType.REMOVED, *retyped), 2):
        types_now = type
        await store.set_attribute_type(namespace, "Odd", type)
        await check(type)
        if number - 2 < len(later):
            values[first] = later[number - 2]
        await write(store, odd(first, number))
        await check(type)


async def test_what_is_removed_of_a_type_that_was_never_stored_stays_removed(store: Store):
    await store.set_attribute_type("default", "Amount", AttributeType.REMOVED)
    await write(store, begun(1, {"Amount": 5}))
    assert await store.attribute_types() == {"default": {"Amount": AttributeType.REMOVED}}
    await store.set_attribute_type("default", "Amount", AttributeType.INT)
    assert await found(store, "Amount = 5") == [1]


async def test_runs_are_found_by_their_values(store: Store):
    await write(
        store, begun(1, {"Amount": 5, "Tags": ["a", "b"]}), begun(2, {"Amount": 7, "Note": "Late again"}), start(3)
    )
    assert await found(store, "Amount > 5") == [2]
    assert await found(store, "Tags = 'b'") == [1]
    assert await found(store, "Note = 'AGAIN'") == [2]
    assert await found(store, "Amount IS NULL") == [3]
    assert await found(store, "ORDER BY Amount DESC") == [2, 1, 3]
    assert await counted(store, "GROUP BY Amount") == {(5,): 1, (7,): 1, (None,): 1}
    assert await counted(store, "Amount > 99") == {(): 0}
    assert await counted(store, "Amount > 99 GROUP BY Amount") == {}


async def test_new_values_take_the_place_of_old_ones(store: Store):
    await write(store, begun(1, {"Amount": 5, "Tags": ["a", "b"]}))
    await write(store, changed(1, 2, {"Amount": 6}))
    assert await found(store, "Amount = 5 OR Tags IS NOT NULL") == []
    assert await found(store, "Amount = 6") == [1]
    # Twice in one batch, and in the batch that began it.
    await write(store, changed(1, 3, {"Amount": 7}), changed(1, 4, {"Amount": 8}))
    await write(store, begun(2, {"Amount": 1}), changed(2, 2, {"Amount": 2}))
    assert await found(store, "Amount < 8") == [2]
    assert await found(store, "Amount IN (2, 8)") == [2, 1]
    assert await counted(store, "Amount > 0") == {(): 2}


async def test_a_row_that_changes_otherwise_keeps_its_values(store: Store):
    await write(store, begun(1, {"Amount": 5}))
    closed = with_attributes(1, {"Amount": 5}, status=RunStatus.COMPLETED, close_time=9, build_id="v2")
    await write(store, Write(1, 2, b"end", changed=closed))
    assert await found(store, "Amount = 5 AND ExecutionStatus = 'Completed' AND CloseTime IS NOT NULL") == [1]
    assert await found(store, "BuildId = 'v2'") == [1]


async def test_what_is_refused_leaves_nothing(store: Store):
    await write(store, start(1))
    assert isinstance(await attempt(store, begun(2, {"Amount": 5}), start(1)), StoreConflictError)
    assert await store.attribute_types() == {}
    await write(store, begun(2, {"Amount": 6}))
    assert await found(store, "Amount >= 5") == [2]


async def test_deleted_runs_are_not_found(store: Store):
    await write(store, begun(1, {"Amount": 5}), begun(2, {"Amount": 5}))
    await delete(store, 1)
    assert await found(store, "Amount = 5") == [2]
    assert await counted(store, "Amount = 5 GROUP BY Amount") == {(5,): 1}


async def test_namespaces_are_apart(store: Store):
    await write(store, begun(1, {"Amount": 5}), begun(2, {"Amount": 5}, namespace="other"))
    assert await found(store, "Amount = 5") == [1]
    assert await found(store, "Amount = 5", "other") == [2]
    assert await found(store, "", "nobody") == []


@pytest.mark.parametrize(
    "filter", ["", "Amount > 0", "ORDER BY StartTime", "ORDER BY Amount DESC", "Amount > 0 ORDER BY Amount"]
)
async def test_pages_are_stable_while_runs_are_added(store: Store, filter: str):
    await write(store, *(begun(key, {"Amount": key % 3 + 1}, start_time=1_000 + key // 2) for key in range(1, 31)))
    query = parse(filter, TYPES)
    whole = [each.key for each in await store.runs("default", query, None, 100)]
    seen: list[int] = []
    after, added = None, 100
    while page := await store.runs("default", query, after, 7):
        seen += [each.key for each in page]
        after = place_of(page[-1], TYPES, query)
        # As new as the newest, older than the oldest, and in between.
        for start_time in (9_999, 1, 1_007):
            added += 1
            await write(store, begun(added, {"Amount": 2}, start_time=start_time))
    assert [key for key in seen if key <= 30] == whole
    assert len(seen) == len(set(seen))


async def test_counts_of_what_the_engine_knows(store: Store):
    await write(store, start(1), start(2, workflow_type="Loan"), start(3, status=RunStatus.FAILED, build_id="v1"))
    assert await store.count("default", EVERYTHING) == [Group((), 3)]
    assert await counted(store, "GROUP BY WorkflowType, BuildId") == {
        ("Order", None): 1,
        ("Loan", None): 1,
        ("Order", "v1"): 1,
    }
    assert await counted(store, "GROUP BY ExecutionStatus") == {(1,): 2, (3,): 1}
