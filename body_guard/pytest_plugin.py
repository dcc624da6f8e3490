"""The pytest plugin: the fixture and marker ``outbound``, and ``--outbound`` for a whole suite.

It looks at bodies where they leave, after whatever guard the application has: a test passes where
the application guards itself, and fails where something would have reached the wire. This module is
imported in every run of pytest, so it imports what it needs when a test needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from body_guard.core.report import Finding, Report
    from body_guard.http.departures import Departure
    from body_guard.policy import Policy

__all__ = ["Outbound", "OutboundBody"]

_MODES: Final = ("off", "report", "strict")


@dataclass(frozen=True, slots=True)
class OutboundBody:
    """One body that a test has sent.

    Attributes:
        host: Where it went.
        method: Of the request.
        content: The body as it left; None for a stream.
        report: What the test's policy finds in it. A guard of the application has a report of its
            own.
    """

    host: str
    method: str
    content: bytes | None = field(repr=False)
    report: Report


class Outbound:
    """The bodies that a test has sent so far.

    Attributes:
        bodies: In the order in which they left.
    """

    def __init__(
        self, policy: Policy | None = None, allow: Sequence[str] = (), min_bodies: int = 1
    ) -> None:
        from body_guard.core.rule import read_strings
        from body_guard.core.scopes import Globs
        from body_guard.policy import check_policy, default_policy

        given = default_policy() if policy is None else check_policy(policy)
        self._policy = replace(given, mode="audit", on_report=())
        self._allow = frozenset(read_strings("allow", allow, "sentry"))
        globs = [each for each in self._allow if each[:1] in ("/", "*")]
        self._globs = Globs(globs)
        self._allowed = self._globs.ends(globs)
        self._min_bodies = min_bodies
        self.bodies: list[OutboundBody] = []
        self.was_checked = False

    def add(self, departure: Departure) -> None:
        """Judge a body that has left."""
        __tracebackhide__ = True
        from body_guard.recordings.recorder import look

        report = replace(look(departure, self._policy), host=departure.host)
        body = OutboundBody(departure.host, departure.method, departure.content, report)
        self.bodies.append(body)

    def find(self) -> Iterator[str]:
        """Return a line for each finding that is not allowed: path, rule, owner, host; no value."""
        for body in self.bodies:
            for found in body.report.findings:
                if not self._allows(found):
                    kind = ", ".join(filter(None, (found.type, found.owner)))
                    place = found.path or "the whole body"
                    yield f"{body.method} {body.host}: {place} (rule {found.rule}: {kind})"

    def assert_clean(self) -> None:
        """Fail where a body holds what may not leave, or where too few were seen.

        Raises:
            AssertionError: It says path, rule, owner and host of each finding; never a value.
        """
        __tracebackhide__ = True
        self.was_checked = True
        problem = self.problem()
        if problem:
            raise AssertionError(problem)

    def problem(self) -> str:
        """Return why the test is to fail; ``""`` where it is not."""
        found = list(self.find())
        if found:
            return "\n".join([f"outbound bodies hold what may not leave ({len(found)}):", *found])
        judged = sum(body.report.judged for body in self.bodies)
        if judged >= self._min_bodies:
            return ""
        others = [body.report.why_not_judged for body in self.bodies if not body.report.judged]
        unread = f", and {len(others)} that could not be judged ({others[0]})" if others else ""
        seen = "no outbound body was" if not judged else f"{judged} outbound bodies were"
        return f"{seen} seen{unread}; expected at least {self._min_bodies}"

    def _allows(self, found: Finding) -> bool:
        if found.rule in self._allow:
            return True
        from body_guard.core.pointer import split_pointer

        state = self._globs.start
        for token in split_pointer(found.path):
            state = self._globs.step(state, token)
        return bool(state & self._allowed)


_outbound: Final = pytest.StashKey[Outbound]()
_observer: Final = pytest.StashKey[Any]()
_failed: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--outbound`` and the ini option of that name."""
    text = "judge the HTTP bodies that every test sends: off, report or strict"
    parser.getgroup("outbound").addoption("--outbound", choices=_MODES, help=text)
    parser.addini("outbound", text, default="off")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; judge the whole suite, where that was asked for."""
    config.addinivalue_line(
        "markers",
        "outbound(policy=None, allow=(), min_bodies=1): fail the test if an HTTP body that it "
        "sends holds what may not leave; allow names rules or paths.",
    )
    mode = config.getoption("--outbound") or config.getini("outbound")
    if mode not in _MODES:
        raise pytest.UsageError(f"outbound is one of {', '.join(_MODES)}, not {mode!r}.")
    if mode != "off":
        config.pluginmanager.register(_Suite(mode), "outbound-suite")


@pytest.fixture
def outbound(request: pytest.FixtureRequest) -> Outbound:
    """Return the HTTP bodies that this test sends; ``assert_clean()`` fails it."""
    return _begin(request.node)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin before any fixture, which may send something too."""
    if item.get_closest_marker("outbound") or _mode(item) != "off":
        _begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Check what a marked test has sent, or every test of a strict suite, fixtures included."""
    try:
        result = yield
    finally:
        _end(item)
    seen = item.stash.get(_outbound, None)
    marked = item.get_closest_marker("outbound") is not None
    if seen is None or seen.was_checked or item.stash.get(_failed, False):
        return result
    if marked or _mode(item) == "strict":
        problem = seen.problem()
        if problem:
            pytest.fail(problem, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether a test has failed or was skipped, and hand what it sent to the summary."""
    report = yield
    if report.when != "teardown":
        item.stash[_failed] = item.stash.get(_failed, False) or not report.passed
    elif item.stash.get(_outbound, None) is not None:
        seen = item.stash[_outbound]
        vars(report)["outbound"] = {  # pytest-xdist carries it to its controller
            "bodies": len(seen.bodies),
            "findings": list(seen.find()),
        }
    return report


