"""What is read from functions and classes when they are declared."""

import asyncio
from typing import Any

import pytest

from perdure.model.errors import InvalidArgumentError
from perdure.sdk import workflow
from perdure.sdk.definitions import (
    activity_definition_of,
    define_activity,
    define_workflow,
    workflow_definition_of,
)
from perdure.sdk.signatures import Signature


async def takes(a: int, b: "Later", c: str = "x") -> "list[Later]": ...  # type: ignore[empty-body]


class Later:
    """Defined after the function that names it."""


async def untyped(a, b):
    pass


async def any_number(first: int, *rest: str) -> None: ...


def test_types_are_read_late() -> None:
    signature = Signature.of(takes)
    assert signature.parameter_types == (int, Later, str)
    assert signature.required == 2
    assert signature.return_type == list[Later]
    assert Signature.of(untyped).parameter_types == (Any, Any)
    assert Signature.of(any_number).parameter_types is None


def test_arguments_are_put_in_order() -> None:
    signature = Signature.of(takes)
    assert signature.bind((1, 2), {}) == (1, 2)
    assert signature.bind((1,), {"b": 2}) == (1, 2, "x")
    assert signature.bind((1,), {"c": "y", "b": 2}) == (1, 2, "y")
    for args, kwargs, message in [
        ((), {}, "takes(): missing a required argument: 'a'"),
        ((1, 2, 3, 4), {}, "takes(): too many positional arguments"),
        ((1, 2), {"d": 3}, "takes(): got an unexpected keyword argument 'd'"),
    ]:
        with pytest.raises(TypeError) as raised:
            signature.bind(args, kwargs)
        assert message in str(raised.value)
    assert Signature.of(any_number).bind((1, "a", "b"), {}) == (1, "a", "b")


def test_a_hint_that_cannot_be_resolved_is_named() -> None:
    async def lost(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidArgumentError, match=r"a type hint of .*lost cannot be resolved: .*Nowhere"):
        Signature.of(lost)


def test_arguments_that_must_be_named_are_refused() -> None:
    async def named(*, a: int) -> None: ...

    with pytest.raises(InvalidArgumentError, match="needs the keyword argument 'a'"):
        Signature.of(named)


def test_functions_that_cannot_be_workflows() -> None:
    def plain() -> None: ...

    class NoRun: ...

    class PlainRun:
        def run(self) -> None: ...

    class NeedsArguments:
        def __init__(self, a: int) -> None: ...

        async def run(self) -> None: ...

    cases: list[tuple[Any, str]] = [
        (plain, "must be an async function"),
        (NoRun, r"needs an async method run\(\)"),
        (PlainRun, r"needs an async method run\(\)"),
        (NeedsArguments, "is made without arguments"),
    ]
    for target, message in cases:
        with pytest.raises(InvalidArgumentError, match=message):
            define_workflow(target)


class Base:
    async def run(self, a: int) -> str:
        return str(a)

    @workflow.signal
    def inherited(self, n: int) -> None: ...

    @workflow.signal(name="renamed")
    async def other(self) -> None: ...

    @workflow.query
    def ask(self, what: str) -> int:
        return 1

    @workflow.update
    async def change(self, n: int) -> str:
        return ""

    @change.validator
    def check(self, n: int) -> None: ...


class Derived(Base):
    @workflow.signal
    def own(self) -> None: ...


def test_a_class_and_its_handlers() -> None:
    definition = define_workflow(Derived)
    assert definition.name == "Derived"
    assert definition.parameter_types == (int,)
    assert definition.return_type is str
    assert sorted(definition.signals) == ["inherited", "own", "renamed"]
    assert definition.signals["inherited"].parameter_types == (int,)
    assert definition.queries["ask"].return_type is int
    assert definition.updates["change"].validator is Base.check


def test_handlers_are_methods_on_instances_and_references_on_the_class() -> None:
    assert repr(Base.change) == "<workflow update 'change'>"
    assert Base.inherited.name == "inherited"
    instance = Base()
    assert instance.ask("x") == 1
    assert asyncio.run(instance.change(1)) == ""


def test_two_handlers_of_one_name_are_refused() -> None:
    class Twice(Base):
        @workflow.signal(name="inherited")
        def again(self) -> None: ...

    with pytest.raises(InvalidArgumentError, match="two handlers for the signal 'inherited'"):
        define_workflow(Twice)


def test_queries_and_validators_may_not_wait() -> None:
    async def waits(self: Any) -> None: ...

    with pytest.raises(InvalidArgumentError, match="must be a plain function, not async"):
        workflow.query(waits)
    with pytest.raises(InvalidArgumentError, match="must be a plain function, not async"):
        Base.change.validator(waits)  # type: ignore[arg-type]


def test_where_activities_run() -> None:
    def plain() -> None: ...

    assert define_activity(takes).executor == "async"
    assert define_activity(plain).executor == "thread"
    assert define_activity(plain, executor="process").executor == "process"
    with pytest.raises(InvalidArgumentError, match="cannot run on executor 'thread'"):
        define_activity(takes, executor="thread")


def test_what_is_not_decorated_has_no_definition() -> None:
    with pytest.raises(InvalidArgumentError, match=r"decorate it with @app\.workflow"):
        workflow_definition_of(Base)
    with pytest.raises(InvalidArgumentError, match=r"decorate it with @app\.activity"):
        activity_definition_of(takes)
