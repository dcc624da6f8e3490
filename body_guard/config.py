"""Policies from files: TOML, by the names of the constructors, and every mistake with its place."""

from __future__ import annotations

import difflib
import os
from dataclasses import fields
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from body_guard.builtin_rules.catalog import preset
from body_guard.core.errors import PolicyError
from body_guard.core.rule import Rule
from body_guard.hosts import checked
from body_guard.policy import DEFAULT, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["VARIABLE", "default_policy", "load"]

#: The environment variable that names the file of the policy where none is given.
VARIABLE: Final = "BODY_GUARD_POLICY"

#: The functions that a file can name, and where each is.
_CONVERT: Final = {"jsonable": "body_guard.convert:jsonable"}
_ON_REPORT: Final = {"opentelemetry": "body_guard.integrations.opentelemetry:record"}


def default_policy() -> Policy:
    """Return the policy of a guard that is given none: the environment's, or the default.

    Raises:
        PolicyError: The file that BODY_GUARD_POLICY names is missing or wrong.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return DEFAULT
    try:
        return load(path)
    except PolicyError as error:
        message = f"{VARIABLE}: {error}"
    raise PolicyError(message)


def load(path: str | os.PathLike[str]) -> Policy:
    """Read a policy from a TOML file, as `Policy.load` says."""
    name = os.fspath(path)
    try:
        state = os.stat(name)
    except (OSError, ValueError) as error:
        message = f"{name}: cannot be read ({type(error).__name__})."
    else:
        return _loaded(name, state.st_mtime_ns, state.st_size, state.st_ino)
    raise PolicyError(message)


@lru_cache(maxsize=16)
def _loaded(name: str, *_: int) -> Policy:
    """Read a file once for as long as it does not change: guards are built in hot paths too."""
    table, place = _table(name, _document(name))
    return _Reader(name).policy(table, place)


def _document(name: str) -> dict[str, Any]:
    try:
        toml = import_module("tomllib")
    except ModuleNotFoundError:  # Python 3.10
        toml = import_module("tomli")
    message = "cannot be read"
    try:
        document: dict[str, Any] = toml.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read ({type(error).__name__})"
    except toml.TOMLDecodeError as error:
        message = f"is not TOML ({error})"
    else:
        return document
    # Outside the handlers: an error of a decoder carries the whole document.
    raise PolicyError(f"{name}: {message}.")


def _table(name: str, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the table of the policy in a document, and its place."""
    tool = document.get("tool")
    if not isinstance(tool, dict):
        if Path(name).name == "pyproject.toml":
            raise PolicyError(f"{name}: has no table [tool.body_guard].")
        return document, ""
    if "body_guard" in tool:
        table = tool["body_guard"]
        if isinstance(table, dict):
            return table, "tool.body_guard"
        raise PolicyError(f"{name}: tool.body_guard: takes a table, not {_kind(table)}.")
    raise PolicyError(f"{name}: has no table [tool.body_guard]{_nearest('body_guard', tool)}.")


def _nearest(wanted: str, there: Iterable[str]) -> str:
    close = difflib.get_close_matches(wanted, list(there), n=1)
    return f", but [tool.{close[0]}]" if close else ""


