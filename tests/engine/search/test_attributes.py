"""Types that are decided ahead of their transaction."""

import msgspec

from perdure.engine.ports import Write
from perdure.engine.search.attributes import Attributes
from perdure.kernel.run import Run
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.limits import DEFAULT_LIMITS
from perdure.model.payloads import Payload
from perdure.model.search import AttributeType

INT, KEYWORD = AttributeType.INT, AttributeType.KEYWORD
PLACE = ("default", "Amount", INT)


def put(attributes: Attributes, value: object) -> Write:
    """A run's commit that sets Amount."""
    run = Run("default", "run-1", WorkflowExecutionStarted(1, 0, "w", "Order", "default"))
    run.search_attributes = {"Amount": Payload(msgspec.json.encode(value))}
    write = Write(1, 1)
    attributes.put(write, run)
    return write


def refused(attributes: Attributes, value: object) -> bool:
    return bool(attributes.problem("default", {"Amount": Payload(msgspec.json.encode(value))}, DEFAULT_LIMITS))


def test_each_commit_brings_a_type_along_until_it_is_durable():
    attributes = Attributes()
    assert put(attributes, 5).attribute_types == [PLACE]
    assert refused(attributes, "x") and not refused(attributes, 6)
    attributes.flushed()
    assert put(attributes, 6).attribute_types == [PLACE]  # in the next batch, while the first is written
    attributes.written()
    assert put(attributes, 7).attribute_types == ()
    attributes.flushed()
    attributes.undone()
    assert attributes.known == {"default": {"Amount": INT}}


def test_a_type_whose_batch_is_undone_never_was():
    attributes = Attributes()
    put(attributes, 5)
    attributes.flushed()
    put(attributes, 6)
    attributes.undone()
    assert attributes.known == {"default": {}}
    assert put(attributes, "x").attribute_types == [("default", "Amount", KEYWORD)]
    attributes.flushed()
    attributes.written()
    assert refused(attributes, 5)


def test_what_is_stored_is_known():
    attributes = Attributes()
    attributes.load({"default": {"Amount": INT}})
    write = put(attributes, 5)
    assert (write.attribute_types, write.entries) == ((), {("Amount", 5)})
