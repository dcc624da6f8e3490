"""What is proved to be plain is written by orjson as json writes it, and nothing else is proved."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import gc
import json
import math
import struct
import subprocess
import sys
import threading
import time
import uuid
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Policy, Rule, Sanitizer
from body_guard.core import encode as encoding
from body_guard.core import proof as module
from body_guard.core.encode import encode
from body_guard.core.proof import Seen, proof_of

from strategies import clean

MOST = 2**29
SANITIZER = Sanitizer()


def as_httpx(value: Any) -> bytes:
    """Encode as httpx 0.28 does (``httpx/_content.py``, ``encode_json``)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@pytest.fixture(params=["together", "one-by-one"], autouse=True)
def look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Prove with the collector's help and without it."""
    if request.param == "one-by-one":
        monkeypatch.setattr(module, "_COLLECTOR_TELLS", False)
    elif not module._COLLECTOR_TELLS:
        pytest.skip("this interpreter's collector does not tell")
    return str(request.param)


def around(leaf: Any) -> list[Any]:
    """Give bodies in which something stands where each part of the proof looks."""
    return [
        [leaf],
        {"a": leaf},
        {"a": {"b": [1, (leaf,)]}},
        [leaf] * 100,
        ["a"] * 100 + [leaf],
        [1.5] * 100 + [leaf],
        [1] * 5000 + [leaf],
        ["a"] * 500 + [leaf],
        {f"k{n}": leaf if n == 99 else n for n in range(100)},
        [{"a": "b", "c": leaf if n == 19 else "d"} for n in range(20)],
        [{"a": n, "c": leaf if n == 19 else "d"} for n in range(20)],
        [[["x"]] * 30, {"y": [[leaf]] * 30}],
    ]


PLAIN: dict[str, tuple[Any, str]] = {
    "string": ("text", "orjson"),
    "empty": ("", "orjson"),
    "astral": ("\U0001f600\u2028\x7f\x00", "orjson"),
    "int": (1, "orjson"),
    "2**63": (2**63, "orjson"),
    "2**64-1": (2**64 - 1, "orjson"),
    "-2**63": (-(2**63), "orjson"),
    "2**64": (2**64, ""),  # a walk counts its digits
    "-2**64": (-(2**64), ""),
    "-2**63-1": (-(2**63) - 1, "orjson"),
    "true": (True, "orjson"),
    "none": (None, "orjson"),
    "zero": (0.0, "orjson"),
    "minus-zero": (-0.0, "orjson"),
    "float": (-1234.5678, "orjson"),
    "least": (1e-4, "orjson"),
    "largest": (9999999999999998.0, "orjson"),
    "small": (9.9e-5, "json"),
    "tiny": (-5e-324, "json"),
    "large": (1e16, "json"),
    "list": ([1, []], "orjson"),
    "dict": ({"a": {}}, "orjson"),
    "tuple": ((1, ()), "orjson"),
}


@pytest.mark.parametrize(("leaf", "by"), PLAIN.values(), ids=PLAIN)
def test_plain_data_is_proved_wherever_it_stands(leaf: Any, by: str) -> None:
    """Exact types only, and floats in the window where every encoder writes them alike."""
    for body in around(leaf):
        assert proof_of(body, MOST) == by
        assert encode(body, by) == as_httpx(body)  # type: ignore[arg-type]
        assert SANITIZER.encode(body)[0] == as_httpx(body)


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Names(dict):  # type: ignore[type-arg]
    pass


class Items(list):  # type: ignore[type-arg]
    pass


class Pair(NamedTuple):
    a: int


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Hashing(type):
    def __hash__(cls) -> int:
        raise SystemExit("a class was hashed")

    def __eq__(cls, other: object) -> bool:
        raise SystemExit("a class was compared")


class Hostile(metaclass=Hashing):
    @property
    def __class__(self) -> Any:
        raise SystemExit("__class__ was asked")

    def __len__(self) -> int:
        raise SystemExit("__len__ was asked")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("__eq__ was asked")

    __hash__ = None  # type: ignore[assignment]


