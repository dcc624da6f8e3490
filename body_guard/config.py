"""Policies from TOML files, by the names of the constructors; an error names file and key."""

from __future__ import annotations

import difflib
import os
from dataclasses import fields
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard.builtin_rules.catalog import preset
from body_guard.core.errors import PolicyError
from body_guard.core.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["load"]

_T = TypeVar("_T")

#: The functions that a file can name, and where each is.
_CONVERT: Final = {"jsonable": "body_guard.convert:jsonable"}
_ON_REPORT: Final = {"opentelemetry": "body_guard.integrations.opentelemetry:record"}


def load(path: str | os.PathLike[str], kind: Callable[..., _T]) -> _T:
    """Read a policy from a TOML file.

    Args:
        path: The file, as of `Policy.load`.
        kind: The class of policies. It is handed in, since it depends on this module.

    Raises:
        PolicyError: The file is missing or wrong.
    """
    name = os.fspath(path)
    try:
        state = os.stat(name)
    except (OSError, ValueError) as error:
        message = f"{name}: cannot be read ({type(error).__name__})."
    else:
        policy: _T = _load_version(name, kind, state.st_mtime_ns, state.st_size, state.st_ino)
        return policy
    raise PolicyError(message)


@lru_cache(maxsize=16)
def _load_version(name: str, kind: Any, *_: int) -> Any:
    """Read a file once for as long as it does not change: guards are built in hot paths too."""
    try:
        return _read_policy(kind, *_find_table(name, _parse(name)))
    except PolicyError as error:
        message = f"{name}: {error}"
    raise PolicyError(message)


def _parse(name: str) -> dict[str, Any]:
    try:
        toml = import_module("tomllib")
    except ModuleNotFoundError:  # Python 3.10
        toml = import_module("tomli")
    try:
        document: dict[str, Any] = toml.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read ({type(error).__name__})."
    except toml.TOMLDecodeError as error:
        message = f"is not TOML ({error})."
    else:
        return document
    # Outside the handlers: an error of a decoder carries the whole document.
    raise PolicyError(message)


def _find_table(name: str, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the table of the policy in a document, and its place."""
    tool = document.get("tool")
    if not isinstance(tool, dict):
        if Path(name).name == "pyproject.toml":
            raise PolicyError("has no table [tool.body_guard].")
        return document, ""
    if "body_guard" not in tool:
        close = difflib.get_close_matches("body_guard", tool, n=1)
        raise PolicyError(
            f"has no table [tool.body_guard]{f', but [tool.{close[0]}]' if close else ''}."
        )
    return _check_table(tool["body_guard"], "tool.body_guard"), "tool.body_guard"


def _read_policy(kind: Any, table: dict[str, Any], place: str) -> Any:
    names = [*(field.name for field in fields(kind) if field.name != "_"), "presets"]
    _check_names(table, names, place)
    given = dict(table)
    rules = _read_presets(given.pop("presets"), place) if "presets" in given else []
    if "rules" in given:
        rules += _read_rules(given["rules"], _at(place, "rules"))
    if "presets" in table or "rules" in table:
        given["rules"] = tuple(rules)
    if "convert" in given:
        given["convert"] = _find_function(_CONVERT, given["convert"], _at(place, "convert"))
    if "on_report" in given:
        where, names = _at(place, "on_report"), given["on_report"]
        names = [names] if isinstance(names, str) else _check_strings(names, where)
        given["on_report"] = tuple([_find_function(_ON_REPORT, name, where) for name in names])
    if "hosts" in given:
        given["hosts"] = _read_hosts(kind, given["hosts"], _at(place, "hosts"))
    return _build(kind, given, place)


def _read_presets(names: Any, place: str) -> list[Rule]:
    place = _at(place, "presets")
    names = dict.fromkeys(_check_strings(names, place))
    return [rule for name in names for rule in _build(preset, {"name": name}, place)]


def _read_rules(tables: Any, place: str) -> list[Rule]:
    if not isinstance(tables, list):
        raise _error(place, f"takes tables, [[{place}]], not {_kind(tables)}.")
    rules = []
    for number, table in enumerate(tables):
        here = f"{place}[{number}]"
        _check_names(_check_table(table, here), [field.name for field in fields(Rule)], here)
        if "name" not in table:
            raise _error(here, "a rule needs a name.")
        # TOML has no null: a rule that replaces, and does not say by what, puts null.
        rules.append(_build(Rule, {"replacement": None, **table}, here))
    return rules


def _read_hosts(kind: Any, tables: Any, place: str) -> dict[str, Any]:
    if not isinstance(tables, dict):
        raise _error(place, f'takes tables, [{place}."*.x.com"], not {_kind(tables)}.')
    hosts = {}
    for host, table in tables.items():
        here = _at(place, host)
        if "hosts" in _check_table(table, here):
            raise _error(_at(here, "hosts"), "a host's policy has no hosts of its own.")
        hosts[host] = _read_policy(kind, table, here)
    return hosts


def _find_function(table: Mapping[str, str], name: Any, place: str) -> Any:
    if not isinstance(name, str) or name not in table:
        known = ", ".join(f'"{known}"' for known in table)
        raise _error(place, f"{name!r} is no function a file can name; there is {known}.")
    module, _, function = table[name].partition(":")
    try:
        return getattr(import_module(module), function)
    except ImportError as error:
        lack = str(error).rstrip(".")
        raise _error(place, f"{name!r} needs what is missing: {lack}.") from None


def _check_strings(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _error(place, f"takes an array of strings, not {_kind(value)}.")
    return value


def _check_table(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(place, f"takes a table, not {_kind(value)}.")
    return value


def _check_names(table: Mapping[str, Any], names: list[str], place: str) -> None:
    for key in table:
        if key not in names:
            close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}."
            raise _error(_at(place, key), f"there is no such key{hint}")


def _build(kind: Callable[..., Any], given: Mapping[str, Any], place: str) -> Any:
    try:
        return kind(**given)
    except PolicyError as error:
        raise _error(place, str(error)) from None


def _error(place: str, message: str) -> PolicyError:
    return PolicyError(f"{place}: {message}" if place else message)


def _at(place: str, key: str) -> str:
    """Return the place of a key, written as TOML writes dotted keys."""
    bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    quoted = key if bare else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{place}.{quoted}" if place else quoted


def _kind(value: object) -> str:
    names = {
        bool: "a boolean",
        dict: "a table",
        float: "a float",
        int: "an integer",
        list: "an array",
        str: "a string",
    }
    return names.get(type(value), "a date or time")
