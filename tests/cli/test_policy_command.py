"""body-guard policy: what a file says, what it does at a place, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from body_guard.cli.commands import group

FILE = """
presets = ["sentry"]
[[rules]]
name = "ours"
keys = ["_trace"]
scope = ["/metadata/**"]
exceptions = ["/metadata/kept/_trace"]
action = "reject"
owner = "us"
[[rules]]
name = "live"
types = ["m.Span"]
[[rules]]
name = "again"
prefixes = ["_sentry_"]
action = "report"
[hosts."*.own.test"]
mode = "audit"
[[hosts."*.own.test".rules]]
name = "masked"
keys = ["id"]
action = "replace"
[hosts."api.openai.com"]
schema = "openai"
schema_action = "remove"
stringified = "reject"
presets = ["sentry"]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(FILE, encoding="utf-8")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["policy", *arguments])


def test_check_says_what_it_comes_to(file: str) -> None:
    """With each host's own, and that a preset is not among them."""
    done = run("check", file)
    assert done.exit_code == 0
    assert done.output == (
        f"{file}: ok\n"
        "  mode: enforce\n"
        "  rules: sentry (remove), ours (reject), live (remove), again (report)\n"
        "api.openai.com:\n"
        "  mode: enforce\n"
        "  rules: sentry (remove)\n"
        "  schema: openai (remove)\n"
        "  stringified: reject\n"
        "*.own.test:\n"
        "  mode: audit\n"
        "  rules: masked (replace)\n"
        '  the preset sentry is not among them; presets = ["sentry"] adds it\n'
    )


def test_check_of_no_rules(tmp_path: Path) -> None:
    """Is said as such."""
    path = tmp_path / "policy.toml"
    path.write_text("rules = []", encoding="utf-8")
    assert "  rules: none\n" in run("check", str(path)).output


@pytest.mark.parametrize("command", [("check",), ("explain",)], ids=["check", "explain"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mod = 1", "mod: there is no such key; did you mean mode?"),
        (None, "cannot be read (FileNotFoundError)."),
    ],
    ids=["a mistake", "no file"],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, command: tuple[str], text: str | None, message: str
) -> None:
    """In one line, with exit code 1."""
    path = tmp_path / "policy.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    more = ("/a",) if command == ("explain",) else ()
    done = run(*command, str(path), *more)
    assert done.exit_code == 1
    assert done.output == f"Error: {path}: {message}\n"


SCOPE = "ours: no, its scope is /metadata/**"
NAME = "none of its keys or prefixes matches the name"
LIVE = "live: no, would fire for a value of type m.Span"

OPENAI = ("--host", "api.openai.com")

PLACES = {
    "a preset": (
        ("/a/_sentry_x",),
        [
            "rule sentry takes out /a/_sentry_x, of sentry-sdk",
            "  sentry: fires, the prefix '_sentry_'",
            f"  ours: no, {NAME}",
            f"  {LIVE}",
            "  again: no, rule 'sentry' comes first",
        ],
    ),
    "a scope": (
        ("/metadata/a/_trace",),
        [
            "rule ours refuses the body for /metadata/a/_trace, of us",
            f"  sentry: no, {NAME}",
            "  ours: fires, the key '_trace'",
            f"  {LIVE}",
            f"  again: no, {NAME}",
        ],
    ),
    "out of scope": (
        ("/_trace",),
        [
            "no rule fires at /_trace by its name",
            f"  sentry: no, {NAME}",
            f"  {SCOPE}",
            f"  {LIVE}",
            f"  again: no, {NAME}",
        ],
    ),
    "an exception": (
        ("/metadata/kept/_trace",),
        [
            "no rule fires at /metadata/kept/_trace by its name",
            f"  sentry: no, {NAME}",
            "  ours: no, excepted by /metadata/kept/_trace",
            f"  {LIVE}",
            f"  again: no, {NAME}",
        ],
    ),
    "below what a rule takes": (
        ("/metadata/_sentry_x/y",),
        [
            "rule sentry takes out /metadata/_sentry_x, with /metadata/_sentry_x/y in it, "
            "of sentry-sdk",
            f"  sentry: no, {NAME}",
            "  ours: no, " + NAME,
            f"  {LIVE}",
            f"  again: no, {NAME}",
        ],
    ),
    "the schema": (
        ("/_spy", *OPENAI),
        ["rule openai-schema takes out /_spy", f"  sentry: no, {NAME}"],
    ),
    "below what the schema does not know": (
        ("/messages/0/_spy/x", *OPENAI),
        [
            "rule openai-schema takes out /messages/0/_spy, with /messages/0/_spy/x in it",
            f"  sentry: no, {NAME}",
        ],
    ),
    "what some requests know": (
        ("/voice", *OPENAI),
        [
            "rule openai-schema takes out /voice, in a body with messages or prompt",
            f"  sentry: no, {NAME}",
        ],
    ),
    "what the schema knows": (
        ("/model", *OPENAI),
        ["no rule fires at /model by its name", f"  sentry: no, {NAME}"],
    ),
    "an element": (
        ("/0/_spy", *OPENAI),
        ["no rule fires at /0/_spy by its name", f"  sentry: no, {NAME}"],
    ),
    "a rule before the schema": (
        ("/_sentry_x", *OPENAI),
        [
            "rule sentry takes out /_sentry_x, of sentry-sdk",
            "  sentry: fires, the prefix '_sentry_'",
        ],
    ),
    "a host": (
        ("/id", "--host", "a.own.test"),
        [
            "rule masked replaces /id, in an audit only in the report",
            "  masked: fires, the key 'id'",
        ],
    ),
}


@pytest.mark.parametrize(("arguments", "lines"), PLACES.values(), ids=PLACES)
def test_explain_says_which_rule_and_why(
    file: str, arguments: tuple[str, ...], lines: list[str]
) -> None:
    """And of every other, why not."""
    done = run("explain", file, *arguments, "--all")
    assert done.exit_code == 0
    assert done.output.splitlines() == lines
    done = run("explain", file, *arguments)
    assert done.output.splitlines() == [line for line in lines if ": no, " not in line]


def test_explain_as_json(file: str) -> None:
    """The same, and of every rule why it fires or not."""
    shown = json.loads(run("explain", file, "/voice/x", *OPENAI, "--format", "json").output)
    assert shown == {
        "version": 1,
        "pointer": "/voice/x",
        "mode": "enforce",
        "fires": [
            {
                "rule": "openai-schema",
                "action": "remove",
                "path": "/voice",
                "owner": "",
                "when": "in a body with messages or prompt",
            }
        ],
        "rules": [{"rule": "sentry", "fires": False, "why": NAME}],
    }


def test_check_as_json(file: str) -> None:
    """The policy, and each host's."""
    shown = json.loads(run("check", file, "--format", "json").output)
    hosts = shown.pop("hosts")
    assert shown == {
        "version": 1,
        "file": file,
        "mode": "enforce",
        "rules": [
            {"name": "sentry", "action": "remove"},
            {"name": "ours", "action": "reject"},
            {"name": "live", "action": "remove"},
            {"name": "again", "action": "report"},
        ],
        "schema": None,
        "schema_action": "report",
        "stringified": "off",
    }
    assert hosts["api.openai.com"]["schema"] == "openai"
    assert hosts["*.own.test"]["mode"] == "audit"


def test_what_is_no_pointer(file: str) -> None:
    """Is a mistake in the command."""
    done = run("explain", file, "metadata")
    assert done.exit_code == 2
    assert "'metadata' is no pointer: begins with no slash." in done.output
