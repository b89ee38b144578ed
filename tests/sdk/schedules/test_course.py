"""What the turns of a schedule save, folded, is where it stands; and what they save does not grow."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.ids import Completion
from perdure.model.requests import StartWorkflow
from perdure.sdk.schedules import firing
from perdure.sdk.schedules.course import Course, Saved
from perdure.sdk.schedules.definition import (
    Answer,
    Backfill,
    Definition,
    Outcome,
    Overlap,
    Pause,
    Replace,
    Resume,
    Started,
    State,
    Trigger,
)
from perdure.sdk.schedules.plan import Deal, Find, Plan
from perdure.sdk.schedules.times import Spec

HOUR = 3_600_000_000_000
BEGIN = 500_000 * HOUR

starts = StartWorkflow("s", "body", "default")
definitions = st.builds(
    Definition,
    st.just("default"),
    st.just("s"),
    st.just(Spec(intervals=((HOUR, 0),))),
    st.just(starts),
    st.sampled_from(Overlap),
    st.sampled_from([HOUR, 100 * HOUR]),
    st.sampled_from([0, 0, 5]),
    st.booleans(),
)
commands = st.one_of(
    st.builds(Pause, st.text(max_size=3)),
    st.builds(Resume, st.text(max_size=3)),
    st.builds(Trigger, st.text(max_size=3), st.none() | st.sampled_from(Overlap)),
    st.builds(
        lambda key, hours, overlap: Backfill(key, BEGIN - hours * HOUR, BEGIN, overlap),
        st.text(max_size=3),
        st.integers(1, 50),
        st.sampled_from(Overlap),
    ),
    st.builds(Replace, definitions, st.none() | st.booleans(), st.none() | st.text(max_size=3)),
)
happens = st.one_of(
    commands,
    st.sampled_from(Outcome),
    st.tuples(st.integers(0, 9), st.sampled_from([2, 3, 6])),  # which of the open runs closes, and how
    st.integers(1, 3 * HOUR),  # time passes
)


def begun(definition: Definition) -> Plan:
    plan = Plan(Course.of(State(definition, 0, by_command=True, by_marker=True, by_state=True)))
    plan.begin(BEGIN)
    return plan


def play(plan: Plan, now: int, outcome: Outcome) -> None:
    """One step, and what comes of it."""
    course, step = plan.course, plan.next_step(now)
    if isinstance(step, Find):
        found = firing.find_times(step.ask)
        if step.is_backfill:
            plan.found_back(found, now)
        else:
            plan.found(found)
    elif isinstance(step, Deal):
        number = course.counts.fired
        started = Started(f"s-{number}", f"run-{number}", step.waiting.occasion.nominal, 0)
        plan.answered(step.waiting, Answer(outcome, course.open, started if outcome is Outcome.STARTED else None), now)


@settings(max_examples=60, deadline=None)
@given(definitions, st.lists(st.lists(happens, max_size=4), max_size=12))
def test_what_turns_save_folded_is_where_it_stands(definition, turns):
    plan = begun(definition)
    course, now = plan.course, BEGIN
    beginning = Course.of(State(definition, 0, by_command=True, by_marker=True, by_state=True))
    saved, twin = Saved(beginning), beginning
    saving = Saved(course)
    for name in ("cursor", "created"):
        setattr(twin, name, getattr(course, name))
    for turn in turns:
        for each in turn:
            if isinstance(each, int) and not isinstance(each, Outcome):
                now += each
            elif isinstance(each, Outcome):
                play(plan, now, each)
            elif isinstance(each, tuple):
                if course.open:
                    run = course.open[each[0] % len(course.open)]
                    closed = Completion(run.workflow_id, run.run_id, run.run_id, each[1], now)
                    course.closed = [*course.closed, closed]
            else:
                course.heard = [*course.heard, each]
        plan.hear(now)
        changes = saving.take()
        if changes:
            saved.fold(changes)
        assert twin == course
        assert not saving.take()


def test_what_a_step_saves_does_not_grow_with_what_is_open_or_waits():
    definition = Definition("default", "s", Spec(intervals=((HOUR, 0),)), starts, Overlap.ALLOW_ALL, 10_000 * HOUR)
    plan = begun(definition)
    saving, sizes = Saved(plan.course), []
    for number in range(500):
        play(plan, BEGIN + number * HOUR, Outcome.STARTED if number < 250 else Outcome.BUFFERED)
        plan.course.steps = 0
        sizes.append(len(saving.take()))
    assert len(plan.course.open) >= 100
    # Now and then the oldest go, and what is left is saved once; and times are found twenty at once.
    assert sorted(sizes)[len(sizes) * 9 // 10] < 500, sizes


def test_what_is_saved_is_json_that_people_can_read():
    plan = begun(Definition("default", "s", Spec(intervals=((HOUR, 0),)), starts))
    saving = Saved(plan.course)
    plan.obey(Resume("it goes on"), BEGIN)
    assert msgspec.json.decode(saving.take()) == {"note": "it goes on", "revision": 2}
