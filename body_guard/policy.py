"""Policy: what must not leave, and what to do about it; a value, checked when it is built."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from body_guard.builtin_rules.schema import Provider
from body_guard.builtin_rules.sentry import SENTRY
from body_guard.core.errors import PolicyError
from body_guard.core.rule import Rule, read_strings
from body_guard.hosts import check_host_pattern, matches, normalize_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from body_guard.core.report import Report

__all__ = [
    "DEFAULT",
    "LookInto",
    "Mode",
    "OnError",
    "OnLimit",
    "Policy",
    "SchemaAction",
    "Stringified",
    "Unserializable",
    "check_policy",
    "default_policy",
]

Unserializable = Literal["remove", "reject"]
OnError = Literal["block", "send"]
OnLimit = Literal["refuse", "send"]
LookInto = Literal["compressed", "form", "json-strings", "multipart"]
SchemaAction = Literal["report", "remove", "reject"]
Stringified = Literal["off", "report", "reject"]
Mode = Literal["enforce", "audit"]

#: The environment variable that names the file of the policy where none is given.
VARIABLE: Final = "BODY_GUARD_POLICY"

_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Policy:
    """What must not leave, and what to do where it is found.

    Args:
        rules: In order of precedence. Replaces the default, the ``sentry`` preset; to add to it,
            write ``(*body_guard.Policy().rules, Rule(...))``.
        unserializable: ``remove`` takes out what JSON cannot write, ``reject`` refuses the body.
        convert: Asked before a value is given up, with the contract of ``json.dumps(default=)``:
            return something JSON can write (it is judged in turn) or raise TypeError.
        on_error: What to do when the guard itself fails. ``block`` raises `GuardError` and sends
            nothing; ``send`` sends the body unguarded, logs an error and counts it.
        on_report: A callable, or several, given the `Report` of every body, with its ``host`` and
            ``seconds``. One that raises loses its report, never the request.
        max_bytes: What one body may come to, in bytes, once encoded or decompressed.
        on_limit: What to do with bytes over ``max_bytes`` that may hold something forbidden:
            ``refuse`` raises `BodyLimitError`, ``send`` sends them and reports them as not judged.
            The same for what decompresses to more, all parts together. An object that would encode
            to more is always refused.
        buffer: How many bytes of a stream (a generator, a file) to read in order to judge it; a
            longer stream is sent as it is. 0 reads none.
        look_into: Bodies to judge that are opaque by default: ``form`` (urlencoded pairs),
            ``multipart`` (the names of parts, and each part as a body of its own, but for those of
            plain text), ``compressed`` (gzip, deflate; br and zstd where the libraries brotli and
            zstandard are installed). And ``json-strings``: the JSON texts that OpenAI's and
            Anthropic's bodies carry in strings, tool arguments and tool results; rules that hold
            everywhere are applied to them. Each body is parsed for it; JSON Lines are not.
        schema: ``"openai"`` or ``"anthropic"``: look for members that the provider's API does not
            know, in the outermost object, in messages or input items, in metadata. Bytes are parsed
            for it, each body whole; JSON lines are not looked at.
        schema_action: What to do with those: ``report``, ``remove`` or ``reject``.
        stringified: Whether to look for text that is the ``repr`` of a live object from end to end,
            ``<coroutine object f at 0x7f...>``: ``report`` it, or ``reject`` the body.
        mode: ``enforce``, or ``audit``: look and report, change and refuse nothing. A body that no
            encoder can write still fails with the encoder's error, which then says where and why.
        hosts: Policies for destinations, by host (``api.x.com``, ``*.x.com``, an IP address). This
            policy is for all others, and where the destination is not known yet; nothing of it is
            added to theirs. A full host takes precedence over a wildcard, a longer wildcard over a
            shorter. Given as a mapping, kept as pairs in order of precedence.

    Raises:
        PolicyError: An argument is wrong; the message says which.
    """

    rules: tuple[Rule, ...] = SENTRY
    _: KW_ONLY
    unserializable: Unserializable = "remove"
    convert: Callable[[Any], object] | None = None
    on_error: OnError = "block"
    on_report: Callable[[Report], object] | tuple[Callable[[Report], object], ...] = ()
    max_bytes: int = 512 * _MIB
    on_limit: OnLimit = "refuse"
    buffer: int = 0
    look_into: tuple[LookInto, ...] = ()
    schema: Provider | None = None
    schema_action: SchemaAction = "report"
    stringified: Stringified = "off"
    mode: Mode = "enforce"
    hosts: Mapping[str, Policy] | tuple[tuple[str, Policy], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", _rules(self.rules))
        object.__setattr__(self, "on_report", _callables(self.on_report))
        _one_of("unserializable", self.unserializable, get_args(Unserializable))
        _one_of("on_error", self.on_error, get_args(OnError))
        if self.convert is not None and not callable(self.convert):
            raise PolicyError(
                "convert takes a function such as body_guard.convert.jsonable, "
                f"not {type(self.convert).__name__}."
            )
        _one_of("on_limit", self.on_limit, get_args(OnLimit))
        for field, least in (("max_bytes", 1), ("buffer", 0)):
            value = getattr(self, field)
            if type(value) is not int or value < least:
                raise PolicyError(f"{field} takes a number of bytes from {least}, not {value!r}.")
        object.__setattr__(self, "look_into", read_strings("look_into", self.look_into))
        for kind in self.look_into:
            _one_of("look_into", kind, get_args(LookInto))
        if self.schema is not None:
            _one_of("schema", self.schema, get_args(Provider))
            name = f"{self.schema}-schema"
            if any(rule.name == name for rule in self.rules):
                raise PolicyError(
                    f"A rule is named {name!r}, as the findings of schema={self.schema!r} are."
                )
        _one_of("schema_action", self.schema_action, get_args(SchemaAction))
        _one_of("stringified", self.stringified, get_args(Stringified))
        _one_of("mode", self.mode, get_args(Mode))
        object.__setattr__(self, "hosts", _hosts(self.hosts))
        try:
            hash(self)
        except TypeError:
            raise PolicyError(
                "convert and on_report take hashable callables: a policy is compared and cached."
            ) from None

    def for_host(self, host: str) -> Policy:
        """Return the policy for a destination.

        Args:
            host: Of a URL, without its port; ``""`` when it is not known.

        Returns:
            The most specific of ``hosts`` that matches, or this one.
        """
        if self.hosts:
            host = normalize_host(host)
            for pattern, policy in dict(self.hosts).items():  # in order, the first fits best
                if matches(pattern, host):
                    return policy
        return self

    @property
    def reporters(self) -> tuple[Callable[[Report], object], ...]:
        """``on_report`` as a tuple, which it is once the policy is built."""
        return self.on_report  # type: ignore[return-value]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Read a policy from a TOML file.

        Args:
            path: A file of its own, or one with a table ``[tool.body_guard]``. Its names are those
                of this class and of `Rule`; beside them, ``presets`` names built-in rules to put
                before ``rules``, and functions are named: ``convert = "jsonable"``. TOML has no
                null: a rule that replaces, and names no ``replacement``, puts null.

        Returns:
            The policy.

        Raises:
            PolicyError: It is wrong; the message names file, key and the nearest right spelling.
        """
        from body_guard import config  # it takes as long to import as all of this package

        return config.load(path, cls)


