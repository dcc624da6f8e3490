"""JSON text inside JSON strings: tool arguments and tool results of OpenAI and Anthropic.

All other strings are text, and a prompt that quotes JSON is the user's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from body_guard.core.errors import BodyRejectedError
from body_guard.core.matcher import Matcher
from body_guard.core.report import CLEAN, Report
from body_guard.core.rule import Rule
from body_guard.formats.json_bytes import JSONBytes
from body_guard.formats.json_values import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from body_guard.formats.limits import Limits

__all__ = ["JSONStrings", "drop_replacements"]

#: The rules that put changed strings in their places; what was found in them is reported instead.
_RULE: Final = "json-strings"


class _Is(NamedTuple):
    """A condition in a place: a member of the object there has one of some values."""

    name: str
    values: tuple[str, ...]


_EACH: Final = "*"
_TOOL: Final = _Is("role", ("tool", "function"))
_RESULT: Final = _Is("type", ("tool_result",))
_CALL: Final = _Is("type", ("function_call", "mcp_call", "tool_search_call"))
_OUTPUT: Final = _Is("type", ("function_call_output", "custom_tool_call_output", "mcp_call"))

#: Where strings hold JSON text: in OpenAI's messages, Anthropic's, and OpenAI's Responses.
_PLACES: Final[tuple[tuple[str | _Is, ...], ...]] = (
    ("messages", _EACH, "tool_calls", _EACH, "function", "arguments"),
    ("messages", _EACH, "function_call", "arguments"),
    ("messages", _EACH, _TOOL, "content"),
    ("messages", _EACH, _TOOL, "content", _EACH, "text"),
    ("messages", _EACH, "content", _EACH, _RESULT, "content"),
    ("messages", _EACH, "content", _EACH, _RESULT, "content", _EACH, "text"),
    ("input", _EACH, _CALL, "arguments"),
    ("input", _EACH, _OUTPUT, "output"),
    ("input", _EACH, _OUTPUT, "output", _EACH, "text"),
)


class JSONStrings:
    """Sanitizes the JSON texts in the strings of a body.

    Only rules that hold everywhere apply: a scope is of the body, not of a text in it, and
    protecting rules leave tool arguments alone.

    Args:
        rules: Of the policy.
        limits: How large such a text may be.
    """

    __slots__ = ("_json",)

    def __init__(self, rules: Iterable[Rule], limits: Limits) -> None:
        matcher = Matcher(rule for rule in rules if rule.everywhere)
        self._json = JSONBytes(matcher, limits)

    def check(self, body: object) -> tuple[tuple[Rule, ...], Report]:
        """Check the JSON texts in a body.

        Args:
            body: A value that json can write, or one of `body_guard.formats.json_values`.

        Returns:
            Rules that replace the strings that must change, and the report of what was found in
            them; a path goes on inside the string.
        """
        __tracebackhide__ = True
        rules: dict[tuple[str, ...], Rule] = {}
        report = CLEAN
        for tokens, text in _find(body):
            clean, found = self._sanitize(text)
            path = "/" + "/".join(tokens)
            inner = tuple(
                replace(finding, path=path + finding.path)
                for finding in found.findings
                if finding.rule != "malformed"  # then the string is text, and no JSON
            )
            report += Report(inner, found.changed, omitted=found.omitted)
            if found.changed:
                *container, name = tokens
                rules[tokens] = Rule(
                    _RULE,
                    keys=(name,),
                    scope=("/" + "/".join(container),),
                    action="replace",
                    replacement=clean,
                )
        return tuple(rules.values()), report

    def _sanitize(self, text: str) -> tuple[str, Report]:
        __tracebackhide__ = True
        if not text.lstrip(" \t\n\r").startswith(("{", "[")):
            return text, CLEAN
        content = text.encode("utf-8", "surrogatepass")
        try:
            clean, report = self._json.sanitize(content, "sniffed")
        except BodyRejectedError as error:  # raised again by whoever reads the report
            return text, error.report
        return clean.decode("utf-8", "surrogatepass"), report


def drop_replacements(report: Report) -> Report:
    """Return the report of applying rules of `JSONStrings.check`, without their own findings."""
    findings = tuple(finding for finding in report.findings if finding.rule != _RULE)
    return replace(report, findings=findings)


def _find(body: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the strings that may hold JSON text, each with the path to it: fixed names, indices."""
    for place in _PLACES:
        yield from _follow(body, place, ())


def _follow(
    value: Any, steps: tuple[str | _Is, ...], tokens: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    if not steps:
        if issubclass(type(value), str):
            yield tokens, str.__str__(value)
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, _Is):
        if any(name == step.name and item in step.values for name, item in _texts(value)):
            yield from _follow(value, rest, tokens)
    elif step == _EACH:
        if issubclass(type(value), (list, tuple)):
            for index, item in enumerate(list(value)):
                yield from _follow(item, rest, (*tokens, str(index)))
    else:
        for name, item in members(value):
            if name == step:
                yield from _follow(item, rest, (*tokens, name))


def _texts(value: object) -> Iterator[tuple[str, str]]:
    for name, item in members(value):
        if issubclass(type(item), str):
            yield name, str.__str__(item)
