"""Bytes to Python values: what a fuzzer changes in the bytes, it changes in the value."""

from __future__ import annotations

import collections
import enum
import math
import struct
from typing import TYPE_CHECKING, Any

from body_guard import Policy, Rule, presets

from hostile import Span

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EVERY_PRESET", "POLICIES", "PRESETS", "Reader", "value_of"]

_MOST_CONTAINERS = 3_000


class Text(str):
    pass


class Role(str, enum.Enum):
    USER = "user"


class Level(enum.IntEnum):
    LOW = 1


class Dict(dict):  # type: ignore[type-arg]
    pass


class Items(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [("said", 1)]


class List(list):  # type: ignore[type-arg]
    pass


NAMES = (
    "a", "b", "k", "é", "k\n", "", "_sentry_x", "_sentrysdk_", "_", "_s", "__", "metadata",
    "messages", "properties", "tools", "litellm_params", "\U0001f600", "x" * 70,
)  # fmt: skip
ODD_KEYS = (1, None, True, 1.5, math.nan, b"x", (1,), "\ud800", "_sentry_\udfff", Level.LOW)
DIGITS = (19, 20, 300, 601, 604, 700, 4299, 4300)
LEVELS = (*range(1, 31), 700, 1999, 2000)
LEAVES = (
    True, False, None, "", "\ufffd", -0.0, math.nan, math.inf, 2**63 - 1, -(2**63), 2**64, 10**600,
    Text("a"), Role.USER, Level.LOW, Span(), b"x", {1}, ..., "\ud83d\ude00", "a\udfffb",
)  # fmt: skip


class Reader:
    """The bytes, one after the other; zeros behind the last."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        return self.bytes(1)[0]

    def bytes(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken.ljust(size, b"\0")

    def one_of(self, choices: Any) -> Any:
        return choices[self.byte() % len(choices)]

    def text(self) -> str:
        codec, width = self.one_of((("latin-1", 1), ("utf-16-le", 2), ("utf-32-le", 4)))
        characters = self.bytes(width * (self.byte() % 40))
        if width == 4:  # 21 bits of each are a character
            numbers = struct.unpack(f"<{len(characters) // 4}I", characters)
            return "".join(chr(number % 0x110000) for number in numbers)
        return characters.decode(codec, "surrogatepass")

    def long_text(self) -> str:
        times = self.byte() * self.one_of((1, 4, 5, 16))
        return "x" * times + self.text() + "y" * self.byte()

    def key(self) -> Any:
        kind = self.byte() % 8
        if kind < 4:
            return self.one_of(NAMES)
        if kind == 4:
            return self.one_of(NAMES) + self.text()
        if kind == 5:
            return Text(self.one_of(NAMES))
        return self.text() if kind == 6 else self.one_of(ODD_KEYS)


class _Builder:
    """A value that grows: the containers that are open, and all that there ever were."""

    def __init__(self) -> None:
        self.body: list[Any] = []
        self.open: list[Any] = [self.body]
        self.keys: list[Any] = [None]  # of what was put last into each of them
        self.all: list[Any] = []

    def put(self, value: Any, reader: Reader) -> None:
        into = self.open[-1]
        if type(into) is list:
            into.append(value)
        else:
            self.keys[-1] = reader.key()
            into[self.keys[-1]] = value

    def start(self, container: Any, reader: Reader) -> None:
        if len(self.all) < _MOST_CONTAINERS:
            self.put(container, reader)
            self.all.append(container)
            self.open.append(container)
            self.keys.append(None)

    def end(self, kind: Callable[[Any], Any] | None) -> None:
        if len(self.open) == 1:
            return
        container = self.open.pop()
        self.keys.pop()
        if kind is None or (type(container) is list) != (kind in (tuple, List)):
            return
        into = self.open[-1]
        into[-1 if type(into) is list else self.keys[-1]] = kind(container)


_KINDS = (None, None, None, tuple, List, Dict, Items, collections.OrderedDict)


def value_of(reader: Reader) -> Any:
    """Build a value: of containers that may be shared or hold themselves, and leaves of all sorts."""
    builder = _Builder()
    while reader:
        step = reader.byte()
        kind = step % 12
        if kind == 0:
            builder.end(_KINDS[(step // 12) % len(_KINDS)])
        elif kind in (1, 2):
            builder.start({} if kind == 1 else [], reader)
        elif kind == 3:
            builder.put(reader.text(), reader)
        elif kind == 4:
            builder.put(reader.long_text(), reader)
        elif kind == 5:
            builder.put(
                int.from_bytes(reader.bytes(reader.byte() % 12), "big", signed=True), reader
            )
        elif kind == 6:
            builder.put(10 ** reader.one_of(DIGITS), reader)
        elif kind == 7:
            builder.put(struct.unpack("<d", reader.bytes(8))[0], reader)
        elif kind in (8, 9):
            builder.put(reader.one_of(LEAVES), reader)
        elif kind == 10 and builder.all:
            builder.put(reader.one_of(builder.all), reader)
        elif kind == 11:
            for _ in range(reader.one_of(LEVELS)):
                builder.start([], reader)
    return builder.body[0] if len(builder.body) == 1 else builder.body


#: Written out, since older versions cannot be asked (tests/compare_checkouts.py).
PRESETS = (
    "sentry", "litellm", "litellm-replay", "cloud-credentials", "opentelemetry", "datadog",
    "langfuse", "langfuse-trace", "langchain", "helicone", "mlflow", "opik", "posthog", "traceloop",
    "trace-headers", "app-ui", "generic-private",
)  # fmt: skip
EVERY_PRESET = presets(*PRESETS)
_SMALL, _LARGE = 2**16, 2**22
POLICIES = (
    Policy(max_bytes=_LARGE),
    Policy(EVERY_PRESET, max_bytes=_SMALL),
    Policy((Rule("here", keys=("k", "a"), scope=("/*", "/a/**")),), max_bytes=_SMALL),
    Policy(
        (Rule("but", prefixes=("k", "_"), exceptions=("/a/*",), protect=True),), max_bytes=_SMALL
    ),
    Policy(
        (
            Rule("first", keys=("k",), action="replace", replacement="\ufffd", scope=("/*",)),
            Rule("second", keys=("k", "é"), action="replace", replacement=None),
            Rule("third", prefixes=("a", "_s"), action="report"),
        ),
        max_bytes=_SMALL,
    ),
    Policy((Rule("refused", keys=("k",), action="reject"),), max_bytes=_SMALL),
    Policy((Rule("typed", types=("sentry_sdk.tracing.Span",)),), max_bytes=_SMALL),
    Policy(unserializable="reject", max_bytes=200),
)
