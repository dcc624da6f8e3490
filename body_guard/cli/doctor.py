"""What ``body-guard doctor`` prints: every door, hooked or not, and what goes past them all."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from rich.console import Console

import body_guard
from body_guard.cli import sdks
from body_guard.cli.extras import keep_litellm_offline
from body_guard.cli.options import print_json
from body_guard.cli.story import table
from body_guard.core import accelerator
from body_guard.integrations import litellm, sentry

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["run"]

_DISTRIBUTIONS: Final = (
    "httpx",
    "httpx2",
    "litellm",
    "sentry-sdk",
    "openai",
    "anthropic",
)

#: By `sentry.status`: what it means, and what to do.
_SENTRY: Final = {
    "fixed": "sentry-sdk keeps its spans out of the dicts that become bodies; do nothing.",
    "patched": "body_guard keeps sentry-sdk's spans out of the dicts that become bodies, in this "
    "process; do nothing.",
    "unfixed": "sentry-sdk puts a live span into its callers' metadata: call "
    "body_guard.integrations.sentry.install(), or upgrade sentry-sdk to 2.64 (to 2.69 where "
    "pydantic-ai is used).",
    "unknown": "body_guard does not know where this sentry-sdk keeps its spans, and leaves it "
    "alone: upgrade sentry-sdk, and keep the guard on the bodies.",
    "absent": "Neither sentry-sdk's LiteLLM nor its Pydantic AI integration can be imported here; "
    "do nothing.",
}

#: What is shown where there is no litellm, and so nothing that could be hooked.
_WITHOUT: Final = litellm.Coverage((litellm.Door("litellm", False, "not installed"),))

#: A longer name goes on in a second line, that the reasons have room in 80 columns.
_NAME_WIDTH: Final = 34


def run(*, verbose: bool = False, form: str = "text") -> int:
    """Print what is guarded, what bypasses it, and what to do; then the state of what is installed.

    The guard is installed meanwhile, and uninstalled again, unless it was there before.

    Args:
        verbose: Whether to print the table of doors.
        form: ``text`` or ``json``.

    Returns:
        The exit code: 0 when every door that exists is hooked, 1 otherwise.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    keep_litellm_offline()
    coverage, unhooked = _coverage()
    state = _state()
    process = body_guard.coverage().warnings
    bypasses = [*coverage.warnings, *process]
    guarded, todo = _guarded(coverage, unhooked), _todo(coverage, unhooked, state)
    if form == "json":
        names = ("sdk", "argument", "takes", "guard_sees")
        print_json(
            guarded=guarded,
            bypasses=bypasses,
            todo=todo,
            doors=[
                {"name": each.name, "hooked": each.hooked, "why": each.why}
                for each in coverage.doors
            ],
            not_hooked=unhooked,
            sentry=state,
            distributions=dict(_versions()),
            sdks=[dict(zip(names, row, strict=True)) for row in sdks.rows()],
        )
        return 1 if unhooked else 0
    _print_summary(console, guarded, bypasses, todo)
    if verbose and coverage is not _WITHOUT:
        console.print(
            "What body_guard.integrations.litellm.install() hooks here: it was called in this "
            "process to find out, and taken back.",
            end="\n\n",
        )
    if verbose:
        table(console, ("door", "hooked", "why"), map(_row, coverage.doors))
    table(console, ("sentry-sdk", "what it means, and what to do"), [(state, _SENTRY[state])])
    table(console, ("distribution", "version"), _versions())
    console.print(sdks.CAPTION, end="\n\n")
    table(console, sdks.HEADS, sdks.rows())
    if coverage.warnings:
        table(console, ("what goes past every door",), [(each,) for each in coverage.warnings])
    if process:
        table(console, ("imported here, beside httpx",), [(each,) for each in process])
    if unhooked:
        console.print("Not hooked:", *unhooked, sep="\n")
        return 1
    if coverage is not _WITHOUT:
        console.print("Every door that exists is hooked.")
    return 0


def _print_summary(console: Console, guarded: str, bypasses: list[str], todo: list[str]) -> None:
    first = bypasses[0] if bypasses else "nothing that is known of."
    more = f" And {len(bypasses) - 1} more, below." if len(bypasses) > 1 else ""
    console.print(f"Guarded: {guarded}")
    console.print(f"Bypasses it: {first}{more}")
    console.print(f"To do: {' '.join(todo)}", end="\n\n")


def _guarded(coverage: litellm.Coverage, unhooked: list[str]) -> str:
    """Return what a guard would stand in, as a sentence."""
    if coverage is _WITHOUT:
        return "clients of httpx, where you guard them; litellm is not installed."
    there = sum(not door.absent for door in coverage.doors)
    if unhooked:
        return f"litellm only in part: {there - len(unhooked)} of {there} doors are hooked."
    return f"litellm, at all of its {there} doors, once install() is called; and clients of httpx."


def _todo(coverage: litellm.Coverage, unhooked: list[str], state: str) -> list[str]:
    """Return what to do, a sentence each."""
    if unhooked:
        first = "Upgrade body-guard, or pin a litellm that it knows; the doors are named below."
    elif coverage is _WITHOUT:
        first = "Guard your clients: body_guard.guard(client), or body_guard.install()."
    else:
        first = "Call body_guard.integrations.litellm.install() where your program starts."
    return [first, *([_SENTRY[state]] if state in ("unfixed", "unknown") else [])]


def _coverage() -> tuple[litellm.Coverage, list[str]]:
    """Return the coverage with the guard installed, and the doors that exist and are not hooked."""
    if find_spec("litellm") is None:
        return _WITHOUT, []
    before = any(door.hooked for door in litellm.coverage().doors)
    try:
        if not before:
            litellm.install()
        coverage = litellm.coverage()
    except Exception as error:  # a broken litellm raises what it likes
        why = f"install() raises {type(error).__name__}"
        coverage = litellm.Coverage((litellm.Door("litellm", False, why),), ())
    finally:
        if not before:
            litellm.uninstall()
    return coverage, [door.name for door in coverage.doors if not (door.hooked or door.absent)]


def _row(door: litellm.Door) -> tuple[str, str, str]:
    owner, dot, name = door.name.rpartition(".")
    folded = f"{owner}{dot}\n  {name}" if len(door.name) > _NAME_WIDTH else door.name
    return folded, "yes" if door.hooked else "no", door.why


def _state() -> str:
    try:
        return sentry.status()
    except Exception:  # of what it imports
        return "absent"


def _versions() -> Iterator[tuple[str, str]]:
    yield "body-guard", f"{body_guard.__version__}, its passes {accelerator.describe()}"
    for name in _DISTRIBUTIONS:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
