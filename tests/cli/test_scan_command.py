"""``body-guard scan``: what it finds, how it says so, what it exits with, what it repairs."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("ijson")
pytest.importorskip("yaml")

import yaml
import zstandard

import body_guard
from body_guard.cli import scan as command
from body_guard.cli.commands import group

DATA = Path(__file__).parents[1] / "data"
CASSETTES = DATA / "cassettes"

#: A body that leaks; the value is what no report may show.
SECRET = "the span's own words"
DIRTY = json.dumps({"model": "m", "metadata": {"_sentry_span": SECRET, "user": "u"}})
CLEAN = '{"model": "m", "metadata": {"user": "u"}}'
FINDING = ("/metadata/_sentry_span", "sentry", "remove", "builtins.str", "sentry-sdk")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BODY_GUARD_POLICY", raising=False)
    return tmp_path


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["scan", *arguments], input=stdin)


def found(*arguments: str) -> list[tuple[object, ...]]:
    """Return file, entry, host, path, rule, action, type and owner of each finding."""
    report = json.loads(run(*arguments, "--format", "json").stdout)
    return [tuple(list(each.values())[:-1]) for each in report["findings"]]


def write(name: str, *lines: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def request(body: str, host: str = "x.test") -> str:
    return f'{{"method": "POST", "url": "https://{host}/v1", "body": {body}}}'


#: Exit codes


@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        pytest.param({"a.jsonl": [CLEAN]}, (), 0, id="clean"),
        pytest.param({"a.jsonl": [CLEAN, DIRTY]}, (), 1, id="dirty"),
        pytest.param({"a.jsonl": [DIRTY]}, ("--exit-zero",), 0, id="dirty, exit zero"),
        pytest.param({"a.jsonl": [CLEAN, "no"]}, (), 2, id="unread"),
        pytest.param({"a.jsonl": [DIRTY, "no"]}, (), 1, id="dirty and unread"),
        pytest.param(
            {"a.jsonl": [DIRTY, "no"]}, ("--exit-zero",), 2, id="dirty and unread, exit zero"
        ),
        pytest.param({"a.txt": [CLEAN]}, (), 2, id="nothing that is read"),
        pytest.param({"a.jsonl": ['{"url":"u","body":null}']}, (), 2, id="no body"),
        pytest.param({"a.jsonl": [CLEAN]}, ("--policy", "none.toml"), 2, id="no such policy"),
        pytest.param({"a.jsonl": [CLEAN]}, ("--preset", "none"), 2, id="no such preset"),
        pytest.param({"a.jsonl": [CLEAN]}, ("--format", "none"), 2, id="no such format"),
        pytest.param({"a.jsonl": [CLEAN]}, ("--output", "no/a.txt"), 2, id="no such folder"),
    ],
)
def test_the_exit_code(files: dict[str, list[str]], arguments: tuple[str, ...], code: int) -> None:
    """0 for clean, 1 for findings, 2 for what could not be read; findings come first."""
    for name, lines in files.items():
        write(f"r/{name}", *lines)
    assert run("r", *arguments).exit_code == code


def test_without_a_path() -> None:
    """It is a mistake in the call."""
    assert run().exit_code == 2


def test_a_path_that_is_not_there() -> None:
    """It is named, and never looks clean."""
    done = run("none.har")
    assert done.exit_code == 2
    assert done.stdout == (
        "none.har: not read: cannot be read: No such file or directory\n"
        "0 findings in 0 bodies in 0 files, 0 bytes\n"
        "nothing was read: no request body was found\n"
    )


def test_a_folder_with_a_file_that_cannot_be_read() -> None:
    """The others are judged, and this one is named."""
    write("r/a.jsonl", CLEAN)
    Path("r/b.json").symlink_to("b.json")
    done = run("r")
    assert done.exit_code == 2
    assert "r/b.json: not read: cannot be read: Too many levels of symbolic links\n" in done.stdout


#: What is found


def test_what_it_says() -> None:
    """A line for each finding: the file and line, the request, the place, the rule; no value."""
    write("r/a.jsonl", CLEAN, request(DIRTY))
    write("r/b.json", '"\\ud800_"', "")
    done = run("r")
    assert done.exit_code == 1
    assert done.stdout == (
        "r/a.jsonl:2: POST x.test /metadata/_sentry_span "
        "(rule sentry, remove, builtins.str, sentry-sdk)\n"
        f"1 finding in 3 bodies in 2 files, {sum(map(os.path.getsize, ('r/a.jsonl', 'r/b.json')))} bytes\n"
    )
    assert done.stderr == ""


def test_json() -> None:
    """Version 1, as the documentation has it."""
    write("a.jsonl", request(DIRTY), "no", '{"host": "h", "judged": false}')
    report = json.loads(run("a.jsonl", "--format", "json").stdout)
    (finding,) = report.pop("findings")
    assert report == {
        "version": 1,
        "files": 1,
        "bodies": 2,
        "bytes": os.path.getsize("a.jsonl"),
        "not_judged": 1,
        "unread": [{"file": "a.jsonl", "why": "line 2: is no JSON from byte 0 on"}],
    }
    assert re.fullmatch("[0-9a-f]{32}", finding.pop("fingerprint"))
    names = ("path", "rule", "action", "type", "owner")
    assert finding == {
        "file": "a.jsonl",
        "entry": 1,
        "host": "x.test",
        **dict(zip(names, FINDING, strict=True)),
    }


def test_a_key_that_is_data_is_shortened() -> None:
    """In every format, as it is in the log."""
    write("a.jsonl", '{"jo@x.test": {"_sentry_x": 1}}')
    for form in ("text", "json", "sarif", "html"):
        shown = run("a.jsonl", "--format", form).stdout
        assert "jo@x.test" not in shown
        assert "9 characters" in shown


POLICY = """
max_bytes = 4000
[[rules]]
name = "ours"
keys = ["internal"]
action = "reject"
owner = "us"
[[rules]]
name = "told"
keys = ["seen"]
action = "report"
[hosts."own.test"]
presets = ["sentry"]
"""


def test_policies_and_presets() -> None:
    """The policy of the file, the presets' rules beside its own, and each host's policy."""
    write("policy.toml", POLICY)
    write("a.jsonl", request('{"internal": 1, "seen": 1, "_sentry_x": 1, "litellm_call_id": 1}'))
    write("b.jsonl", request('{"internal": 1, "_sentry_x": 1}', "own.test"))
    both = ("a.jsonl", "b.jsonl", "--policy", "policy.toml")
    rules = [(each[2], each[4], each[5]) for each in found(*both)]
    assert rules == [
        ("x.test", "ours", "reject"),
        ("x.test", "told", "report"),
        ("own.test", "sentry", "remove"),
    ]
    rules = [
        (each[2], each[4]) for each in found(*both, "--preset", "litellm", "--preset", "sentry")
    ]
    assert ("x.test", "sentry") in rules
    assert ("own.test", "sentry") in rules
    assert run("a.jsonl", "--preset", "datadog").exit_code == 1


def test_the_policy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of a guard that is given none."""
    write("policy.toml", POLICY)
    write("a.jsonl", '{"internal": 1}')
    assert run("a.jsonl").exit_code == 0
    monkeypatch.setenv("BODY_GUARD_POLICY", "policy.toml")
    assert run("a.jsonl").exit_code == 1


