"""VCR cassettes, in JSON and YAML: the request bodies of their interactions."""

from __future__ import annotations

import base64
import binascii
import json
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final

from body_guard.http.content import host_of
from body_guard.recordings.body import Body, Form, Place, Unread, UnreadableError
from body_guard.recordings.headers import header
from body_guard.recordings.json_members import find_places, matcher_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LARGEST_YAML", "find_json_places", "read_json_request", "read_yaml"]

#: Bytes of a YAML file. All of it has to be in memory, many times as large.
LARGEST_YAML: Final = 32 * 2**20

#: Nodes that the aliases of a YAML document may unfold to.
_MOST_NODES: Final = 2_000_000

_NAMES: Final = matcher_of("interactions", "request", "body", "string", "base64_string")

#: Members of a request that hold its body, in this order; the last as pydantic-ai writes it.
_BODIES: Final = ("body", "parsed_body")


def read_json_request(
    name: str, index: int, request: Any, places: Mapping[int, tuple[int, int, int]]
) -> Iterator[Body | Unread]:
    """Read the body of a request out of a cassette in JSON.

    Args:
        name: Of the file.
        index: Of the interaction.
        request: The interaction's member ``request``.
        places: Where the bodies stand, as `find_json_places` gives them.
    """
    if not isinstance(request, dict):
        yield Unread(name, f"interaction {index}: its request is no mapping")
        return
    start, end, line = places.get(index, (0, 0, 0))
    body = request.get("body")
    form: Form = "string"
    if isinstance(body, dict) and isinstance(body.get("string"), str):
        body = body["string"]
    elif isinstance(body, dict) and isinstance(body.get("base64_string"), str):
        body, form = body["base64_string"], "base64"
    elif not isinstance(body, str):
        form = "raw"
    yield from _read_request(name, index, line, request, body, form, start, end)


def find_json_places(content: bytes) -> dict[int, tuple[int, int, int]]:
    """Return start, end and line of each body, by the index of its interaction."""

    def is_body(path: tuple[str | int, ...]) -> bool:
        names = path[:1] + path[2:]
        return names[:3] == ("interactions", "request", "body") and len(names) < 5

    return find_places(content, _NAMES, is_body, index=1)


def _read_request(
    name: str,
    index: int,
    line: int,
    request: Mapping[Any, Any],
    body: object,
    form: Form,
    start: int,
    end: int,
) -> Iterator[Body | Unread]:
    if body is None or body == "":
        return
    content_type = header(request.get("headers"), "content-type")
    if form in ("base64", "yaml-binary"):
        try:
            # YAML wraps it; what is no base64 is found by the padding that is then wrong.
            content = base64.b64decode("".join(str(body).split()), validate=True)
        except binascii.Error:
            yield Unread(name, f"interaction {index}: its body is no base64")
            return
    elif isinstance(body, str):
        content = body.encode("utf-8", "surrogatepass")
    else:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        content = text.encode("utf-8", "surrogatepass")
    yield Body(
        name,
        index,
        line,
        host_of(request.get("uri")),
        str(request.get("method") or ""),
        content,
        content_type,
        header(request.get("headers"), "content-encoding"),
        Place(start, end, form) if line else None,
    )


def read_yaml(name: str, file: IO[bytes], *, named: bool) -> Iterator[Body | Unread]:
    """Read a cassette in YAML.

    Args:
        name: Of the file.
        file: At its beginning.
        named: Whether it is an error if this is YAML, but no cassette.

    Raises:
        UnreadableError: It is too large, no YAML, a bomb, or no cassette.
    """
    content = file.read(LARGEST_YAML + 1)
    if len(content) > LARGEST_YAML:
        raise UnreadableError(f"is YAML of more than {LARGEST_YAML:,} bytes")
    yaml = import_module("yaml")
    try:
        text = content.decode()
        document = yaml.compose(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        size = _unfolded(document, {})
    except UnicodeDecodeError:
        problem = "is no UTF-8"
    except yaml.YAMLError:  # it quotes the document
        problem = "is no YAML"
    except RecursionError:
        problem = "is nested too deeply"
    else:
        if size > _MOST_NODES:
            raise UnreadableError("has aliases that unfold without end")
        interactions = _member(document, "interactions")
        if interactions is not None and interactions.id == "sequence":
            yield from _read_nodes(name, text, interactions.value)
            return
        if not named:
            return
        problem = "is YAML, but no cassette"
    raise UnreadableError(problem)


def _unfolded(node: Any, known: dict[int, int]) -> int:
    """Return how many nodes there are, those that aliases name counted each time."""
    if node is None or node.id == "scalar":
        return 1
    size = known.get(id(node))
    if size is None:
        known[id(node)] = _MOST_NODES + 1  # if it is met again inside of itself
        size = known[id(node)] = 1 + sum(_unfolded(each, known) for each in _children(node))
    return size


def _children(node: Any) -> list[Any]:
    if node.id == "sequence":
        return list(node.value)
    return [each for pair in node.value for each in pair]


def _member(node: Any, name: str) -> Any:
    """Return the value of a member of a mapping; None where it is none, or has no such member."""
    if node is None or node.id != "mapping":
        return None
    return next((value for key, value in reversed(node.value) if key.value == name), None)


def _read_nodes(name: str, text: str, nodes: list[Any]) -> Iterator[Body | Unread]:
    characters = offset = 0
    for index, node in enumerate(nodes):
        request = _member(node, "request")
        body = next(filter(None, (_member(request, each) for each in _BODIES)), None)
        if body is None:
            continue
        form: Form = "yaml-value"
        for member in ("base64_string", "string"):
            inner = _member(body, member)
            if inner is not None and inner.id == "scalar":
                body, form = inner, "yaml-binary" if member == "base64_string" else form
        if body.id == "scalar" and form != "yaml-binary":
            form = "yaml-binary" if body.tag.endswith(":binary") else "yaml-text"
        first, last = body.start_mark.index, _last(body)
        last = first + len(text[first:last].rstrip())
        if first < characters:  # an alias of what came before
            characters = offset = 0
        start = offset + len(text[characters:first].encode())
        end = start + len(text[first:last].encode())
        characters, offset = last, end
        others = {
            key.value: _value(value) for key, value in request.value if key.value not in _BODIES
        }
        line = body.start_mark.line + 1
        value = _value(body)
        if body.id == "scalar" and value is not None:
            value = body.value
        yield from _read_request(name, index, line, others, value, form, start, end)


def _last(node: Any) -> int:
    """Return where a node ends, without the space and the comments behind it, if that is known."""
    if node.id != "scalar" and not node.flow_style and node.value:
        *before, last = _children(node)
        start = max((each.end_mark.index for each in before), default=node.start_mark.index)
        if start <= last.start_mark.index:  # else it is an alias, and stands elsewhere
            return _last(last)
    return int(node.end_mark.index)


def _value(node: Any) -> Any:
    """Return what a node is in JSON; what JSON does not have is text."""
    if node.id == "sequence":
        return [_value(each) for each in node.value]
    if node.id == "mapping":
        return {str(key.value): _value(value) for key, value in node.value}
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "binary":  # headers that were bytes
        try:
            return base64.b64decode(node.value).decode("latin-1")
        except binascii.Error:
            return node.value
    if kind in ("bool", "int", "float"):
        yaml = import_module("yaml")
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (ValueError, KeyError):  # a tag that the text does not fit; too many digits
            return node.value
    return node.value
