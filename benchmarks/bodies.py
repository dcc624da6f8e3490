"""Seeded request bodies, of the shapes that LLM users send; and recorded ones."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pathlib
import random
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CLEAN",
    "RECORDED",
    "TANGLED",
    "Body",
    "Span",
    "chat",
    "clean",
    "code",
    "deep",
    "dicts",
    "dirtied",
    "doubled",
    "embeddings",
    "recorded",
    "sized",
    "tools",
    "vectors",
    "vision",
    "wide",
    "written",
]

#: Where the recorded bodies are: VCR cassettes of three projects, see the README beside them.
RECORDED: Final = pathlib.Path(
    os.environ.get("BODY_GUARD_RECORDED")
    or pathlib.Path(__file__).parents[1] / "tests" / "data" / "bodies.jsonl.gz"
)

_WORDS = (
    *("the", "model", "answers", "what", "a", "user", "asked", "about", "their", "invoice,"),
    *("caf\u00e9", "\u2014", "\u201cplease\u201d", "check", '"total"', "and", "tell\nwhy"),
    *("it", "differs;", "na\u00efve", "r\u00e9sum\u00e9", "\u4f60\u597d"),
)
_FOREIGN = (
    *("\u8bf7\u95ee", "\u8fd9\u4e2a", "\u53d1\u7968", "\u603b\u989d", "\u4e3a\u4ec0\u4e48"),
    *("\u043f\u043e\u0447\u0435\u043c\u0443", "\u0441\u0443\u043c\u043c\u0430", "\U0001f642"),
    *("\u0645\u0631\u062d\u0628\u0627", "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155"),
)
# Code has names that begin with an underscore just behind a quote, as forbidden keys do.
_CODE = (
    *("def get_user_name(user_id: int) -> str:", '    return self._names["_id"]', "__all__ = ["),
    *('    "_private_name",', '    {"_id": doc["_id"], "_type": "_doc"},', "_cache: dict = {}"),
    *("if __name__ == '__main__':", "    _log.info(\"%s\", obj['__class__'])", "]", ""),
)


class Span:
    """A stand-in for a tracing library's: a live object that holds the prompt."""

    def __init__(self) -> None:
        self.op = "gen_ai.chat"
        self.trace_id = "0123456789abcdef0123456789abcdef"
        self.data = {"gen_ai.prompt": "the patient is called Erika Mustermann", "tags": {}}

    def __repr__(self) -> str:
        return f"<Span(op={self.op!r}, trace_id={self.trace_id!r}, data={self.data!r})>"


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is made anew for every use.

    Attributes:
        name: What tables call it.
        texts: Its JSON; the recorded bodies are one `Body` of many texts.
    """

    name: str
    texts: tuple[str, ...]

    @property
    def size(self) -> int:
        """The bytes of all texts."""
        return sum(len(text.encode()) for text in self.texts)

    def fresh(self, times: int = 1) -> list[Any]:
        """Return values that share nothing with any given before."""
        return [json.loads(text) for _ in range(times) for text in self.texts]


def written(value: object) -> str:
    """Write a value as httpx 0.28 does (``httpx/_content.py``, ``encode_json``), before UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _text(length: int, pick: random.Random, words: tuple[str, ...] = _WORDS) -> str:
    found: list[str] = []
    while length > 0:
        found.append(pick.choice(words))
        length -= len(found[-1].encode()) + 1
    return " ".join(found)