FOREIGN: dict[str, Any] = {
    "object": object(),
    "hostile": Hostile(),
    "str-subclass": Text("x"),
    "int-subclass": Number(1),
    "float-subclass": Real(1.0),
    "dict-subclass": Names(a=1),
    "ordered": collections.OrderedDict(a=1),
    "list-subclass": Items([1]),
    "named-tuple": Pair(1),
    "enum": Colour.RED,
    "int-enum": Level.LOW,
    "uuid": uuid.UUID(int=1),
    "datetime": datetime.datetime(2026, 1, 1),
    "decimal": decimal.Decimal(1),
    "bytes": b"x",
    "set": {1},
    "complex": 1j,
    "nan": math.nan,
    "inf": math.inf,
    "class": dict,
    "int-name": {1: "x"},
    "none-name": {None: "x"},
    "str-subclass-name": {Text("a"): "x"},
    "tuple-name": {("a",): "x"},
    "mixed-names": {"a": 1, 2: "x"},
}


@pytest.mark.parametrize("name", FOREIGN)  # pytest asks a parameter for its class
def test_nothing_else_is_proved(name: str) -> None:
    """What an encoder might write in its own way, or ask for its own code, goes to the walk."""
    for body in around(FOREIGN[name]):
        assert proof_of(body, MOST) == ""


def test_a_fragment_of_orjson_is_not_proved() -> None:
    """Its raw bytes would be written as they are."""
    orjson = pytest.importorskip("orjson")
    for body in around(orjson.Fragment(b'{"_sentry_x":1}')):
        assert proof_of(body, MOST) == ""


def test_only_a_container_is_proved() -> None:
    """A body that is a single string is rare, and walked in no time."""
    for value in ("text", 1, None, Names(), Hostile()):
        assert proof_of(value, MOST) == ""


def test_untracked_containers_are_looked_into() -> None:
    """The collector forgets dicts and tuples that hold atoms alone; the proof does not."""
    for leaf in (Text("x"), b"x", 1j, decimal.Decimal(1)):
        inner = (leaf,)
        bodies = [[{"a": leaf} for _ in range(40)], [(leaf,) for _ in range(40)], [(inner,)]]
        gc.collect()
        for body in bodies:
            assert proof_of(body, MOST) == ""
    names = [{1: "x"} for _ in range(40)]
    gc.collect()
    assert proof_of(names, MOST) == ""


@pytest.mark.parametrize(
    ("levels", "by"), [(250, "orjson"), (251, "json"), (900, "json"), (901, ""), (100_000, "")]
)
@pytest.mark.parametrize("wide", [1, 20], ids=["thin", "wide"])
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_proof_goes_down_so_far(levels: int, by: str, wide: int, kind: str) -> None:
    """As far as orjson goes, as far as json goes with the usual stack, and not on."""
    body: Any = []
    for _ in range(levels - 1):
        body = [body] if kind == "list" else {"a": body}
    if wide > 1 and levels < 1000:
        # The deep branch stands among many, which are looked at first and last.
        inner = body[0] if kind == "list" else body["a"]
        body = [[1], *([2] for _ in range(wide)), inner, *([3] for _ in range(wide))]
    assert proof_of(body, MOST) == by


def cycle() -> Any:
    body: list[Any] = [1]
    body.append({"a": body})
    return body


def doubled(times: int, kind: type) -> Any:
    body: Any = kind([1])
    for _ in range(times):
        body = kind([body, body])
    return body


def many_of(value: Any) -> Any:
    return [value] * 100_000


UNFOLDING: dict[str, Any] = {
    "cycle": cycle,
    "wide-cycle": lambda: (lambda body: body.extend([body] * 100) or body)([1]),  # type: ignore[func-returns-value]
    "doubled-lists": lambda: doubled(60, list),
    "doubled-tuples": lambda: doubled(60, tuple),
    "list-in-few-places": lambda: [["x"] * 200_000] * 3,
    "list-in-many-places": lambda: many_of(["x"] * 100_000),
    "dict-in-many-places": lambda: many_of({f"k{n}": 1 for n in range(1000)}),
    "text-in-many-places": lambda: many_of("x" * 10_000),
    "name-in-many-places": lambda: many_of({"x" * 10_000: 1}),
    "name-of-many-dicts": lambda: [{"x" * 10_000: n} for n in range(100_000)],
    "text-in-many-lists": lambda: [["x" * 10_000, 1] for _ in range(100_000)],
}