@pytest.mark.parametrize(
    "setting",
    ['schema = "openai"', 'stringified = "report"', 'look_into = ["json-strings"]'],
)
def test_policies_that_look_at_whole_bodies(setting: str) -> None:
    """Lines are judged one by one, by all that the policy asks for."""
    write("policy.toml", setting, 'presets = ["sentry"]')
    arguments = json.dumps({"_sentry_x": 1})
    call = {"function": {"name": "f", "arguments": arguments}, "type": "function", "id": "1"}
    message = {
        "role": "assistant",
        "tool_calls": [call],
        "content": "<object object at 0x7f00aa11bb22>",
    }
    write("a.jsonl", json.dumps({"model": "m", "messages": [message], "unknown_member": 1}))
    assert len(found("a.jsonl", "--policy", "policy.toml")) == 1


def test_bodies_that_are_opaque_on_the_wire() -> None:
    """Forms, multipart and compressed bodies are looked into."""
    packed = base64.b64encode(gzip.compress(DIRTY.encode())).decode()
    part = f'--b\r\nContent-Disposition: form-data; name="_sentry_x"\r\n\r\n{SECRET}\r\n--b--\r\n'
    entries = [
        {"postData": {"mimeType": "application/x-www-form-urlencoded", "text": "_sentry_x=1&a=2"}},
        {"postData": {"mimeType": "multipart/form-data; boundary=b", "text": part}},
        {
            "postData": {"mimeType": "application/json", "text": packed, "encoding": "base64"},
            "headers": [{"name": "Content-Encoding", "value": "gzip"}],
        },
    ]
    write("a.har", json.dumps({"log": {"entries": [{"request": each} for each in entries]}}))
    assert [(each[1], each[4]) for each in found("a.har")] == [
        (0, "sentry"),
        (1, "sentry"),
        (2, "sentry"),
    ]
    run("a.har", "--fix", "out")
    assert run("out").exit_code == 0