def chat(size: int, pick: random.Random, words: tuple[str, ...] = _WORDS) -> dict[str, Any]:
    """Return a chat completion request: about one message a kilobyte, not all ASCII."""
    count = max(2, size // 1000)
    messages = [
        {
            "role": pick.choice(("user", "assistant")),
            "content": _text(size // count - 50, pick, words),
        }
        for _ in range(count)
    ]
    return {"model": "m-1", "messages": messages, "temperature": 0.7, "metadata": {"user_id": "u1"}}


def tools(size: int, pick: random.Random) -> dict[str, Any]:
    """Return a request of many small dicts: tools with their JSON Schemas, ASCII."""
    found: list[dict[str, Any]] = []
    for number in range(max(1, size // 1040)):
        properties = {
            f"field_{index}": {"type": pick.choice(("string", "integer")), "description": "x" * 20}
            for index in range(14)
        }
        schema = {"type": "object", "properties": properties, "required": list(properties)[:2]}
        found.append({"type": "function", "function": {"name": f"f{number}", "parameters": schema}})
    return {"model": "m-1", "messages": [{"role": "user", "content": "hi"}], "tools": found}


def vision(size: int, pick: random.Random) -> dict[str, Any]:
    """Return a request with one image in base64, ASCII."""
    image = base64.b64encode(pick.randbytes(size * 3 // 4)).decode()
    content = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
    ]
    return {"model": "m-1", "messages": [{"role": "user", "content": content}]}


def embeddings(size: int, pick: random.Random) -> dict[str, Any]:
    """Return a request to embed strings of about 200 bytes."""
    return {"model": "e-1", "input": [_text(200, pick) for _ in range(max(1, size // 206))]}


def vectors(count: int, pick: random.Random) -> dict[str, Any]:
    """Return vectors of so many floats with all their digits, as a model makes them, ASCII."""
    numbers = [pick.gauss(0, 0.03) for _ in range(count)]
    return {"model": "e-1", "vectors": [numbers[at : at + 1536] for at in range(0, count, 1536)]}


def deep(levels: int, pick: random.Random) -> dict[str, Any]:
    """Return dicts in dicts, ASCII."""
    value: dict[str, Any] = {"x": pick.random() + 1}
    for _ in range(levels - 1):
        value = {"n": value}
    return value


def wide(size: int, pick: random.Random) -> dict[str, Any]:
    """Return one dict of many members, ASCII."""
    count = max(1, size // 24)
    return {f"k{number:08}": f"v{pick.randrange(10**8):08}" for number in range(count)}


def code(size: int, pick: random.Random) -> dict[str, Any]:
    """Return a chat about code: underscores, quotes, and underscores behind quotes."""
    length, files = 4000, max(1, size // 4500)
    messages = []
    for _ in range(files):
        lines: list[str] = []
        while sum(map(len, lines)) < length:
            lines.append(pick.choice(_CODE))
        messages.append({"role": "user", "content": "\n".join(lines)})
    return {"model": "m-1", "messages": messages}


def ordinary(size: int, pick: random.Random) -> dict[str, Any]:
    """Return a chat with a tool whose properties have names that presets forbid, but elsewhere."""
    names = ("deployment", "endpoint", "headers", "id", "tags", "trace_id", "user", "version")
    properties = {name: {"type": "string"} for name in names}
    function = {"name": "f", "parameters": {"type": "object", "properties": properties}}
    return {**chat(size, pick), "tools": [{"type": "function", "function": function}]}


#: How the clean bodies are made, and how large; in bytes, but for floats and levels.
CLEAN: Final[Mapping[str, tuple[Callable[[int, random.Random], object], int]]] = {
    "chat 1 KB": (chat, 1_000),
    "chat 20 KB": (chat, 20_000),
    "chat 200 KB": (chat, 200_000),
    "vision 5 MB": (vision, 5_000_000),
    "embeddings 400 KB": (embeddings, 400_000),
    "tools 1 MB": (tools, 1_000_000),
    "wide 1 MB": (wide, 1_000_000),
    "vectors 2 MB": (vectors, 100_000),
    "depth 200": (deep, 200),
    "code 100 KB": (code, 100_000),
    "ordinary names 20 KB": (ordinary, 20_000),
    "non-ASCII 200 KB": (partial(chat, words=_FOREIGN), 200_000),
}
#: What each is cut down to for a run that only asks whether it runs.
_QUICK: Final = 3_000


@cache
def clean(name: str, quick: bool = False) -> Body:
    """Return a clean body by its name; the same in every run."""
    make, size = CLEAN[name]
    value = make(min(size, _QUICK) if quick else size, random.Random(name))
    return Body(name, (written(value),))


def sized(make: Callable[[int, random.Random], object], size: int) -> Body:
    """Return a body of one shape and about so many bytes; the same in every run."""
    text = written(make(size, random.Random(size)))
    name = getattr(make, "__name__", "body")
    return Body(f"{name} {_in_words(size)}", (text,))


def _in_words(size: int) -> str:
    return f"{size // 10**6} MB" if size >= 10**6 else f"{size // 10**3} KB"


@cache
def recorded() -> Body | None:
    """Return the recorded bodies that are JSON, or None where they are not on this machine."""
    if not RECORDED.is_file():
        return None
    texts: list[str] = []
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                texts.append(written(json.loads(json.loads(line)["raw"])))
            except ValueError:
                continue  # a few are no JSON
    return Body(f"recorded, {len(texts)} bodies", tuple(texts))


def _children() -> dict[str, Any]:
    """Return 400 children that refer to their parent."""
    parent: dict[str, Any] = {"id": "root"}
    parent["children"] = [{**_node(number), "parent": parent} for number in range(400)]
    return parent


def _chain() -> list[Any]:
    """Return 350 steps that refer to the next and the previous one."""
    steps = [_node(number) for number in range(350)]
    for number, step in enumerate(steps):
        step |= {"next": steps[(number + 1) % 350], "previous": steps[number - 1]}
    return steps


def _mesh() -> list[Any]:
    """Return 350 nodes that refer to four others each."""
    pick, nodes = random.Random(1), [_node(number) for number in range(350)]
    for node in nodes:
        node["links"] = pick.sample(nodes, 4)
    return nodes


def _node(number: int) -> dict[str, Any]:
    return {"id": f"node-{number:04}", "text": "x" * 50}


def doubled(times: int, leaf: object) -> object:
    """Return a list that holds one list twice, which holds one twice, and so on.

    Args:
        times: How often: the value has `times` + 1 containers.
        leaf: What stands in the innermost, and so, unfolded, in 2**times places.
    """
    value = [leaf]
    for _ in range(times):
        value = [value, value]
    return value


#: How to make bodies that are no trees; each container and text counted once, they hold 34 KB.
TANGLED: Final[Mapping[str, Callable[[], object]]] = {
    "children with a parent": _children,
    "steps with next and previous": _chain,
    "nodes with links": _mesh,
    "sixty doublings": partial(doubled, 60, "x" * 34_000),
}


def dirtied(body: dict[str, Any], hits: int, pick: random.Random) -> dict[str, Any]:
    """Put forbidden members into dicts of a body, chosen by chance; the body itself is changed."""
    found = dicts(body)
    for number in range(hits):
        pick.choice(found)[f"_sentry_{number}"] = {"op": "gen_ai.chat", "trace_id": "0" * 32}
    return body


def dicts(body: object) -> list[dict[Any, Any]]:
    """Return every dict of a body."""
    found: list[dict[Any, Any]] = []
    pending: list[Any] = [body]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            found.append(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return found