@pytest.mark.parametrize("make", UNFOLDING.values(), ids=UNFOLDING)
def test_what_unfolds_to_too_much_is_not_proved(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A little memory that an encoder would make terabytes of is seen before it does."""
    monkeypatch.setattr(module, "_MOST", 500_000)  # eight million take a second
    body = make()
    gc.collect()
    assert proof_of(body, MOST) == ""


def test_the_bound_is_on_bytes() -> None:
    """More text than may be sent is left to the walk, which says so."""
    assert proof_of(["x" * 10] * 100, 1000) == "orjson"
    assert proof_of(["x" * 10] * 101, 1000) == ""
    assert proof_of([{"x" * 10: 1}] * 101, 1000) == ""
    assert proof_of({"x" * 1001: 1}, 1000) == ""


def test_large_bodies_are_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many turns, where each container stands once; and not where most stand many times."""
    monkeypatch.setattr(module, "_TURNS", 2)
    rows = [{"a": n, "b": [str(n)]} for n in range(2000)]
    assert proof_of(rows, MOST) == "orjson"
    if module._COLLECTOR_TELLS:
        assert proof_of([rows[0]] * 2000, MOST) == ""


@given(clean)
def test_a_proof_is_true(body: Any) -> None:
    """Whatever is proved, each encoder named writes as json does, or refuses."""
    by = proof_of(body, MOST)
    if by:
        assert encode(body, by) == as_httpx(body)


#: Nested data of all kinds that json knows, and of some it does not.
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=2)
    | st.decimals()
    | st.uuids()
    | st.sampled_from([*Colour, *Level]),
    lambda inner: (
        st.lists(inner, max_size=80)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=80)
        | st.tuples(inner, inner)
    ),
    max_leaves=60,
)


@given(ANY)
def test_a_proof_of_anything_is_true(body: Any) -> None:
    """Where it holds, orjson's bytes are json's, or it raises and so may json."""
    by = proof_of(body, MOST)
    if not by:
        return
    try:
        expected = as_httpx(body)
    except ValueError:  # a lone surrogate
        with pytest.raises((TypeError, ValueError)):
            encode(body, by)
    else:
        assert encode(body, by) == expected


def test_all_of_unicode_is_written_alike() -> None:
    """Every character, as a value and as a name; of surrogates, an error."""
    whole = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    step = 4096
    body = {whole[at : at + step]: whole[at : at + step] for at in range(0, len(whole), step)}
    assert proof_of(body, MOST) == "orjson"
    assert encode(body, "orjson") == as_httpx(body)
    for code in range(0xD800, 0xE000):
        with pytest.raises((TypeError, ValueError)):
            encode([chr(code)], "orjson")


def test_all_exponents_are_written_alike() -> None:
    """Floats of every exponent, with few digits and with all, and around the window's edges."""
    floats = [
        struct.unpack("<d", struct.pack("<Q", (sign << 63) | (exponent << 52) | digits))[0]
        for sign in (0, 1)
        for exponent in range(2047)
        for digits in (0, 1, 2**51, 2**52 - 1, 0x5DEECE66D1234)
    ]
    for edge in (1e-4, 1e16):
        for towards in (0.0, math.inf):
            value = edge
            for _ in range(100):
                floats += [value, -value]
                value = _next(value, towards)
    by_orjson = [item for item in floats if proof_of([item], MOST) == "orjson"]
    assert {proof_of([item], MOST) for item in floats} == {"orjson", "json"}
    assert encode(by_orjson, "orjson") == as_httpx(by_orjson)
    assert SANITIZER.encode(floats)[0] == as_httpx(floats)
    assert min(map(abs, filter(None, by_orjson))) == 1e-4


def _next(value: float, towards: float) -> float:
    bits = struct.unpack("<q", struct.pack("<d", value))[0]
    step = 1 if towards > value else -1
    return float(struct.unpack("<d", struct.pack("<q", bits + step))[0])


