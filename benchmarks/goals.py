"""What body_guard promises of its cost: the rows of DESIGN section 8, and a few made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ANY",
    "BULK",
    "BYTES",
    "DIRTY_CHAT",
    "DIRTY_SMALL",
    "DIRTY_TOOLS",
    "GROWTH",
    "IMPORT",
    "LITELLM_CALL",
    "LITELLM_DUMPS",
    "PLAIN",
    "REQUEST",
    "SECTION_8",
    "SHARED",
    "SMALL",
    "TOOLS",
    "Goal",
]


@dataclass(frozen=True, slots=True)
class Goal:
    """A promise.

    Attributes:
        row: What it is about, in the words of the table that makes it.
        limit: The most that the median may come to; with `at_least`, the least.
        at_least: Whether more is better.
    """

    row: str
    limit: float
    at_least: bool = False

    def met(self, middle: float) -> bool:
        """Tell whether a median keeps the promise."""
        return middle >= self.limit if self.at_least else middle <= self.limit


# Times what httpx's own encoder takes, of an equal body.
BULK = Goal("chat 200 KB, vision 5 MB, embeddings", 0.30)
TOOLS = Goal("tools 1 MB of small dicts", 0.40)
SMALL = Goal("chat 1 KB", 0.50)
ANY = Goal("any clean body, floats and depth 200 included", 1.05)
PLAIN = Goal("without orjson, any clean body", 1.10)
# Times what httpx's own encoder takes, of what is left of the body.
DIRTY_CHAT = Goal("one Span in metadata: chat 200 KB", 0.5)
DIRTY_TOOLS = Goal("one Span in metadata: tools 1 MB", 1.5)
DIRTY_SMALL = Goal("one Span in metadata: chat 1 KB", 2.0)
# GB/s.
BYTES = Goal("bytes already serialized, clean", 1.0, at_least=True)
# Times the same of httpx.Client.
REQUEST = Goal("the whole request, any clean body", 1.0)

SECTION_8 = (
    BULK,
    TOOLS,
    SMALL,
    ANY,
    PLAIN,
    DIRTY_CHAT,
    DIRTY_TOOLS,
    DIRTY_SMALL,
    BYTES,
    REQUEST,
)

GROWTH = Goal("the exponent of the cost in the size", 1.1)
IMPORT = Goal("import body_guard, ms", 50)
LITELLM_DUMPS = Goal("json.dumps in litellm", 1.10)
LITELLM_CALL = Goal("a whole acompletion", 1.02)
SHARED = Goal("sixty doublings refused, s", 2)
