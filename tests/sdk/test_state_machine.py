"""State machines: what is refused when declared, how they are drawn, and how a run walks through one."""

from datetime import timedelta
from enum import Enum

import pytest

import perdure
from perdure import App, testing, workflow

app = App("machines")


def is_enough(order: "Order", cents: int) -> bool:
    return cents >= order.price


LIFE = workflow.StateMachine(
    "open",
    [
        workflow.Transition("open", "paid", update="pay", guard=is_enough),
        workflow.Transition("open", "cancelled", signal="cancel"),
        workflow.Transition("open", "cancelled", after=timedelta(days=3)),
        workflow.Transition("paid", "packed"),
        workflow.Transition("packed", "packed", signal="again"),
        workflow.Transition("packed", "sent", guard=lambda order: order.is_labelled),
    ],
    final=["sent", "cancelled"],
)


@app.workflow
class Order:
    def __init__(self) -> None:
        self.price = 100
        self.is_labelled = False
        self.life = LIFE.walk(self)
        self.seen: list[str] = []

    async def run(self) -> list[str]:
        async for state in self.life:
            self.seen.append(state)
            if state == "paid":
                await workflow.sleep(60)  # a message that comes now waits
        return self.seen

    @workflow.signal
    def label(self) -> None:
        self.is_labelled = True

    @workflow.query
    def state(self) -> str:
        return self.life.state


class Light(Enum):
    RED = "red light"
    GREEN = "green light"
    OFF = "off"


LIGHTS = workflow.StateMachine(
    Light.RED,
    [
        workflow.Transition(Light.RED, Light.GREEN, after=30),
        workflow.Transition(Light.GREEN, Light.OFF, update="press"),
        workflow.Transition(Light.GREEN, Light.RED, after=20.5),
    ],
    final=[Light.OFF],
)


@app.workflow
class Crossing:
    def __init__(self) -> None:
        self.lights = LIGHTS.walk()

    async def run(self) -> int:
        changes = 0
        async for _ in self.lights:
            changes += 1
        return changes

    @workflow.update
    async def press(self, who: str) -> str:
        return f"{(await self.lights.fire('press', who)).name} by {self.lights.args[0]}"


async def test_an_order_is_paid_labelled_and_sent():
    async with testing.environment(app) as env:
        order = await env.client.start(Order)
        with pytest.raises(perdure.UpdateFailedError, match="'pay' is not possible in state 'open': its guard says no"):
            await order.update("pay", 99)
        assert await order.update("pay", 100) == "paid"
        with pytest.raises(perdure.UpdateFailedError, match="'pay' is not possible in state 'paid': possible is noth"):
            await order.update("pay", 100)
        await order.signal("again")
        await order.signal("cancel")  # too late: dropped
        await env.sleep(61)
        assert await order.query(Order.state) == "packed"
        await order.signal("again")
        await order.signal(Order.label)
        assert await order.result() == ["open", "paid", "packed", "packed", "packed", "sent"]
        perdure.replay(app, await order.fetch_history())


async def test_an_order_that_nobody_pays_is_cancelled():
    async with testing.environment(app) as env:
        assert await env.client.execute(Order) == ["open", "cancelled"]
        assert timedelta(days=3) <= env.elapsed < timedelta(days=3, minutes=1)


async def test_a_handler_of_its_own_fires():
    async with testing.environment(app) as env:
        crossing = await env.client.start(Crossing)
        await env.sleep(30 + 20.5 + 30 + 1)
        assert await crossing.update(Crossing.press, "ada") == "OFF by ada"
        assert await crossing.result() == 5
        with pytest.raises(perdure.RunClosedError):
            await crossing.update(Crossing.press, "bob")


async def test_a_handler_of_its_own_hears_what_is_not_possible():
    async with testing.environment(app) as env:
        crossing = await env.client.start(Crossing)
        with pytest.raises(perdure.UpdateFailedError, match="'press' is not possible in state 'red light'"):
            handle = await crossing.start_update(Crossing.press, "bob", wait="accepted")
            await env.sleep(1)
            await handle.result()
        await crossing.terminate()


@testing.seeds(100)
async def test_a_walk_survives_whatever_happens(faults):
    async with testing.environment(app, faults=faults) as env:
        order = await env.client.start(Order, start_signal=perdure.message("label"))
        await order.update("pay", 150)
        assert await order.result() == ["open", "paid", "packed", "sent"]


def test_states_and_transitions_can_be_listed():
    assert LIFE.states == ("open", "paid", "packed", "sent", "cancelled")
    assert [str(way) for way in LIFE.leaving("open")] == ["open -> paid", "open -> cancelled", "open -> cancelled"]
    assert {way.message for way in LIFE.transitions} == {"pay", "cancel", "again", ""}


def test_a_machine_is_drawn():
    assert LIFE.draw() == (
        "stateDiagram-v2\n"
        "    [*] --> open\n"
        "    open --> paid : pay [is_enough]\n"
        "    open --> cancelled : cancel\n"
        "    open --> cancelled : after 3 d\n"
        "    paid --> packed\n"
        "    packed --> packed : again\n"
        "    packed --> sent : [guard]\n"
        "    sent --> [*]\n"
        "    cancelled --> [*]\n"
    )
    assert '    state "red light" as red_light\n' in LIGHTS.draw()
    assert "    green_light --> red_light : after 20.5 s\n" in LIGHTS.draw()


AB = workflow.Transition("a", "b", signal="go")


@pytest.mark.parametrize(
    ("transitions", "final", "says"),
    [
        ([], ["b"], "needs transitions"),
        ([workflow.Transition("a", "c")], ["b"], "a -> c leads to an unknown state 'c'.*Known are 'a', 'b'"),
        ([AB, workflow.Transition("b", "a")], ["b"], "b -> a leaves 'b', which is final"),
        ([AB, workflow.Transition("c", "b")], ["b"], "no transition leads to 'c'"),
        ([AB], ["b", "d"], "no transition leads to 'd'"),
        ([AB, AB], ["b"], "a -> b could never be taken: a -> b has the same trigger"),
        ([workflow.Transition("a", "b", guard=is_enough)] * 2, ["b"], "a -> b is there twice"),
        (
            [workflow.Transition("a", "b", after=1), workflow.Transition("a", "b", after=1.0)],
            ["b"],
            "could never be taken",
        ),
        ([workflow.Transition("a", "b", signal="x", after=1)], ["b"], "one of signal, update and after"),
        ([workflow.Transition("b", "b"), AB], [], "could never be taken|unknown state|no transition leads"),
    ],
)
def test_what_makes_no_sense_is_refused_when_declared(transitions, final, says):
    with pytest.raises(perdure.InvalidArgumentError, match=says):
        if transitions[:1] == [workflow.Transition("b", "b")]:
            workflow.StateMachine("c", transitions, final=final)
        else:
            workflow.StateMachine("a", transitions, final=final)


@app.workflow
async def longer(state: str = "paid") -> str:
    walk = LIFE.walk(Order, state)
    async for here in walk:
        if here == "paid":
            workflow.continue_as_new("packed")
        await walk.fire("nonsense")
    return walk.state


async def test_a_walk_may_begin_where_another_left_off():
    async with testing.environment(app) as env:
        with pytest.raises(perdure.WorkflowFailedError, match="'nonsense' is not possible in state 'cancelled'"):
            await env.client.execute(longer, "cancelled")
        run = await env.client.start(longer)
        await env.sleep(1)
        assert await run.describe()
        await env.client.get(run.id).terminate()


async def test_walking_outside_of_a_workflow_is_refused():
    with pytest.raises(perdure.InvalidArgumentError):
        LIFE.walk()