@pytest.mark.parametrize("power", [31, 32, 53, 62, 63, 64, 65, 4000])
def test_integers_are_written_alike(power: int) -> None:
    """Around every power where an encoder might change its mind."""
    numbers = [sign * (2**power + near) for sign in (1, -1) for near in range(-3, 4)]
    for number in numbers:
        assert SANITIZER.encode([number])[0] == as_httpx([number])


def test_a_dict_that_another_thread_changes_is_not_proved_wrong() -> None:
    """A proof holds of some state, or there is none; it never fails."""
    body: dict[str, Any] = {"a": {f"k{n}": n for n in range(40)}}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            body["a"]["x"] = 1
            body["a"].pop("x")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            assert proof_of(body, MOST) in ("orjson", "")
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"a": {"b": {"c": 1}}}, id="one in one"),
        pytest.param([1, "a", {"b": [2, []], "c": (3, ("d",), None)}, {}], id="few"),
        pytest.param({"a": [*range(100)], "b": {str(n): n for n in range(100)}}, id="long"),
        pytest.param([{"a": [n, "b"], "c": (n, {})} for n in range(700)], id="many"),
        pytest.param([[*range(300)]] * 30, id="many and long"),
    ],
)
def test_what_was_looked_at_is_kept(body: Any, look: str) -> None:
    """Container by container, so that the collector gives the same members as long as they are."""
    seen = Seen()
    assert proof_of(body, MOST, seen) == "orjson"
    if look == "one-by-one":
        assert (seen.containers, seen.members) == ([], [])
        return
    assert {*map(id, seen.containers)} == {*map(id, containers(body))}
    assert len(seen.containers) == len(containers(body))
    members = gc.get_referents(*seen.containers)
    assert [*map(id, members)] == [*map(id, seen.members)]


def containers(body: Any) -> list[Any]:
    """Give a body's containers, each wherever it stands."""
    if not isinstance(body, (dict, list, tuple)):
        return []
    below = body.values() if isinstance(body, dict) else body
    return [body, *(found for item in below for found in containers(item))]


def test_a_change_while_a_dict_is_read_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """The RuntimeError of a dict that changed its size says nothing about the body."""
    inner: dict[str, Any] = {"a": 1, "b": 2}

    def measured(value: Any) -> int:
        if value == "a":
            inner["c"] = 3  # between two names
        return len(value)

    monkeypatch.setattr(module, "len", measured, raising=False)
    assert proof_of([inner], MOST) == ""


@pytest.mark.parametrize(
    "rules",
    [
        (Rule("r", keys=("b",)),),
        (Rule("r", prefixes=("b",)),),
        (*(Rule(f"r{n}", keys=(f"x{n}", f"-{n}")) for n in range(100)), Rule("r", keys=("b",))),
    ],
    ids=["key", "prefix", "many"],
)
def test_a_forbidden_name_goes_to_the_walk(rules: Any) -> None:
    """However it is found, what is proved to be plain is not clean yet; text is not a name."""
    sanitizer = Sanitizer(Policy(rules))
    text = 'the "b": and {"b":1}, \\"b"'
    content, report = sanitizer.encode({"a": text, "c": ["b", {"b": 1, "d": "b"}]})
    assert content == as_httpx({"a": text, "c": ["b", {"d": "b"}]})
    assert [(found.path, found.rule) for found in report.findings] == [("/c/1/b", "r")]


def test_without_orjson_json_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where orjson is not installed, the proof still saves the walk."""
    monkeypatch.setitem(sys.modules, "orjson", None)
    encoding._orjson.cache_clear()
    try:
        assert encode(["é", 1.5], "orjson") == '["é",1.5]'.encode()
    finally:
        encoding._orjson.cache_clear()


def test_importing_us_does_not_import_orjson() -> None:
    """It is loaded when the first body is written."""
    script = "import sys, body_guard; assert 'orjson' not in sys.modules; print('done')"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr


def test_a_collector_that_does_not_tell_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other interpreters, and CPython without the GIL, take the loop."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert module._collector_tells() is False
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    monkeypatch.setattr(gc, "get_referents", lambda *values: [])
    assert module._collector_tells() is False