class _Suite:
    """A suite whose every test is judged: its libraries are hooked once, and it has a summary."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self._tests = self._bodies = 0
        self._findings: dict[str, list[str]] = {}

    def pytest_sessionstart(self) -> None:
        from body_guard.integrations.process_wide import watch

        watch()

    def pytest_sessionfinish(self) -> None:
        from body_guard.integrations.process_wide import unwatch

        unwatch()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what the tests have sent; where pytest-xdist runs them, in its controller."""
        seen = getattr(report, "outbound", None)
        if seen is not None and seen["bodies"]:
            self._tests += 1
            self._bodies += seen["bodies"]
            if seen["findings"]:
                self._findings[report.nodeid] = seen["findings"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was seen; in report mode, every finding."""
        if self.mode == "report":
            for test, findings in self._findings.items():
                terminalreporter.write_line(test)
                for finding in findings:
                    terminalreporter.write_line(f"  {finding}")
        found = sum(map(len, self._findings.values()))
        terminalreporter.write_line(
            f"outbound: {_count(self._bodies, 'body', 'bodies')} in {_count(self._tests, 'test')}, "
            f"{_count(found, 'finding')} in {_count(len(self._findings), 'test')}"
        )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _mode(item: pytest.Item) -> str:
    suite = item.config.pluginmanager.get_plugin("outbound-suite")
    return suite.mode if isinstance(suite, _Suite) else "off"


def _begin(item: pytest.Item) -> Outbound:
    """Observe what a test sends, from now until `_end`; return what was seen so far."""
    if _outbound in item.stash:
        return item.stash[_outbound]
    from body_guard.http.departures import OBSERVERS
    from body_guard.integrations.process_wide import watch

    marker = item.get_closest_marker("outbound")
    if marker is not None:
        seen = Outbound(*marker.args, **marker.kwargs)
    else:
        seen = Outbound(min_bodies=1 if _mode(item) == "off" else 0)
    item.stash[_outbound] = seen
    item.stash[_observer] = seen.add
    OBSERVERS.append(item.stash[_observer])
    watch()
    return seen


def _end(item: pytest.Item) -> None:
    if _observer in item.stash:
        from body_guard.http.departures import OBSERVERS
        from body_guard.integrations.process_wide import unwatch

        unwatch()
        OBSERVERS.remove(item.stash[_observer])
        del item.stash[_observer]
