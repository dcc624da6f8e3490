"""Policies from files: the constructor's names, and every mistake with file, key and remedy."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import body_guard
import body_guard.convert
from body_guard import Policy, PolicyError, Rule, config
from body_guard.builtin_rules.catalog import preset
from body_guard.http.request_guard import Guard
from body_guard.policy import DEFAULT

RULE = """
[[rules]]
name = "ours"
keys = ["_trace"]
prefixes = ["_our_"]
action = "report"
scope = ["/", "/metadata/**"]
exceptions = ["**/_our_own"]
protect = true
owner = "us"
evidence = "https://x.test/1"
"""
OURS = Rule(
    "ours",
    keys=("_trace",),
    prefixes=("_our_",),
    action="report",
    scope=("/", "/metadata/**"),
    exceptions=("**/_our_own",),
    protect=True,
    owner="us",
    evidence="https://x.test/1",
)

FILES: dict[str, tuple[str, Policy]] = {
    "empty": ("", Policy()),
    "options": (
        """
        unserializable = "reject"
        on_error = "send"
        max_bytes = 1_000
        on_limit = "send"
        buffer = 65_536
        look_into = ["form", "multipart"]
        mode = "audit"
        convert = "jsonable"
        """,
        Policy(
            unserializable="reject",
            on_error="send",
            max_bytes=1_000,
            on_limit="send",
            buffer=65_536,
            look_into=("form", "multipart"),
            mode="audit",
            convert=body_guard.convert.jsonable,
        ),
    ),
    "rules": (RULE, Policy((OURS,))),
    "a replacement by null": (
        '[[rules]]\nname = "r"\nkeys = ["a"]\naction = "replace"',
        Policy((Rule("r", ("a",), action="replace", replacement=None),)),
    ),
    "no rules": ("rules = []", Policy(())),
    "presets": ('presets = ["litellm"]', Policy(preset("litellm"))),
    "a preset twice": (
        'presets = ["sentry", "litellm", "sentry"]',
        Policy((*preset("sentry"), *preset("litellm"))),
    ),
    "presets and rules": (f'presets = ["sentry"]\n{RULE}', Policy((*preset("sentry"), OURS))),
    "hosts": (
        """
        mode = "audit"
        [hosts."*.x.com"]
        presets = ["sentry"]
        [[hosts."*.x.com".rules]]
        name = "r"
        keys = ["a"]
        action = "replace"
        replacement = 7
        [hosts.localhost]
        rules = []
        """,
        Policy(
            mode="audit",
            hosts={
                "*.x.com": Policy(
                    (*preset("sentry"), Rule("r", ("a",), action="replace", replacement=7))
                ),
                "localhost": Policy(()),
            },
        ),
    ),
    "a table": (
        """
        [project]
        name = "mine"
        [tool.other]
        mode = 1
        [tool.body_guard]
        buffer = 1
        [tool.body_guard.hosts."x.com"]
        buffer = 2
        """,
        Policy(buffer=1, hosts={"x.com": Policy(buffer=2)}),
    ),
}  # fmt: skip


def written(folder: Path, text: str, name: str = "policy.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_says_what_the_constructor_does(
    tmp_path: Path, text: str, expected: Policy, kind: Any
) -> None:
    """The same names, the same policy."""
    assert Policy.load(kind(written(tmp_path, text))) == expected


def test_a_reporter_is_named(tmp_path: Path) -> None:
    """One, or several."""
    module = pytest.importorskip("body_guard.integrations.opentelemetry")
    for value in ('"opentelemetry"', '["opentelemetry"]'):
        policy = Policy.load(written(tmp_path, f"on_report = {value}"))
        assert policy.on_report == (module.record,)


CHOICES = (
    "write a host (api.x.com), all hosts below one (*.x.com) or an IP address, without scheme, "
    "port or path."
)

MISTAKES = {
    "not TOML": ("x = [", "is not TOML (Invalid value (at end of document))."),
    "an unknown key": ("mod = 'audit'", "mod: there is no such key; did you mean mode?"),
    "a key with a hyphen": (
        "max-bytes = 1",
        "max-bytes: there is no such key; did you mean max_bytes?",
    ),
    "a key beyond ASCII": ("'pr\u00e9set' = 1", '"pr\u00e9set": there is no such key; did you mean presets?'),
    "a key that needs quotes": (
        "'on report' = 1",
        '"on report": there is no such key; did you mean on_report?',
    ),
    "a wrong value": ("mode = 'adit'", "mode is one of enforce, audit; got 'adit'."),
    "a wrong type": (
        "buffer = '1'",
        "buffer takes a number of bytes from 0, not '1'.",
    ),
    "two mistakes": (
        "mode = 'adit'\nbuffer = -1",
        "buffer takes a number of bytes from 0, not -1.",
    ),
    "a date": (
        "presets = 2026-01-01",
        "presets: takes an array of strings, not a date or time.",
    ),
    "rules, no tables": ("rules = 1", "rules: takes tables, [[rules]], not an integer."),
    "a rule, no table": ("rules = [1.5]", "rules[0]: takes a table, not a float."),
    "a rule's key": (
        "[[rules]]\nname = 'x'\nkey = ['y']",
        "rules[0].key: there is no such key; did you mean keys?",
    ),
    "a rule without a name": ("[[rules]]\nkeys = ['x']", "rules[0]: a rule needs a name."),
    "a rule's type": (
        "[[rules]]\nname = 'x'\nkeys = 'y'",
        "rules[0]: Rule 'x': keys takes several strings; write ('y',).",
    ),
    "a rule of no sense": (
        "[[rules]]\nname = 'x'\nkeys = ['y']\n[[rules]]\nname = 'z'",
        "rules[1]: Rule 'z' matches nothing: give keys, prefixes or types.",
    ),
    "two rules": (
        "[[rules]]\nname = 'x'\nkeys = ['y']\n[[rules]]\nname = 'x'\nkeys = ['z']",
        "Two rules are named 'x'; a finding could mean either.",
    ),
    "a preset": (
        "presets = ['sentri']",
        "presets: There is no preset 'sentri'; did you mean 'sentry'?",
    ),
    "presets, a string": (
        "presets = 'sentry'",
        "presets: takes an array of strings, not a string.",
    ),
    "presets, mixed": (
        "presets = ['sentry', 1]",
        "presets: takes an array of strings, not an array.",
    ),
    "convert": (
        "convert = 'json'",
        "convert: 'json' is no function a file can name; there is \"jsonable\".",
    ),
    "convert, an array": (
        "convert = ['jsonable']",
        "convert: ['jsonable'] is no function a file can name; there is \"jsonable\".",
    ),
    "convert, a boolean": (
        "convert = true",
        'convert: True is no function a file can name; there is "jsonable".',
    ),
    "on_report": (
        "on_report = ['otel']",
        "on_report: 'otel' is no function a file can name; there is \"opentelemetry\".",
    ),
    "on_report, a number": (
        "on_report = 1",
        "on_report: takes an array of strings, not an integer.",
    ),
    "hosts": ("hosts = true", 'hosts: takes tables, [hosts."*.x.com"], not a boolean.'),
    "a host": ("[hosts]\n'a.com' = {}\n'b.com' = 1", 'hosts."b.com": takes a table, not an integer.'),
    "a pattern": (
        "[hosts.'a.com:80']",
        f"hosts: 'a.com:80' is no pattern; {CHOICES}",
    ),
    "a host's key": (
        "[hosts.'*.a.com']\nbufer = 1",
        'hosts."*.a.com".bufer: there is no such key; did you mean buffer?',
    ),
    "a host's value": (
        "[hosts.localhost]\nbuffer = -1",
        "hosts.localhost: buffer takes a number of bytes from 0, not -1.",
    ),
    "a host's rule": (
        "[[hosts.localhost.rules]]\nname = 'x'\nkeys = ['y']\nprotect = 1",
        "hosts.localhost.rules[0]: Rule 'x': protect takes True or False.",
    ),
    "nested hosts": (
        "[hosts.localhost.hosts.'b.com']",
        "hosts.localhost.hosts: a host's policy has no hosts of its own.",
    ),
    "a host twice": (
        "[hosts]\n'a.com' = {}\n'A.com' = {}",
        "hosts: 'A.com' stands there twice.",
    ),
    "another spelling": (
        "[tool.body-guard]",
        "has no table [tool.body_guard], but [tool.body-guard].",
    ),
    "another tool": ("[tool.ruff]", "has no table [tool.body_guard]."),
    "no table": ("[tool]\nbody_guard = ''", "tool.body_guard: takes a table, not a string."),
    "inside a table": (
        "[tool.body_guard]\nmod = 1",
        "tool.body_guard.mod: there is no such key; did you mean mode?",
    ),
    "a quote in a key": (
        "'a\"\\\\b' = 1",
        '"a\\"\\\\\\\\b": there is no such key; there are rules,',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """File, key, what is wrong, and what is nearest to it."""
    path = written(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        Policy.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert str(caught.value) == f"{path}: {message}" or message.endswith(",")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.toml", None, "cannot be read (FileNotFoundError)."),
        (".", None, "cannot be read (IsADirectoryError)."),
        ("a\0b", None, "cannot be read (ValueError)."),
        ("latin.toml", b"a = '\xe9'", "cannot be read (UnicodeDecodeError)."),
        ("pyproject.toml", b"[project]\nname = 'x'", "has no table [tool.body_guard]."),
    ],
    ids=["missing", "folder", "no path", "no UTF-8", "pyproject"],
)
def test_a_file_that_is_none(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """Is named, with why."""
    path = os.path.join(tmp_path, name)
    if content is not None:
        Path(path).write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        Policy.load(path)
    assert str(caught.value) == f"{path}: {message}"
    assert caught.value.__context__ is None


def test_a_function_whose_library_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Say which, and what would bring it, as the module does."""
    monkeypatch.delitem(sys.modules, "body_guard.integrations.opentelemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    path = written(tmp_path, 'on_report = ["opentelemetry"]')
    with pytest.raises(PolicyError) as caught:
        Policy.load(path)
    assert str(caught.value) == (
        f"{path}: on_report: 'opentelemetry' needs what is missing: "
        "body_guard.integrations.opentelemetry needs opentelemetry-api, which is not installed; "
        "write pip install 'body-guard[otel]'."
    )


def test_python_3_10_has_tomli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same functions by another name."""
    imported = []

    def importing(name: str) -> Any:
        imported.append(name)
        if name == "tomllib":
            raise ModuleNotFoundError
        return sys.modules.get("tomllib") or __import__("tomli")

    monkeypatch.setattr(config, "import_module", importing)
    assert Policy.load(written(tmp_path, "buffer = 3")).buffer == 3
    assert imported == ["tomllib", "tomli"]


# --- the environment ------------------------------------------------------------------------------


def test_the_environment_names_the_policy_of_a_guard_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of clients, transports, guard(), whatever is built without a policy; not of the core."""
    monkeypatch.setenv("BODY_GUARD_POLICY", str(written(tmp_path, RULE)))
    policy = Policy((OURS,))
    assert Guard(httpx).policy == policy
    assert Guard(httpx, DEFAULT).policy is DEFAULT
    assert body_guard.GuardedClient()._body_guard_guard.policy == policy
    assert body_guard.GuardedTransport(httpx.MockTransport(str))._body_guard_guard.policy == policy  # type: ignore[arg-type]
    assert body_guard.guard(httpx.Client())._body_guard_guard.policy == policy  # type: ignore[attr-defined]
    assert body_guard.GuardedClient(policy=DEFAULT)._body_guard_guard.policy is DEFAULT
    assert body_guard.Sanitizer().policy is DEFAULT


def test_it_is_read_when_a_guard_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each state of the file; a guard that stands keeps its policy."""
    path = written(tmp_path, "buffer = 1")
    monkeypatch.setenv("BODY_GUARD_POLICY", str(path))
    first = Guard(httpx)
    assert Guard(httpx).policy is first.policy
    path.write_text("buffer = 22", encoding="utf-8")
    assert Guard(httpx).policy.buffer == 22
    assert first.policy.buffer == 1
    monkeypatch.setenv("BODY_GUARD_POLICY", "")
    assert Guard(httpx).policy is DEFAULT


def test_a_mistake_in_the_environment_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never the default in its place."""
    monkeypatch.setenv("BODY_GUARD_POLICY", str(tmp_path / "missing"))
    with pytest.raises(PolicyError) as caught:
        body_guard.GuardedClient()
    assert str(caught.value) == (
        f"BODY_GUARD_POLICY: {tmp_path / 'missing'}: cannot be read (FileNotFoundError)."
    )


@pytest.mark.parametrize("name", ["body_guard.toml", "pyproject.toml", ".body_guard.toml"])
def test_nothing_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file that somebody put there is nobody's policy."""
    written(tmp_path, "[tool.body_guard]\nrules = []", name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BODY_GUARD_POLICY", raising=False)
    assert Guard(httpx).policy is DEFAULT