def test_what_is_not_judged_is_counted() -> None:
    """It is no finding, and by itself no error; but where nothing else is read, it is."""
    image = '{"url": "https://x.test/", "body": "plain text"}'
    write("a.jsonl", image, image)
    done = run("a.jsonl")
    assert "2 bodies not judged: not JSON\n" in done.stdout
    assert done.exit_code == 0


def test_bodies_that_cannot_be_judged() -> None:
    """Broken JSON, and what is over the bounds of the policy, are named as unread."""
    write("policy.toml", POLICY)
    requests = [
        {"body": '{"a":', "headers": {"Content-Type": "application/json"}},
        {"body": "{broken"},
        {"body": json.dumps({"seen": "x" * 5000, "internal": 1})},
        {"body": '{"internal":'},
        {"body": base64.b64encode('{"a":1}'.encode("utf-16")).decode()},
        {"body": {"base64_string": base64.b64encode('{"a":1}'.encode("utf-16")).decode()}},
        {"body": {"base64_string": base64.b64encode(b"\xef\xbb\xbf{}").decode()}},
    ]
    write("a.json", json.dumps({"interactions": [{"request": each} for each in requests]}))
    report = json.loads(run("a.json", "--policy", "policy.toml", "--format", "json").stdout)
    assert [each["why"] for each in report["unread"]] == [
        "entry 0: its body is no JSON",
        "entry 1: its body is no JSON",
        "entry 2: its body is too large to be judged",
    ]
    assert [(each["entry"], each["rule"]) for each in report["findings"]] == [(3, "malformed")]


def test_a_body_that_is_too_deep_to_be_judged() -> None:
    """It is named too."""
    write("policy.toml", 'schema = "openai"', 'schema_action = "remove"')
    deep = ["[" * depth + "]" * depth for depth in (20_000, 5000)]
    requests = [{"request": {"body": f'{{"messages": {each}}}'}} for each in deep]
    write("a.json", json.dumps({"interactions": requests}))
    done = run("a.json", "--policy", "policy.toml")
    assert done.exit_code == 2
    assert done.stdout.splitlines()[:2] == [
        "a.json: not read: entry 0: its body is nested over 10,000 levels deep",
        "a.json: not read: entry 1: its body is nested too deeply",
    ]


def test_findings_beyond_those_listed() -> None:
    """A report lists a thousand of one body; the others are counted."""
    write("a.jsonl", json.dumps([{"_sentry_x": 1}] * 1002))
    assert "2 more findings in bodies that have over 1,000\n" in run("a.jsonl").stdout


def test_the_standard_input() -> None:
    """As ``-``."""
    done = run("-", "--format", "json", stdin=gzip.compress(DIRTY.encode()))
    assert [each["file"] for each in json.loads(done.stdout)["findings"]] == ["-"]
    assert "stdin" in run("-", "--format", "sarif", stdin=DIRTY.encode()).stdout


#: A real suite


