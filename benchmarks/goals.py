"""What body_guard promises of its cost: DESIGN section 8 row by row, and a few promises more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BYTES",
    "BYTES_1_KB",
    "BYTES_CODE",
    "CALL",
    "DUMPS",
    "ENCODE",
    "FAULTS",
    "GROWTH",
    "IMPORT",
    "PURE",
    "PURE_DEPTH",
    "REQUEST",
    "REQUEST_1_KB",
    "SECTION_8",
    "SENT",
    "SENT_1_KB",
    "SPAN",
    "STALL",
    "TANGLED",
    "Goal",
]


@dataclass(frozen=True, slots=True)
class Goal:
    """A promise.

    Attributes:
        row: What it is about.
        limits: The most that the median may come to, by side; with `at_least`, the least.
        at_least: Whether more is better.
    """

    row: str
    limits: Mapping[str, float]
    at_least: bool = False

    def met(self, side: str, middle: float) -> bool:
        """Check whether the median of a side keeps the promise."""
        limit = self.limits[side]
        return middle >= limit if self.at_least else middle <= limit


def _goal(row: str, default: float, every: float, *, at_least: bool = False) -> Goal:
    return Goal(row, {"guarded": default, "guarded, all presets": every}, at_least)


def _audited(row: str, default: float, every: float) -> Goal:
    """Return a goal of whole requests, which holds for audits too."""
    sides = {"guarded": default, "guarded, all presets": every}
    return Goal(row, {**sides, "audit": default, "audit, all presets": every})


def _pure(row: str, default: float, every: float) -> Goal:
    return Goal(row, {"guarded, pure": default, "guarded, pure, all presets": every})


# Times what httpx's own encoder takes, of an equal body; by body: default policy, every preset.
_ENCODE: Final = {
    "chat 1 KB": (0.35, 0.45),
    "chat 200 KB": (0.33, 0.40),
    "tools 1 MB": (0.35, 0.45),
    "vision 5 MB": (0.15, 0.25),
    "embeddings 400 KB": (0.45, 0.55),
    "code 100 KB": (0.25, 0.35),
    "wide 1 MB": (0.30, 0.40),
    "depth 200": (0.20, 0.30),
    "vectors 2 MB": (0.90, 1.00),
}
ENCODE: Final = {body: _goal(f"encode, {body}", *limits) for body, limits in _ENCODE.items()}
PURE: Final = _pure("encode, without the compiled pass", 5, 6)
PURE_DEPTH: Final = _pure("encode, without the compiled pass, depth 200", 10, 10)

# Times what httpx's own encoder takes, of what is left of the body.
_SPAN: Final = {"chat 1 KB": (1.0, 1.2), "chat 200 KB": (0.4, 0.6), "tools 1 MB": (0.4, 0.6)}
SPAN: Final = {body: _goal(f"one Span, {body}", *limits) for body, limits in _SPAN.items()}
FAULTS: Final = _goal("1,000 faults in 200 KB", 3.5, 4)

# GB/s.
BYTES: Final = _goal("bytes, clean", 1.0, 0.5, at_least=True)
BYTES_1_KB: Final = _goal("bytes, clean, 1 KB", 0.6, 0.5, at_least=True)
BYTES_CODE: Final = _goal("bytes, clean, code", 0.8, 0.5, at_least=True)

# Times the same of httpx.Client; for larger bytes, of httpx.Client and of the scan alone together.
REQUEST: Final = _audited("request by json=", 1.0, 1.05)
REQUEST_1_KB: Final = _audited("request by json=, 1 KB", 1.03, 1.05)
SENT_1_KB: Final = _audited("request by bytes, 1 KB", 1.06, 1.06)
SENT: Final = _audited("request by bytes, larger, to httpx and the scan", 1.06, 1.06)

# Times the plain call.
DUMPS: Final = _goal("json.dumps of litellm and of the SDKs", 1.0, 1.0)

# Times what `sanitize` takes; and the longest that any one encoding took, in ms of CPU.
TANGLED: Final = _goal("a cyclic or tangled body of 34 KB, to sanitize", 10, 10)
STALL: Final = _goal("a cyclic or tangled body of 34 KB, longest stall, ms", 50, 50)

SECTION_8: Final = (
    *ENCODE.values(),
    *SPAN.values(),
    FAULTS,
    BYTES,
    BYTES_1_KB,
    BYTES_CODE,
    REQUEST,
    REQUEST_1_KB,
    SENT_1_KB,
    SENT,
    DUMPS,
    TANGLED,
    STALL,
    PURE,
    PURE_DEPTH,
)

GROWTH: Final = Goal("the exponent of the cost in the size", {"guarded": 1.1})
IMPORT: Final = Goal("import body_guard, ms", {"": 50})
CALL: Final = Goal("a whole acompletion", {"guarded": 1.02})
