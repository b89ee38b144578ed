"""Values survive the way through payloads with the types that their hints name."""

import collections
import collections.abc
import dataclasses
import enum
import ipaddress
import pathlib
import sys
import uuid
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.errors import InvalidArgumentError, LimitExceededError
from perdure.model.payloads import BINARY, JSON, NULL, Payload
from perdure.sdk.converter import Converter

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Line:
    sku: str
    quantity: int


@dataclasses.dataclass(frozen=True)
class Order:
    id: uuid.UUID
    lines: list[Line]
    price: Decimal
    placed: datetime
    wait: timedelta
    note: str | None = None
    tags: frozenset[str] = frozenset()


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@dataclasses.dataclass
class Circle:
    radius: float


@dataclasses.dataclass
class Square:
    side: float
    color: str = "red"


@dataclasses.dataclass
class Group:
    """Contains itself and a union that msgspec refuses, so the converter takes it apart."""

    members: "list[Circle | Square | Group]"
    name: str = ""


@dataclasses.dataclass
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError("must be positive")


@dataclasses.dataclass
class PositiveShape(Positive):
    shape: Circle | Square


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Shapes(NamedTuple):
    first: Circle | Square
    rest: int = 0


class Settings(TypedDict):
    host: str
    port: NotRequired[int]


class Chosen(TypedDict):
    shape: Circle | Square
    label: NotRequired[str]


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Corner(enum.Enum):
    """Values that JSON changes."""

    LEFT = (0, 0)
    RIGHT = (1, 0)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    friend: Cat | None = None


class Renamed(msgspec.Struct, rename="camel"):
    first_shape: Circle | Square


class User(pydantic.BaseModel):
    name: str
    born: date
    balance: Decimal = Decimal(0)


class Aliased(pydantic.BaseModel):
    value: int = pydantic.Field(validation_alias="in", serialization_alias="out")


class Envelope(pydantic.BaseModel, Generic[T]):
    content: T


UserId = NewType("UserId", int)


def round_trip(value: Any, hint: Any, converter: Converter | None = None) -> Any:
    converter = converter or Converter()
    return converter.from_payload(converter.to_payload(value), hint)


offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(timezones=st.just(UTC) | offsets)
texts = st.text(st.characters(codec="utf-8"))
floats = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
lines = st.builds(Line, texts, st.integers())
orders = st.builds(
    Order,
    st.uuids(),
    st.lists(lines, max_size=3),
    decimals,
    instants,
    st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    st.none() | texts,
    st.frozensets(texts, max_size=3),
)
shapes = st.builds(Circle, floats) | st.builds(Square, floats, texts)
groups = st.recursive(
    st.builds(Group, st.lists(shapes, max_size=2), texts),
    lambda inner: st.builds(Group, st.lists(shapes | inner, max_size=3), texts),
    max_leaves=5,
)
users = st.builds(User, name=texts, born=st.dates(), balance=st.decimals(-(10**9), 10**9, places=2))


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        (bool, st.booleans()),
        (int, st.integers()),
        (float, floats),
        (str, texts),
        (bytes, st.binary()),
        (bytearray, st.binary().map(bytearray)),
        (datetime, instants | st.datetimes()),
        (date, st.dates()),
        (time, st.times()),
        (timedelta, st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000))),
        (Decimal, decimals),
        (uuid.UUID, st.uuids()),
        (Color, st.sampled_from(Color)),
        (Corner, st.sampled_from(Corner)),
        (Level, st.sampled_from(Level)),
        (Access, st.sampled_from([Access.READ, Access.READ | Access.WRITE])),
        (list[int], st.lists(st.integers())),
        (set[date], st.sets(st.dates())),
        (frozenset[uuid.UUID], st.frozensets(st.uuids())),
        (tuple[int, str], st.tuples(st.integers(), texts)),
        (tuple[float, ...], st.lists(floats).map(tuple)),
        (dict[str, int], st.dictionaries(texts, st.integers())),
        (dict[int, Line], st.dictionaries(st.integers(-(2**63), 2**63 - 1), lines)),
        (dict[date, list[Line]], st.dictionaries(st.dates(), st.lists(lines, max_size=2), max_size=3)),
        (collections.deque[int], st.lists(st.integers()).map(collections.deque)),
        (collections.abc.Sequence[int], st.lists(st.integers())),
        (collections.abc.Mapping[str, date], st.dictionaries(texts, st.dates())),
        (collections.abc.Iterable[date], st.lists(st.dates())),
        (Point, st.builds(Point, st.integers(), floats)),
        (Shapes, st.builds(Shapes, shapes, st.integers())),
        (Settings, st.fixed_dictionaries({"host": texts}, optional={"port": st.integers()})),
        (Chosen, st.fixed_dictionaries({"shape": shapes}, optional={"label": texts})),
        (Literal["a", "b", 3], st.sampled_from(["a", "b", 3])),
        (Optional[int], st.none() | st.integers()),  # noqa: UP045 - the other spelling
        (int | str | None, st.none() | st.integers() | texts),
        (UserId, st.integers()),
        (Annotated[int, ["unhashable"]], st.integers()),
        (Line, lines),
        (Order, orders),
        (Box[Order], st.builds(Box, orders)),
        (Box[Circle | Square], st.builds(Box, shapes)),
        (Circle | Square, shapes),
        (dict[str, Circle | Square], st.dictionaries(texts, shapes)),
        (tuple[Circle | Square, int], st.tuples(shapes, st.integers())),
        (tuple[Circle | Square, ...], st.lists(shapes).map(tuple)),
        (Group, groups),
        (Cat | Dog, st.builds(Cat, st.integers()) | st.builds(Dog, st.none() | st.builds(Cat, st.integers()))),
        (Renamed, st.builds(Renamed, shapes)),
        (User, users),
        (list[User], st.lists(users, max_size=3)),
        (User | Line, users | lines),
        (Envelope[User], st.builds(Envelope[User], content=users)),
        (Union[datetime, date, str], instants | st.dates() | st.just("not a date")),  # noqa: UP007
        (int | uuid.UUID | Decimal, st.integers() | st.uuids()),
    ],
    ids=str,
)
@given(data=st.data())
def test_values_come_back_with_their_types(hint: Any, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    value = data.draw(values)
    got = round_trip(value, hint)
    assert got == value
    assert type(got) is type(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_without_a_hint_json_stays_json(value: Any) -> None:
    for hint in (None, Any, object):
        assert round_trip(value, hint) == value


def test_an_any_inside_a_type_stays_json() -> None:
    assert round_trip({"a": [1, None]}, dict[str, object]) == {"a": [1, None]}
    assert round_trip(Box({"a": 1}), Box) == Box({"a": 1})


def test_encodings() -> None:
    converter = Converter()
    assert converter.to_payload(None) == Payload(b"", NULL)
    assert converter.to_payload(b"\x00") == Payload(b"\x00", BINARY)
    assert converter.to_payload({"a": 1}) == Payload(b'{"a":1}', JSON)
    assert converter.to_payload(timedelta(days=2, seconds=3)).data == b'"P2DT3S"'


def test_null_is_none_whatever_the_hint() -> None:
    assert round_trip(None, int) is None
    assert round_trip(None, Line) is None


def test_bytes_for_a_hint_that_cannot_hold_them() -> None:
    with pytest.raises(InvalidArgumentError, match="no str: the payload holds bytes"):
        round_trip(b"x", str)
    assert round_trip(b"x", bytes | None) == b"x"


@pytest.mark.parametrize(
    "value",
    [
        pathlib.PurePosixPath("/a/b"),
        ipaddress.IPv4Address("10.0.0.1"),
        ipaddress.IPv6Network("fe80::/64"),
        zoneinfo.ZoneInfo("Europe/Berlin"),
    ],
    ids=repr,
)
def test_types_that_are_text(value: Any) -> None:
    assert round_trip(value, type(value)) == value
    assert round_trip([value], list[type(value)]) == [value]  # type: ignore[misc]


def test_subclasses_and_views_become_what_they_stand_for() -> None:
    class Name(str):
        pass

    class Amount(int):
        pass

    plain = [Name("a"), Amount(3), collections.OrderedDict(a=1), collections.defaultdict(int, b=2), {"k": 1}.keys()]
    assert round_trip(plain, None) == ["a", 3, {"a": 1}, {"b": 2}, ["k"]]


def test_pydantic_aliases_do_not_matter() -> None:
    assert round_trip(Aliased.model_validate({"in": 3}), Aliased).value == 3


def test_pydantic_is_not_imported_for_others() -> None:
    import subprocess

    code = (
        "import sys; from perdure.sdk.converter import Converter; c = Converter();"
        "assert c.from_payload(c.to_payload({'a': 1}), dict[str, int]) == {'a': 1};"
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        ({"sku": "a", "quantity": "many"}, Line, r"no Line: Expected `int`, got `str` - at `\$.quantity`"),
        ({"sku": "a"}, Line, "missing required field `quantity`"),
        ([{"sku": "a", "quantity": None}], list[Line], r"at `\$\[0\].quantity`"),
        ("x", int, "Expected `int`, got `str`"),
        ({"members": [{"members": [{"radius": "wide"}]}]}, Group, r"fits none of them - at `\$.members\[0\]"),
        ({"a": {"side": "long"}}, dict[str, Circle | Square], r"at `\$.a`"),
        ([1], tuple[Circle | Square, int], "array` of length 2"),
        ({"shape": 1}, Chosen, r"at `\$.shape`"),
        ("green", Color, "Invalid enum value"),
        ([9, 9], Corner, "Invalid enum value"),
        ({"name": "a"}, User, "born"),
        ("10.0.0.999", ipaddress.IPv4Address, "Expected `IPv4Address`"),
        ({"type": "Fish"}, Cat | Dog, "Invalid value"),
        (1, complex, "cannot make from JSON"),
        ({"number": -1}, Positive, "must be positive"),
        ({"number": -1, "shape": {"side": 1}}, PositiveShape, "must be positive"),
        ({"first": 1}, Shapes, "Expected `array`"),
        ([1, 2, 3, 4], Shapes, "array` of length 2"),
        (3, list[Circle | Square], "Expected `array`"),
        (3, dict[str, Circle | Square], "Expected `object`"),
        ({}, Chosen, "missing required field `shape`"),
        (1, collections.abc.Callable, "cannot make from JSON"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_with_its_place(value: Any, hint: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        round_trip(value, hint)


def test_a_payload_that_is_no_json() -> None:
    converter = Converter()
    for data in (b"{", b'"\xff"', b""):
        with pytest.raises(InvalidArgumentError, match="holds no JSON"):
            converter.from_payload(Payload(data))
    with pytest.raises(InvalidArgumentError, match=r"'binary/zlib'.*codec"):
        converter.from_payload(Payload(b"x", "binary/zlib"))


@pytest.mark.parametrize(
    "value",
    [object(), {(1, 2): 3}, 3j, [lambda: 1], "\ud800", (i for i in [1]), {"a": {"b": sys}}],
    ids=["object", "tuple key", "complex", "function", "surrogate", "generator", "module"],
)
def test_what_has_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot become a payload"):
        Converter().to_payload(value)


def test_what_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgumentError, match="cannot become a payload"):
        Converter().to_payload(endless)


def test_arguments_are_counted_from_one() -> None:
    converter = Converter()
    with pytest.raises(InvalidArgumentError, match="argument 2: a value of type object"):
        converter.to_payloads((1, object()))
    payloads = converter.to_payloads(("a", "b"))
    with pytest.raises(InvalidArgumentError, match="argument 2: the value is no int"):
        converter.from_payloads(payloads, (str, int))
    assert converter.from_payloads(payloads, (str,)) == ["a", "b"]
    assert converter.from_payloads(payloads) == ["a", "b"]
    assert converter.to_payloads(()) == ()


def test_too_large_a_payload_names_the_setting() -> None:
    with pytest.raises(LimitExceededError, match=r"takes 12 bytes, .*limit is 10: .*max_payload_bytes"):
        Converter(max_payload_bytes=10).to_payload("x" * 10)
    with pytest.raises(LimitExceededError, match="argument 1"):
        Converter(max_payload_bytes=10).to_payloads([b"x" * 11])


def test_types_of_ones_own() -> None:
    class Money:
        def __init__(self, cents: int) -> None:
            self.cents = cents

    @dataclasses.dataclass
    class Price:
        net: Money

    def to_json(value: Any) -> Any:
        if isinstance(value, Money):
            return {"cents": value.cents}
        raise NotImplementedError

    def from_json(hint: Any, value: Any) -> Any:
        if hint is Money:
            return Money(value["cents"])
        raise NotImplementedError

    converter = Converter(to_json=to_json, from_json=from_json)
    assert round_trip(Money(3), Money, converter).cents == 3
    assert round_trip(User(name="a", born=date(2000, 1, 1)), User, converter).name == "a"
    assert msgspec.json.decode(converter.to_payload([Money(3)]).data) == [{"cents": 3}]
    with pytest.raises(InvalidArgumentError):
        converter.to_payload(object())


def test_memo_and_search_attributes() -> None:
    converter = Converter()
    payloads = converter.to_payload_map({"a": 1, "b": None})
    assert converter.from_payload_map(payloads) == {"a": 1, "b": None}
    assert converter.to_payload_map({}) is None
    assert converter.to_search_attributes(None) is None
    assert converter.from_payload_map(None) == {}
    with pytest.raises(InvalidArgumentError, match="'b': a value of type object"):
        converter.to_payload_map({"a": 1, "b": object()})


def test_a_hint_that_cannot_be_resolved_says_where_types_belong() -> None:
    @dataclasses.dataclass
    class Lost:
        field: "Nowhere"  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidArgumentError, match="top level of its module"):
        Converter().from_payload(Payload(b'{"field":1}'), Lost)
