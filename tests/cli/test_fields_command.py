"""``body-guard fields``: which fields left for which host, of which types, and how often."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("ijson")
pytest.importorskip("yaml")

from body_guard.cli.commands import group


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["fields", *arguments])


def write(name: str, *bodies: object, host: str = "x.test") -> None:
    lines = [json.dumps({"url": f"https://{host}/", "body": body}) for body in bodies]
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def fields(*arguments: str) -> list[tuple[str, list[str], int, int]]:
    done = run(*arguments, "--format", "json")
    report = json.loads(done.stdout)
    assert report["version"] == 1
    assert list(report["fields"][0]) == ["host", "path", "types", "count", "bodies"]
    return [tuple(each.values())[1:] for each in report["fields"]]  # type: ignore[misc]


def test_fields_by_host_and_path() -> None:
    """Indices are stars; types, counts and bodies add up over the files."""
    write(
        "a.jsonl", {"m": [{"c": "x"}, {"c": None}], "n": 1}, {"m": [], "n": 1.5, "o": {}, "p": True}
    )
    write("b.jsonl", {"n": 2}, host="y.test")
    done = run("a.jsonl", "b.jsonl")
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["host", "path", "types", "count", "bodies"],
        ["x.test", "/m", "array", "1", "1"],
        ["x.test", "/m/*/c", "null", "str", "2", "1"],
        ["x.test", "/n", "float", "int", "2", "2"],
        ["x.test", "/o", "object", "1", "1"],
        ["x.test", "/p", "bool", "1", "1"],
        ["y.test", "/n", "int", "1", "1"],
    ]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("user_id", "/user_id"),
        ("gpt-4o", "/gpt-4o"),
        ("a b", "/{key}"),
        ("jo@x.test", "/{key}"),
        ("x" * 65, "/{key}"),
        ("50256", "/{key}"),
        ("user_18421", "/{key}"),
        ("c0ffee00-1234-4000-8000-000000000000", "/{key}"),
        ("id_0123456789abcdef", "/{key}"),
        ("<12 characters, 0badcafe>", "/{key}"),
        ("", "/{key}"),
    ],
)
def test_keys_that_are_data_are_folded(key: str, shown: str) -> None:
    """So that a map by user, or by id, is one field."""
    write("a.jsonl", {key: 1})
    assert fields("a.jsonl") == [(shown, ["int"], 1, 1)]


def test_what_record_wrote_is_taken_for_its_type() -> None:
    """A masked scalar is of the type that it names, and text that only looks like one is text."""
    write("a.jsonl", {"a": ["str(12)", "int", "float", "bool", None, "integer", "str()"]})
    assert fields("a.jsonl") == [("/a/*", ["bool", "float", "int", "null", "str"], 7, 1)]


def test_a_body_that_is_a_scalar() -> None:
    """Has one field, itself."""
    Path("a.json").write_text('"x"')
    assert run("a.json").stdout.splitlines()[1].split() == [
        "-",
        "the",
        "whole",
        "body",
        "str",
        "1",
        "1",
    ]


def test_a_baseline_is_written_and_checked() -> None:
    """Exit code 1, and its name, for a field that never left before; its type may change."""
    write("a.jsonl", {"a": 1, "b": "x"})
    assert run("a.jsonl", "--baseline", "base.json", "--update-baseline").exit_code == 0
    write("a.jsonl", {"a": "1"})
    assert run("a.jsonl", "--baseline", "base.json").exit_code == 0
    write("a.jsonl", {"a": 1, "c": {"d": 1}})
    done = run("a.jsonl", "--baseline", "base.json")
    assert (done.exit_code, done.stderr) == (1, "not in base.json: x.test /c/d\n")
    assert run("a.jsonl", "--baseline", "none.json").exit_code == 2


def test_what_cannot_be_read() -> None:
    """Is named, with exit code 2; what is no JSON by what it says of itself is only counted."""
    Path("r").mkdir()
    write("r/a.jsonl", {"a": 1}, "plain", '{"b":')
    Path("r/b.json").write_text("[" * 5000 + "]" * 5000)
    Path("r/c.json").symlink_to("c.json")
    done = run("r", "none.json", "--output", "out.txt")
    assert (done.exit_code, done.stdout) == (2, "")
    assert Path("out.txt").read_text(encoding="utf-8").splitlines()[1].split()[:2] == [
        "x.test",
        "/a",
    ]
    assert done.stderr.splitlines() == [
        "not read: r/a.jsonl: entry 3: its body is no JSON",
        "not read: r/b.json: entry 0: its body is nested too deeply",
        "not read: r/c.json: cannot be read: Too many levels of symbolic links",
        "not read: none.json: cannot be read: No such file or directory",
        "bodies that are no JSON, and not listed: 1",
    ]


def test_lines_that_are_no_json_and_files_without_a_body() -> None:
    """A line is named; a recording of no body is nothing that was seen."""
    Path("a.jsonl").write_text('no\n{"host": "h", "judged": false}\n')
    done = run("a.jsonl")
    assert done.exit_code == 2
    assert done.stderr == "not read: a.jsonl: line 1: is no JSON from byte 0 on\n"
    Path("a.jsonl").write_text('{"url": "u", "body": null}\n')
    assert run("a.jsonl").exit_code == 2