def test_the_cassettes_of_a_real_suite() -> None:
    """They are clean, and read to the last one."""
    done = run(str(CASSETTES))
    assert done.exit_code == 0
    assert done.stdout.startswith("0 findings in 5 bodies in 5 files, ")


def plant(value: object) -> None:
    if isinstance(value, dict) and value.get("messages"):
        value["messages"][0]["_sentry_span"] = SECRET


def test_the_cassettes_of_a_real_suite_with_a_leak(here: Path) -> None:
    """Planted in each way that they write bodies, it is found in each file, and taken out again."""
    for path in sorted(CASSETTES.glob("*.yaml")):
        cassette = yaml.safe_load(path.read_text(encoding="utf-8"))
        for interaction in cassette["interactions"]:
            sent = interaction["request"]
            if "body" in sent:
                body = json.loads(sent["body"])
                plant(body)
                sent["body"] = json.dumps(body)
            else:
                plant(sent["parsed_body"])
        write(f"r/{path.name}", yaml.safe_dump(cassette))
    done = run("r", "--fix", "out")
    assert done.exit_code == 1
    files = [each[0] for each in found("r")]
    assert files == [
        f"r/{name}.yaml"
        for name in ("anthropic_headers", "bedrock_max_tokens", "groq_headers", "openai_text")
    ]
    assert SECRET not in done.stdout
    again = run("out")
    assert (again.exit_code, again.stdout.partition(",")[0]) == (
        0,
        "0 findings in 5 bodies in 5 files",
    )


#: Baselines


def test_a_baseline_is_written_and_checked() -> None:
    """By one command. What it knows is not told again; what is new is."""
    write("r/a.jsonl", DIRTY, DIRTY)
    done = run("r", "--baseline", "r/base.json", "--update-baseline")
    assert (done.exit_code, done.stderr) == (0, "r/base.json: 2 findings written\n")
    assert SECRET not in Path("r/base.json").read_text()
    done = run("./r", "--baseline", "r/base.json")
    assert done.exit_code == 0
    assert "2 findings that the baseline knows\n" in done.stdout
    write("r/a.jsonl", CLEAN, DIRTY, DIRTY, DIRTY)
    done = run("r", "--baseline", "r/base.json")
    assert done.exit_code == 1
    assert done.stdout.startswith("r/a.jsonl:4: ")
    assert run(os.path.abspath("r"), "--baseline", "r/base.json").exit_code == 1


