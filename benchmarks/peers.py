"""What others do with the same bodies: ``python -m benchmarks.peers``.

FastAPI's encoder, Pydantic's, litellm's safe dump, Sentry's serializer, and the recursive walk that
one writes on an afternoon. Each takes a value and returns bytes; where one returns a value, httpx
encodes it. First their CPU time, against httpx's encoder alone, of equal clean bodies. Then what
each does with what should not be in a body: found by running it, in this run. None of them was made
to keep a key from leaving, so this compares what happens when they are used for that.

A peer that is not installed is left out, with a line that says so. Sentry's serializer cuts deep
and wide values short, which makes it faster than it would be.
"""

from __future__ import annotations

import json
import math
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, variants
from benchmarks.encode import httpx_encode
from benchmarks.measure import Side, main, repeated
from body_guard import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.measure import Bench

__all__ = ["run"]

_PROMPT = "the patient is called Erika Mustermann"
_JSON = (str, int, float, bool, type(None))


def naive(value: Any) -> Any:
    """Do what one writes oneself: keep what JSON has a name for, and drop the rest."""
    if isinstance(value, dict):
        return {
            key: naive(item)
            for key, item in value.items()
            if isinstance(key, str) and not key.startswith("_sentry_") and _keeps(item)
        }
    if isinstance(value, list | tuple):
        return [naive(item) for item in value if _keeps(item)]
    return value


def _keeps(value: object) -> bool:
    return isinstance(value, (dict, list, tuple, *_JSON))


def _fastapi(module: Any) -> Callable[[Any], bytes]:
    return lambda value: httpx_encode(module.jsonable_encoder(value))


def _pydantic(module: Any) -> Callable[[Any], bytes]:
    return lambda value: httpx_encode(module.to_jsonable_python(value))


def _pydantic_str(module: Any) -> Callable[[Any], bytes]:
    return lambda value: httpx_encode(module.to_jsonable_python(value, fallback=str))


def _litellm(module: Any) -> Callable[[Any], bytes]:
    def encode(value: Any) -> bytes:
        text: str = module.safe_dumps(value)
        return text.encode()

    return encode


def _sentry(module: Any) -> Callable[[Any], bytes]:
    return lambda value: httpx_encode(module.serialize(value))


#: By what they are called: the module to import, and what to make of it.
_PEERS: Mapping[str, tuple[str, Callable[[Any], Callable[[Any], bytes]]]] = {
    "FastAPI jsonable_encoder": ("fastapi.encoders", _fastapi),
    "pydantic_core to_jsonable_python": ("pydantic_core", _pydantic),
    "the same, fallback=str": ("pydantic_core", _pydantic_str),
    "litellm safe_dumps": ("litellm.litellm_core_utils.safe_json_dumps", _litellm),
    "Sentry serialize": ("sentry_sdk.serializer", _sentry),
}


def _encoders(bench: Bench) -> dict[str, Callable[[Any], bytes]]:
    # litellm would fetch a price list.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    sanitizer = Sanitizer()
    found: dict[str, Callable[[Any], bytes]] = {
        "httpx": httpx_encode,
        "body_guard": lambda value: sanitizer.encode(value)[0],
    }
    for name, (module, make) in _PEERS.items():
        if bench.quick and module.startswith("litellm."):
            bench.note(f"{name}: left out of a quick run, importing it takes seconds")
            continue
        loaded = variants.installed(module)
        if loaded is None:
            bench.note(f"{name}: left out, {module} is not installed")
        else:
            found[name] = make(loaded)
    found["a naive walk"] = lambda value: httpx_encode(naive(value))
    return found


def _sentry_span() -> object | None:
    module = variants.installed("sentry_sdk.tracing")
    if module is None:
        return None
    span: object = module.Span(op="gen_ai.chat", name=_PROMPT)
    return span


def _cycle() -> dict[str, Any]:
    metadata: dict[str, Any] = {"user_id": "u1"}
    metadata["self"] = metadata
    return metadata


def _cases(bench: Bench) -> dict[str, Callable[[], dict[Any, Any]]]:
    """Return what metadata holds, made anew each time."""
    cases: dict[str, Callable[[], dict[Any, Any]]] = {
        "a live object": lambda: {"user_id": "u1", "_sentry_span": bodies.Span()},
        "a Span of sentry_sdk": lambda: {"user_id": "u1", "_sentry_span": _sentry_span()},
        "text under _sentry_x": lambda: {"user_id": "u1", "_sentry_x": _PROMPT},
        "NaN": lambda: {"user_id": "u1", "score": math.nan},
        "a cycle": _cycle,
        "a tuple key": lambda: {"user_id": "u1", ("a", 1): "v"},
        "a lone surrogate": lambda: {"user_id": "u1", "text": "half \ud83d"},
        "a set": lambda: {"user_id": "u1", "tags": {1}},
        '{1: "a", "1": "b"}': lambda: {"user_id": "u1", 1: "a", "1": "b"},
    }
    if _sentry_span() is None:
        bench.note("a Span of sentry_sdk: left out, sentry_sdk is not installed")
        del cases["a Span of sentry_sdk"]
    return cases


def outcome(encode: Callable[[Any], bytes], metadata: dict[Any, Any]) -> str:
    """Encode a body with this metadata; return what became of all in it but user_id."""
    try:
        content = encode({"model": "m-1", "metadata": metadata})
    except Exception as error:  # what a peer raises is what the table shows
        return f"raises {type(error).__name__}"
    said = _left(content)
    leaked = [what for what, text in _SECRETS.items() if text in content]
    return said + (f"; leaks the {' and the '.join(leaked)}" if leaked else "")


_SECRETS = {"prompt": b"Erika Mustermann", "trace id": b"0123456789abcdef0123456789abcdef"}


def _left(content: bytes) -> str:
    """Return what is left of metadata but user_id, duplicates and all, as the bytes have it."""
    try:
        body = json.loads(content, object_pairs_hook=_Pairs, parse_constant=_no_constant)
    except UnicodeDecodeError:
        return "not UTF-8"
    except ValueError as error:
        return f"not JSON: {error}"
    metadata = dict(body)["metadata"] if isinstance(body, _Pairs) else body
    if not isinstance(metadata, _Pairs) or ("user_id", "u1") not in metadata:
        return "all of metadata replaced"
    left = [pair for pair in metadata if pair != ("user_id", "u1")]
    if not left:
        return "removed"
    text = ", ".join(f"{json.dumps(key)}: {_shown(value)}" for key, value in left)
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    return text if len(text) <= 40 else text[:37] + "..."


class _Pairs(list[Any]):
    """The members of an object, in order, with those that `dict` would lose."""


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _shown(value: object) -> str:
    if isinstance(value, _Pairs):
        return "{" + ", ".join(f"{json.dumps(key)}: {_shown(item)}" for key, item in value) + "}"
    return json.dumps(value)  # ASCII: a lone surrogate cannot be printed


def run(bench: Bench) -> None:
    """Measure how fast each is, then show what each does."""
    encoders = _encoders(bench)
    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB"):
        body = bodies.clean(name, bench.quick)
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        race = bench.race({side: Side(act, fresh) for side, act in encoders.items()})
        bench.ratios(name, race, "httpx")
    cases = _cases(bench)
    lines = [
        [peer, *(outcome(encode, make()) for make in cases.values())]
        for peer, encode in encoders.items()
    ]
    bench.table("What becomes of it in `metadata`", ("", *cases), lines)


if __name__ == "__main__":
    main(__doc__, {"peers": run})
