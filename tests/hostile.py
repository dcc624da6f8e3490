"""Values that punish whoever runs their code, and what the tests of the core ask of any value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "HOSTILE",
    "MARKER",
    "Hidden",
    "HostileMeta",
    "Span",
    "hostile_class",
    "hostile_key",
    "snapshot",
    "told_by",
]

#: What a planted value holds and nothing else does: wherever it shows up, a value has leaked.
MARKER = "Zq7-planted-7qZ"

#: What a class needs to be made at all, and what no instance can do without.
_LEFT = frozenset(
    {"__new__", "__init__", "__init_subclass__", "__subclasshook__", "__doc__", "__dict__"}
)

#: Every special method of the data model, and what encoders like to call on what they do not know.
_NAMES = (
    {name for kind in (dict, float, int, list, object, str, tuple) for name in dir(kind)}
    | {f"__{name}__" for name in ("aiter", "anext", "await", "bool", "bytes", "buffer", "call")}
    | {f"__{name}__" for name in ("complex", "copy", "deepcopy", "enter", "exit", "fspath", "get")}
    | {f"__{name}__" for name in ("getattr", "index", "json", "length_hint", "missing", "next")}
    | {"__rich_repr__", "__array__", "_asdict", "default", "for_json", "isoformat", "item", "json"}
    | {"model_dump", "to_dict", "to_json", "tolist"}
) - _LEFT


def _exploding(name: str) -> Callable[..., NoReturn]:
    def explode(*args: object, **kwargs: object) -> NoReturn:
        raise SystemExit(f"{name} was run")

    return explode


_META_NAMES = ("__bool__", "__call__", "__dir__", "__eq__", "__getattribute__", "__hash__")
_META_NAMES += ("__instancecheck__", "__iter__", "__len__", "__ne__", "__repr__", "__str__")
_META_NAMES += ("__subclasscheck__", "__subclasses__", "__or__", "__ror__", "__getattr__")
_META_PROPERTIES = ("__annotations__", "__bases__", "__class__", "__dict__", "__module__")
_META_PROPERTIES += ("__mro__", "__name__")

#: A metaclass of which every method and attribute ends the process.
HostileMeta: Any = type(
    "HostileMeta",
    (type,),
    {name: _exploding(f"metaclass {name}") for name in _META_NAMES}
    | {name: property(_exploding(f"metaclass {name}")) for name in _META_PROPERTIES},
)


def hostile_class(base: type, meta: Any = type, spared: tuple[str, ...] = ()) -> Any:
    """Make a subclass of which every method ends the process, but for what json may ask."""
    body: dict[str, Any] = {
        name: _exploding(f"{base.__name__} subclass {name}") for name in _NAMES.difference(spared)
    }
    body["__class__"] = property(_exploding("__class__"))
    body["__dict__"] = property(_exploding("__dict__"))
    body["__module__"] = "stranger"
    body["__qualname__"] = "Hostile"
    return type.__new__(meta, "Hostile", (base,), body)


def _hostile(base: type, meta: Any) -> Any:
    # json asks a dict subclass that overrides items, and a list subclass that overrides __iter__.
    spared = {dict: ("items",), list: ("__iter__",), tuple: ("__iter__",)}.get(base, ())
    kind = hostile_class(base, meta, spared)
    arguments: dict[type, tuple[Any, ...]] = {
        float: (1.5,),
        int: (7,),
        str: ("text",),
        tuple: ((1, "a"),),
    }
    made = base.__new__(kind, *arguments.get(base, ()))
    if base is dict:
        dict.update(made, {"a": 1})
    if base is list:
        list.extend(made, [1, "a"])
    return made


#: Names of hostile values: what makes one, and the JSON of it (None where it has none).
HOSTILE: dict[str, tuple[Callable[[], Any], str | None]] = {
    f"{base.__name__}{suffix}": (lambda base=base, meta=meta: _hostile(base, meta), text)
    for base, text in (
        (object, None),
        (str, '"text"'),
        (int, "7"),
        (float, "1.5"),
        (dict, '{"a":1}'),
        (list, '[1,"a"]'),
        (tuple, '[1,"a"]'),
    )
    for suffix, meta in (("", type), ("-of-hostile-metaclass", HostileMeta))
}


def hostile_key(base: type = object, meta: Any = type) -> tuple[Any, Callable[[], None]]:
    """Return a key for a dict, and a switch after which the key's code ends the process."""
    armed: list[bool] = []
    kind = hostile_class(base, meta, spared=("__hash__", "__eq__"))

    def code(self: Any) -> int:
        if armed:
            raise SystemExit("__hash__ was run")
        return 1

    def equal(self: Any, other: object) -> bool:
        if armed:
            raise SystemExit("__eq__ was run")
        return False

    type.__setattr__(kind, "__hash__", code)
    type.__setattr__(kind, "__eq__", equal)
    arguments: dict[type, tuple[Any, ...]] = {float: (1.5,), int: (7,), str: ("text",)}
    return base.__new__(kind, *arguments.get(base, ())), lambda: armed.append(True)


class Span:
    """A live object as Sentry's, by its name; it prints the prompt it was made of."""

    __module__ = "sentry_sdk.tracing"
    __qualname__ = "Span"

    def __init__(self, prompt: str = MARKER) -> None:
        self.prompt = prompt

    def __repr__(self) -> str:
        return f"<Span {self.prompt}>"

    def to_json(self) -> dict[str, str]:
        return {"prompt": self.prompt}


class Hidden:
    """A hashable live object that prints the marker."""

    def __init__(self) -> None:
        self.value = MARKER

    def __repr__(self) -> str:
        return f"<Hidden {MARKER}>"

    __str__ = __repr__


def snapshot(value: Any) -> Any:
    """Return all that can be changed in a value: each container, each member, by identity."""
    if issubclass(type(value), dict):
        members = [(id(key), snapshot(item)) for key, item in dict.items(value)]
        return ("dict", id(value), members)
    if issubclass(type(value), list):
        return ("list", id(value), [snapshot(item) for item in list.__iter__(value)])
    if issubclass(type(value), tuple):
        return ("tuple", id(value), [snapshot(item) for item in tuple.__iter__(value)])
    return id(value)


def told_by(error: BaseException) -> str:
    """Return all the text that an error, and every error behind it, has to tell."""
    return "\n".join(
        part
        for one in _chain(error)
        for part in (str(one), repr(one), repr(one.args), repr(vars(one)))
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        yield from _chain(error.__cause__)
        yield from _chain(error.__context__)