class _Reader:
    """Reads the tables of one file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def policy(self, table: Mapping[str, Any], place: str) -> Policy:
        names = [*(field.name for field in fields(Policy) if field.name != "_"), "presets"]
        self._check_names(table, names, place)
        given = dict(table)
        rules = self._presets(given.pop("presets"), place) if "presets" in given else []
        if "rules" in given:
            rules += self._rules(given["rules"], place)
        if "presets" in table or "rules" in table:
            given["rules"] = tuple(rules)
        if "convert" in given:
            given["convert"] = self._function(_CONVERT, given["convert"], _at(place, "convert"))
        if "on_report" in given:
            given["on_report"] = self._functions(given["on_report"], _at(place, "on_report"))
        if "hosts" in given:
            given["hosts"] = self._hosts(given["hosts"], _at(place, "hosts"))
        policy: Policy = self._built(Policy, given, {}, place)
        return policy

    def _presets(self, names: Any, place: str) -> list[Rule]:
        place = _at(place, "presets")
        rules: list[Rule] = []
        for name in dict.fromkeys(self._strings(names, place)):
            try:
                rules += preset(name)
            except PolicyError as error:
                raise self._error(place, str(error)) from None
        return rules

    def _rules(self, tables: Any, place: str) -> list[Rule]:
        place = _at(place, "rules")
        if not isinstance(tables, list):
            raise self._error(place, f"takes tables, [[{place}]], not {_kind(tables)}.")
        rules = []
        for number, table in enumerate(tables):
            here = f"{place}[{number}]"
            if not isinstance(table, dict):
                raise self._error(here, f"takes a table, not {_kind(table)}.")
            self._check_names(table, [field.name for field in fields(Rule)], here)
            if "name" not in table:
                raise self._error(here, "a rule needs a name.")
            base = {"name": table["name"], "keys": ("key",)}
            # TOML has no null: a rule that replaces, and does not say by what, puts null.
            given = {"replacement": None, **table}
            rules.append(self._built(Rule, given, base, here))
        return rules

    def _hosts(self, tables: Any, place: str) -> dict[str, Policy]:
        if not isinstance(tables, dict):
            raise self._error(place, f'takes tables, [{place}."*.x.com"], not {_kind(tables)}.')
        hosts = {}
        for host, table in tables.items():
            here = _at(place, host)
            if not isinstance(table, dict):
                raise self._error(here, f"takes a table, not {_kind(table)}.")
            if "hosts" in table:
                raise self._error(_at(here, "hosts"), "a host's policy has no hosts of its own.")
            try:
                checked(host)
            except PolicyError as error:
                raise self._error(here, str(error).removeprefix("hosts: ")) from None
            hosts[host] = self.policy(table, here)
        return hosts

    def _functions(self, names: Any, place: str) -> tuple[Any, ...]:
        given = [names] if isinstance(names, str) else self._strings(names, place)
        return tuple(self._function(_ON_REPORT, name, place) for name in given)

    def _function(self, table: Mapping[str, str], name: Any, place: str) -> Any:
        if not isinstance(name, str) or name not in table:
            known = ", ".join(f'"{known}"' for known in table)
            raise self._error(place, f"{name!r} is no function a file can name; there is {known}.")
        module, _, function = table[name].partition(":")
        try:
            return getattr(import_module(module), function)
        except ImportError as error:
            raise self._error(
                place, f"{name!r} needs what is missing: {str(error).rstrip('.')}."
            ) from None

    def _strings(self, value: Any, place: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error(place, f"takes an array of strings, not {_kind(value)}.")
        return list(value)

    def _check_names(self, table: Mapping[str, Any], names: list[str], place: str) -> None:
        for key in table:
            if key not in names:
                close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
                hint = (
                    f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}."
                )
                raise self._error(_at(place, key), f"there is no such key{hint}")

    def _built(
        self,
        kind: Callable[..., Any],
        given: Mapping[str, Any],
        base: Mapping[str, Any],
        place: str,
    ) -> Any:
        try:
            return kind(**given)
        except PolicyError as error:
            key = _culprit(kind, given, base, str(error))
            raise self._error(_at(place, key), str(error).removeprefix(f"{key}: ")) from None

    def _error(self, place: str, message: str) -> PolicyError:
        return PolicyError(": ".join(filter(None, (self._name, place, message))))


def _culprit(
    kind: Callable[..., Any], given: Mapping[str, Any], base: Mapping[str, Any], message: str
) -> str:
    """Return the key that alone brings the same complaint; none, where it takes several."""
    for key in given:
        try:
            kind(**{**base, key: given[key]})
        except PolicyError as error:
            if str(error) == message:
                return key
    return ""


def _at(place: str, key: str) -> str:
    """Return the place of a key, written as TOML writes dotted keys."""
    if not key:
        return place
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
