"""``body-guard presets``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.cli.commands import group
from body_guard.cli.presets import DESCRIPTIONS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["presets", *arguments], env={"COLUMNS": "200"})


def test_all_are_listed() -> None:
    """A row for each, with how much is in it, whose it is, and which one is on."""
    done = run()
    assert done.exit_code == 0
    heading, *rows = [line.split() for line in done.output.splitlines()]
    assert heading == ["preset", "names", "what", "they", "are"]
    assert [row[0] for row in rows] == list(PRESETS)
    assert rows[0][:2] == ["sentry", "2"]
    assert rows[0][-1] == "(default)"
    assert "opentelemetry 7 span and context objects, their attributes" in map(" ".join, rows)


def test_all_are_listed_as_json() -> None:
    """With whose they are, too."""
    listed = json.loads(run("--format", "json").output)
    assert listed["version"] == 1
    assert [each["name"] for each in listed["presets"]] == list(PRESETS)
    assert listed["presets"][4] == {
        "name": "opentelemetry",
        "description": "span and context objects, their attributes",
        "rules": 2,
        "names": 7,
        "owners": ["opentelemetry-api"],
        "default": False,
    }
    assert [each["name"] for each in listed["presets"] if each["default"]] == ["sentry"]


def test_one_is_shown_as_json() -> None:
    """By the names that a policy file has for it."""
    shown = json.loads(run("generic-private", "--format", "json").output)
    (rule,) = shown.pop("rules")
    assert shown == {"version": 1, "preset": "generic-private"}
    assert (rule["name"], rule["prefixes"], rule["action"]) == ("generic-private", ["_"], "remove")


def test_each_is_described() -> None:
    """In a line of its own, on 80 columns."""
    assert [*DESCRIPTIONS] == list(PRESETS)
    done = CliRunner().invoke(group, ["presets"], env={"COLUMNS": "80"})
    assert len(done.output.splitlines()) == len(PRESETS) + 1


def test_one_is_shown_whole() -> None:
    """What each of its rules matches and where, whose that is, and what shows the leak."""
    done = run("generic-private")
    assert done.exit_code == 0
    assert [line.rstrip() for line in done.output.splitlines()] == [
        " rule      generic-private",
        " matches   _*",
        " where     / /metadata/** /litellm_metadata/** /messages/*; "
        "not in JSON Schema properties, tool arguments, text",
        " except    **/_meta",
        " action    remove",
        " evidence  https://github.com/Shelpuk/kitty-bridge/pull/47",
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_every_name_of_it_is_shown(name: str) -> None:
    """Keys, prefixes and types, owner and evidence of every rule."""
    words = run(name).output.split()
    for rule in PRESETS[name]:
        shown = {rule.name, *rule.keys, *rule.types, *(f"{prefix}*" for prefix in rule.prefixes)}
        assert shown | {*rule.owner.split(), *rule.evidence.split()} <= set(words)


def test_sentrys_reaches_everywhere() -> None:
    """The one that keeps out of no zone says so by not saying it."""
    assert " where     **\n" in "\n".join(
        line.rstrip() for line in run("sentry").output.splitlines()
    )


def test_a_name_that_is_none() -> None:
    """Exit code 2, and the nearest right spelling."""
    done = run("langfusee")
    assert done.exit_code == 2
    assert "There is no preset 'langfusee'; did you mean 'langfuse'?" in done.output
