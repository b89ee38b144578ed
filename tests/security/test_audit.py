"""The audit log: chained, verified, and not to be filled by whoever is refused."""

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.errors import InvalidArgumentError, StoreError
from perdure.security import AuditLog, Head, verify
from perdure.security import audit as module
from perdure.security.audit import canonical, seal, stored_entries


def chain(count: int) -> list[bytes]:
    head, entries = Head(), []
    for number in range(count):
        entry = seal({"act": "delete", "who": f"user {number}", "n": number}, head)
        head = Head(entry["seq"], entry["hash"])
        entries.append(canonical(entry))
    return entries


def test_a_whole_log_is_good():
    verdict = verify(chain(20))
    assert verdict.problem == ""
    assert verdict.head.count == 20
    assert verify([]).head == Head()
    assert verify(chain(20), expected=verdict.head).problem == ""
    assert verify(chain(20), expected=verify(chain(7)).head).problem == ""


@given(where=st.integers(0, 19), how=st.sampled_from(["change", "remove", "insert", "swap", "rewrite", "garble"]))
def test_whatever_is_done_to_an_entry_is_found(where: int, how: str) -> None:
    entries = chain(20)
    good = verify(entries).head
    entry = msgspec.json.decode(entries[where])
    match how:
        case "change":
            entries[where] = canonical({**entry, "who": "nobody"})
        case "remove":
            del entries[where]
        case "insert":
            entries.insert(where, canonical(seal({"act": "x"}, Head(where, entry["prev"]))))
        case "swap":
            entries[where], entries[where - 1] = entries[where - 1], entries[where]
        case "rewrite":  # with a hash that fits
            changed = {name: value for name, value in entry.items() if name not in ("hash", "seq", "prev")}
            entries[where] = canonical(seal({**changed, "who": "nobody"}, Head(where, entry["prev"])))
        case _:
            entries[where] = entries[where][:-3]
    verdict = verify(entries, expected=good)
    assert verdict.problem, how
    if how != "insert":
        assert verdict.head.count <= 20


def test_the_end_that_was_cut_off_is_found_by_a_head_that_was_kept():
    entries = chain(20)
    head = verify(entries).head
    assert verify(entries[:15]).problem == ""
    assert "its end was cut off" in verify(entries[:15], expected=head).problem
    # And one that was written anew from the middle.
    anew = entries[:10]
    start = verify(anew).head
    for _ in range(10):
        entry = seal({"act": "other"}, start)
        start = Head(entry["seq"], entry["hash"])
        anew.append(canonical(entry))
    assert verify(anew).problem == ""
    assert "written anew" in verify(anew, expected=head).problem


def test_heads_as_text():
    head = verify(chain(3)).head
    assert Head.parse(str(head)) == head
    for text in ("", "3", "x:" + "0" * 64, "3:" + "0" * 63, "3:" + "g" * 64):
        with pytest.raises(InvalidArgumentError, match="no head of an audit log"):
            Head.parse(text)


async def test_the_log_goes_on_where_it_ended(store, clock, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_SIZE", 7)
    await store.open()
    log = AuditLog(store, clock)
    for times in range(4):
        log = AuditLog(store, clock)
        await log.open()
        assert log.head.count == times * 5
        await asyncio.gather(*(log.record("act", f"who {number}", "::1", number=number) for number in range(5)))
        await log.close()
    entries = await stored_entries(store)
    assert verify(entries, expected=log.head).problem == ""
    assert log.head.count == 20
    assert len(await store.documents(module.SEGMENTS)) == 3
    await store.close()


async def test_an_entry_whose_asker_goes_away_is_finished(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(20):
        task = asyncio.create_task(log.record("act", "who", ""))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    await log.record("last", "who", "")
    await log.close()
    entries = await stored_entries(store)
    assert verify(entries, expected=log.head).problem == ""
    assert msgspec.json.decode(entries[-1])["act"] == "last"
    await store.close()


async def test_what_cannot_be_written_is_refused(store, clock):
    log = AuditLog(store, clock)
    with pytest.raises(StoreError):
        await log.record("delete", "who", "")  # the store is not open
    assert log.head == Head()


# --- floods


async def entries_after(store, log):
    await log.close()
    return [msgspec.json.decode(entry) for entry in await stored_entries(store)]


async def test_equal_refusals_become_one_entry_with_a_count(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(1000):
        log.refused("start", "ann", "10.0.0.7", "no")
    log.refused("start", "bob", "10.0.0.7", "no")
    first, *rest = await entries_after(store, log)
    assert first["outcome"] == "refused" and "count" not in first
    assert [(entry["who"], entry.get("count")) for entry in rest] == [("bob", None), ("ann", 999)]
    await store.close()


async def test_after_a_minute_a_refusal_is_written_again(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(3):
        log.refused("start", "ann", "", "no")
        log.refused("start", "ann", "", "no")
        clock.move(61)
    entries = await entries_after(store, log)
    assert sorted(entry.get("count", 0) for entry in entries) == [0, 0, 0, 1, 1, 1]
    await store.close()


async def test_nobody_fills_the_disk_with_refusals(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for number in range(4_000):  # each of its own kind, over a quarter of an hour
        log.refused("authenticate", "", f"2001:db8::{number:x}", "x" * 5000)
        clock.move(0.25)
    entries = await entries_after(store, log)
    seconds = 4_000 * 0.25
    assert len(entries) <= module.BURST + seconds * module.PER_SECOND + seconds / 60 + 2
    assert sum(entry.get("count", 1) for entry in entries) == 4_000
    assert max(len(canonical(entry)) for entry in entries) < 1000
    assert verify([canonical(entry) for entry in entries]).problem == ""
    await store.close()


@settings(max_examples=30)
@given(text=st.text(max_size=300) | st.just("\ud800"))
def test_any_text_can_be_written_down(text: str) -> None:
    entry = seal({"who": module._short(text)}, Head())
    assert verify([canonical(entry)]).problem == ""