def test_a_baseline_of_nothing() -> None:
    """Is one all the same."""
    write("a.jsonl", CLEAN)
    run("a.jsonl", "--baseline", "base.json", "--update-baseline")
    assert run("a.jsonl", "--baseline", "base.json").exit_code == 0


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (None, (), "base.json does not exist; --update-baseline writes it."),
        ("{", (), "base.json is no baseline of this command; --update-baseline writes one."),
        ("[]", (), "base.json is no baseline of this command; --update-baseline writes one."),
        ('{"fields": [{"field": "x"}]}', (), "base.json is no baseline of this command"),
        ("{}", (), "base.json is no baseline of this command"),
    ],
)
def test_a_baseline_that_is_none(
    content: str | None, arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence says what to do."""
    write("a.jsonl", DIRTY)
    if content is not None:
        write("base.json", content)
    done = run("a.jsonl", "--baseline", "base.json", *arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_an_update_of_no_baseline() -> None:
    """Is a mistake in the call."""
    write("a.jsonl", DIRTY)
    done = run("a.jsonl", "--update-baseline")
    assert done.exit_code == 2
    assert "--update-baseline needs --baseline FILE" in done.stderr


def test_fingerprints() -> None:
    """One for each finding of a file, the same in every run, and not of the value."""

    def fingerprints(value: str) -> list[str]:
        write("a.jsonl", *[json.dumps({"_sentry_x": value, "a": {"_sentry_x": value}})] * 2)
        report = json.loads(run("a.jsonl", "--format", "json").stdout)
        return [each["fingerprint"] for each in report["findings"]]

    assert fingerprints("one") == fingerprints("two")
    assert len(set(fingerprints("one"))) == 4


#: Formats


def test_sarif() -> None:
    """It follows the schema of SARIF 2.1.0; each rule is there once, each place has its line."""
    jsonschema = pytest.importorskip("jsonschema")
    write("policy.toml", POLICY, "[[rules]]", 'name="again"', 'prefixes=["_sentry_"]')
    write("a b.jsonl", CLEAN, DIRTY, '{"seen": 1}', DIRTY)
    write("bad.json", "{")
    done = run(
        "a b.jsonl",
        "bad.json",
        os.devnull,
        "--policy",
        "policy.toml",
        "--preset",
        "sentry",
        "--format",
        "sarif",
    )
    document = json.loads(done.stdout)
    schema = json.loads(gzip.decompress((DATA / "sarif/sarif-2.1.0.json.gz").read_bytes()))
    jsonschema.validate(document, schema, cls=jsonschema.Draft7Validator)
    (run_of_it,) = document["runs"]
    rules = [each["id"] for each in run_of_it["tool"]["driver"]["rules"]]
    results = run_of_it["results"]
    assert rules == ["told", "again"] or sorted(rules) == ["again", "told"]
    assert [rules[each["ruleIndex"]] for each in results] == [each["ruleId"] for each in results]
    places = [each["locations"][0]["physicalLocation"] for each in results]
    assert [each["region"]["startLine"] for each in places] == [2, 3, 4]
    assert {each["artifactLocation"]["uri"] for each in places} == {"a%20b.jsonl"}
    assert [each["level"] for each in results] == ["error", "note", "error"]
    invocation = run_of_it["invocations"][0]
    assert invocation["executionSuccessful"] is False
    uris = [
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for each in invocation["toolExecutionNotifications"]
    ]
    assert uris == ["bad.json", "file:///dev/null"]
    assert SECRET not in done.stdout


def test_a_finding_whose_line_is_not_known() -> None:
    """Of a file that is cut off: SARIF names the file, the text the entry."""
    document = json.dumps({"log": {"entries": [{"request": {"postData": {"text": DIRTY}}}]}})
    write("a.har", document[:-3])
    assert run("a.har").stdout.startswith("a.har[0]: /metadata/_sentry_span (")
    result = json.loads(run("a.har", "--format", "sarif").stdout)["runs"][0]["results"][0]
    assert "region" not in result["locations"][0]["physicalLocation"]
    assert ">[0]<" in re.sub("</?code>", "", run("a.har", "--format", "html").stdout)


def test_html() -> None:
    """One file that refers to nothing outside of it, and in which nothing is markup of others."""
    name = "<img src=x>.jsonl"
    write(
        name,
        DIRTY,
        request('{"<b>": {"_sentry_<i>": 1}}', "x.test"),
        "no",
        '{"url": "u", "body": "t"}',
    )
    page = run(name, "--format", "html").stdout
    assert page.startswith("<!doctype html>\n")
    assert "2 findings in 3 bodies in 1 file" in page
    assert "not JSON" in page
    assert "line 3: is no JSON" in page
    assert not re.search(
        r"(?i)https?:|src=x>|<script|<link|<img|@import|url\(", page.replace("&lt;", "")
    )
    assert "<i>" not in page
    assert SECRET not in page
    write("b.jsonl", CLEAN)
    page = run("b.jsonl", "--format", "html").stdout
    assert '<h1 class="clean">' in page
    assert "<table>" not in page


def test_a_report_in_a_file() -> None:
    """Nothing is printed; and the report of the last time is not scanned."""
    write("r/a.jsonl", DIRTY)
    for _ in range(2):
        done = run("r", "--output", "r/report.json", "--format", "json")
        assert (done.exit_code, done.stdout) == (1, "")
        report = json.loads(Path("r/report.json").read_text(encoding="utf-8"))
        assert (report["files"], len(report["findings"])) == (1, 1)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the standard error; piped there is nothing of it."""
    import pty

    for number in range(3):
        write(f"r/[red]{number}.jsonl", CLEAN)
    primary, secondary = pty.openpty()
    environment = {
        **os.environ,
        "TERM": "xterm",
        "PYTHONPATH": str(Path(body_guard.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "body_guard", "scan", "r"],
        stdout=subprocess.PIPE,
        stderr=secondary if terminal else subprocess.PIPE,
        env=environment,
        text=True,
        check=False,
    )
    os.close(secondary)
    shown = b""
    try:
        while terminal and (piece := os.read(primary, 65536)):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(primary)
    assert done.returncode == 0
    assert done.stdout.startswith("0 findings in 3 bodies")
    assert (b"3 files" in shown) is terminal
    assert terminal or done.stderr == ""


#: Cleaned copies

CUT = CLEAN.replace('{"user', '{ "user')
COPIES = {
    "lines": ("a.jsonl", f'{CLEAN}\r\n\r\n {DIRTY} \nno\n{{"url": "u","body":  {DIRTY} , "x":1}}\n[1]', f'{CLEAN}\r\n\r\n {CUT} \nno\n{{"url": "u","body":  {CUT} , "x":1}}\n[1]'),
    "text in lines": (
        "a.jsonl",
        '{"url": "u", "body": "{\\"_sentry_x\\": 1, \\"a\\": \\"\\u00e9\\"}"}\n{"url": "u", "body": "{\\"_sentry_x\\": 1, \\"a\\": \\"é\\"}"}\n',
        '{"url": "u", "body": "{ \\"a\\": \\"\\u00e9\\"}"}\n{"url": "u", "body": "{ \\"a\\": \\"é\\"}"}\n',
    ),
    "one body": ("a.json", DIRTY.replace(", ", ",\n "), CUT.replace(", ", ",\n ").replace("{ ", "{\n ")),
    "HAR": (
        "a.har",
        '{"log" : {"entries": [ {"request": {"postData": {"text": "{\\"_sentry_x\\":1}"}}, "response": {"content": {"text": "{\\"_sentry_x\\":1}"}}},\n{"request": {"postData": {"encoding": "base64", "text": "' + base64.b64encode(b'{"_sentry_x":1}').decode() + '"}}}]}}',
        '{"log" : {"entries": [ {"request": {"postData": {"text": "{}"}}, "response": {"content": {"text": "{\\"_sentry_x\\":1}"}}},\n{"request": {"postData": {"encoding": "base64", "text": "e30="}}}]}}',
    ),
    "a cassette in JSON": (
        "a.json",
        '{"interactions": [{"request": {"body": {"_sentry_x": 1, "a": 2}}},\n {"request": {"body": "{\\"_sentry_x\\":1}"}}]}',
        '{"interactions": [{"request": {"body": {"a":2}}},\n {"request": {"body": "{}"}}]}',
    ),
    "a cassette in YAML": (
        "a.yaml",
        """\
# what was sent
interactions:
- request:
    body: '{"_sentry_x": 1, "it": "isn''t"}'   # a comment
    uri: https://x.test/é😀
- request: {body: "{\\"_sentry_x\\": 1, \\"a\\": \\"\\x7f\\"}"}
- request:
    body: |-
      {"_sentry_x": 1,
       "a": 2}
  response: {body: {string: '{"_sentry_x": 1}'}}
- request:
    body: !!binary |
      eyJfc2VudHJ5X3giOjF9
- request:
    body: !!binary "eyJfc2VudHJ5X3giOjF9"
- request:
    parsed_body: &shared
      _sentry_x: 1
      a:
      - "\\x7f"
      # a remark
    method: POST
- request: {parsed_body: *shared}
- request:
    parsed_body:
      a: &one 1
      _sentry_x: *one
  response: {}
- request:
    body: '{"_sentry_x": 1, "a":
      "folded"}'
""",
        """\
# what was sent
interactions:
- request:
    body: '{ "it": "isn''t"}'   # a comment
    uri: https://x.test/é😀
- request: {body: "{ \\"a\\": \\"\\u007f\\"}"}
- request:
    body: "{\\n \\"a\\": 2}"
  response: {body: {string: '{"_sentry_x": 1}'}}
- request:
    body: !!binary "e30="
- request:
    body: !!binary "e30="
- request:
    parsed_body: &shared
       {"a":["\\u007f"]}
      # a remark
    method: POST
- request: {parsed_body: *shared}
- request:
    parsed_body:
       {"a":1}
  response: {}
- request:
    body: '{ "a": "folded"}'
""",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after"), COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_a_cleaned_copy(name: str, before: str, after: str, packed: str) -> None:
    """Outside of what was changed not a byte differs; scanned again, it is clean."""
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[packed]
    unpack = {"": bytes, ".gz": gzip.decompress, ".zst": zstandard.decompress}[packed]
    Path("r/in").mkdir(parents=True)
    path = Path(f"r/in/{name}{packed}")
    path.write_bytes(pack(before.encode()))
    done = run("r", "--fix", "out")
    assert done.exit_code == 1
    assert unpack(path.read_bytes()).decode() == before
    copy = Path(f"out/in/{name}{packed}")
    assert unpack(copy.read_bytes()).decode() == after
    again = run("out")
    assert again.stdout.startswith("" if "no\n" in before else "0 findings in ")
    assert found("out") == []


def test_a_copy_of_what_is_clean() -> None:
    """Is the file, byte for byte; it may be named, or come from the standard input."""
    write("r/a.jsonl", CLEAN)
    assert run("r/a.jsonl", "-", "--fix", "out", stdin=b"[ 1 ]").exit_code == 0
    assert Path("out/a.jsonl").read_bytes() == Path("r/a.jsonl").read_bytes()
    assert Path("out/stdin").read_bytes() == b"[ 1 ]"


def test_files_that_have_no_cleaned_copy() -> None:
    """A body that a rule refuses; a place that is not known; two files of one name."""
    write("policy.toml", POLICY)
    write("r/a.jsonl", '{"internal": 1}', '{"internal": 1}')
    document = json.dumps({"log": {"entries": [{"request": {"postData": {"text": DIRTY}}}] * 2}})
    write("r/b.har", document[:-3])
    write("r/c.jsonl", CLEAN)
    write("s/c.jsonl", DIRTY)
    arguments = ("r", "s", "--policy", "policy.toml", "--preset", "sentry", "--format", "json")
    report = json.loads(run(*arguments, "--fix", "out").stdout)
    assert [(each["file"], each["why"]) for each in report["unread"]] == [
        ("r/a.jsonl", "has no cleaned copy: the body of entry 1 may not leave at all"),
        ("r/b.har", "ends too early, or is no JSON from somewhere on"),
        ("r/b.har", "has no cleaned copy: the place of entry 0 in it is not known"),
        ("s/c.jsonl", "has no cleaned copy: another file has its name"),
    ]
    assert sorted(os.listdir("out")) == ["c.jsonl"]


def test_a_copy_is_never_written_over_its_file() -> None:
    """The folder of copies is that of the file, or one that is scanned."""
    write("r/a.jsonl", DIRTY)
    done = run("r/a.jsonl", "--fix", "r")
    assert "has no cleaned copy: it would be written over the file itself" in done.stdout
    assert SECRET in Path("r/a.jsonl").read_text(encoding="utf-8")
    write("r/out/b.jsonl", DIRTY)
    assert [each[0] for each in found("r", "--fix", "r/out")] == ["r/a.jsonl"]


def test_a_copy_that_is_not_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not kept: each is scanned again before it is written."""
    from body_guard.cli import scanning

    monkeypatch.setattr(
        scanning,
        "rewrite",
        lambda file, copy, bodies: (
            shutil.copyfileobj(file, copy) or file.seek(0) or copy.write(file.read())
        ),
    )
    write("a.jsonl", DIRTY)
    done = run("a.jsonl", "--fix", "out")
    assert (
        "has no cleaned copy: what is left of a body cannot be written in its place" in done.stdout
    )
    assert not Path("out").exists()


def test_write_report_is_shared(capsys: pytest.CaptureFixture[str]) -> None:
    """With `fields`: to the standard output where no file is named."""
    command.write_report("x\n", None)
    assert capsys.readouterr().out == "x\n"