def default_policy() -> Policy:
    """Return the policy of a guard that is given none.

    Returns:
        The one in the file that the environment variable BODY_GUARD_POLICY names; without it, the
        default.

    Raises:
        PolicyError: The file is missing or wrong.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return DEFAULT
    try:
        return Policy.load(path)
    except PolicyError as error:
        message = f"{VARIABLE}: {error}"
    raise PolicyError(message)


def check_policy(given: object, name: str = "policy") -> Policy:
    """Return what was given as a policy.

    Args:
        given: By a user.
        name: Of the parameter.

    Raises:
        TypeError: It is no policy; the message says what to write.
    """
    if isinstance(given, Policy):
        return given
    write = "Policy(...)"
    if isinstance(given, str):
        write = "Policy(presets('sentry')) or Policy.load('policy.toml')"
    elif isinstance(given, Rule):
        write = "Policy((rule,))"
    elif isinstance(given, list | tuple):
        write = "Policy(rules)"
    kind = type(given).__name__
    raise TypeError(f"{name} takes a body_guard.Policy, not {kind}; write {write}.")


def _rules(value: Iterable[Rule]) -> tuple[Rule, ...]:
    if isinstance(value, Rule):
        raise PolicyError(f"rules takes several rules; write (Rule({value.name!r}, ...),).")
    try:
        rules = tuple(value)
    except TypeError:
        rules = (None,)  # type: ignore[assignment]  # refused below, with the right sentence
    if not all(isinstance(rule, Rule) for rule in rules):
        raise PolicyError("rules takes Rule objects, for example (Rule('mine', keys=('x',)),).")
    for name, count in Counter(rule.name for rule in rules).items():
        if count > 1:
            raise PolicyError(f"Two rules are named {name!r}; a finding could mean either.")
    return rules


def _callables(value: object) -> tuple[Callable[[Report], object], ...]:
    given = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not all(callable(item) for item in given):
        raise PolicyError("on_report takes a callable or a tuple of callables.")
    return given


def _hosts(value: object) -> tuple[tuple[str, Policy], ...]:
    pairs = tuple(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(pairs, tuple) or not all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in pairs
    ):
        raise PolicyError("hosts takes a mapping, for example {'*.x.com': Policy(...)}.")
    by_host: dict[str, Policy] = {}
    for pattern, policy in pairs:
        host = check_host_pattern(pattern)
        if not isinstance(policy, Policy):
            raise PolicyError(f"hosts: {pattern!r} needs a Policy, not {type(policy).__name__}.")
        if policy.hosts:
            raise PolicyError(f"hosts: the policy of {pattern!r} has hosts of its own.")
        if host in by_host:
            raise PolicyError(f"hosts: {pattern!r} stands there twice.")
        by_host[host] = policy
    # The first that matches is the one: hosts in full, then from the longest wildcard on.
    return tuple(sorted(by_host.items(), key=lambda pair: _precedence(pair[0])))


def _precedence(pattern: str) -> tuple[bool, int, str]:
    return pattern.startswith("*"), -len(pattern), pattern


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise PolicyError(f"{name} is one of {', '.join(choices)}; got {value!r}.")


DEFAULT: Final = Policy()
