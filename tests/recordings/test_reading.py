"""Recordings: which bodies are read out of which file, and what is named as unread."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("ijson")
pytest.importorskip("yaml")

import zstandard

from body_guard.recordings import cassette, jsonl, reader, sources
from body_guard.recordings.body import Body, Counted, Unread, UnreadableError
from body_guard.recordings.reader import read_source
from body_guard.recordings.sources import compress, find_sources, open_source

SENT = '{"a":1}'


def har(*requests: object) -> bytes:
    return json.dumps({"log": {"entries": [{"request": each} for each in requests]}}).encode()


def posted(**data: object) -> dict[str, object]:
    return {"method": "POST", "url": "https://x.test:8443/v1?q", "headers": [], "postData": data}


def vcr(*requests: object) -> bytes:
    document = {"version": 1, "interactions": [{"request": each} for each in requests]}
    return json.dumps(document, indent=1).encode()


def read(path: str, **options: object) -> list[Body | Counted | Unread]:
    """Read what is at a path as the command does."""
    items: list[Body | Counted | Unread] = []
    for source in find_sources([path]):
        if isinstance(source, Unread):
            items.append(source)
            continue
        try:
            with open_source(source) as opened:
                items += read_source(source, opened, **options)
        except UnreadableError as error:
            items.append(Unread(source.name, str(error)))
    return items


def told(items: list[Body | Counted | Unread]) -> list[object]:
    """Return bodies as entry, line, host, method and text, and of the others what they say."""
    found: list[object] = []
    for item in items:
        if isinstance(item, Body):
            text = item.content.decode("utf-8", "replace")
            found.append((item.entry, item.line, item.host, item.method, text))
        elif isinstance(item, Unread):
            found.append(item.why)
        else:
            found.append((item.bodies, item.why_not_judged))
    return found


YAML = """\
# a comment
interactions:
- request:
    body: '{"a":1}'
    headers:
      Content-Type: [application/json]
    method: POST
    uri: https://x.test/v1
- request: {method: GET, body: null, uri: 'https://x.test/'}
- request:
    method: PUT
    uri: https://y.test/
    parsed_body:
      a: [1, 2.5, true, null, "s", .nan, 2020-01-01, 0o17]
      "é": {}
- request:
    body: !!binary |
      eyJhIjoxfQ==
    headers:
      content-type: [!!binary YXBwbGljYXRpb24vanNvbg==]
- request:
    body:
      encoding: UTF-8
      string: '{"b":2}'
- request:
    body: {base64_string: eyJhIjoxfQ==}
- request: {body: 17}
- nothing: here
- request: {body: !!binary "%"}
- request: {body: ''}
- request:
    headers: {content-type: !!binary x}
    parsed_body:
      a: &one 1
      b: *one
  response: {}
"""

READ = {
    "a body a line": (
        "a.jsonl",
        b'{"a":1}\n\n [2] \n"s"\n',
        [(1, 1, "", "", SENT), (3, 3, "", "", " [2]"), (4, 4, "", "", '"s"')],
    ),
    "requests a line": (
        "a.ndjson",
        b'{"method":"POST","url":"https://x.test/v1","body":{"a":1}}\n'
        b'{"host":"y.test","body":"{\\"a\\":1}"}\n'
        b'{"url":"/v1/chat/completions","custom_id":"1","body":{"a":1}}\n'
        b'{"url":"https://[x","body":[1]}\n'
        b'{"url":"https://x.test/","body":null}\n'
        b'{"url":1,"body":2}\n',
        [
            (1, 1, "x.test", "POST", SENT),
            (2, 2, "y.test", "", SENT),
            (3, 3, "", "", SENT),
            (4, 4, "", "", "[1]"),
            (6, 6, "", "", "2"),
        ],
    ),
    "what is like a request and is none": (
        "a.jsonl",
        b'{"method":"m","body":{"a":1}}\n{"host":"h","x":{"body":1}}\n',
        [(1, 1, "", "", '{"method":"m","body":{"a":1}}'), (2, 2, "", "", '{"host":"h","x":{"body":1}}')],
    ),
    "our record": (
        "a.jsonl",
        b'{"time":1,"host":"x.test","method":"POST","path":"/","content_type":"application/json",'
        b'"judged":true,"changed":false,"findings":[],"body":{"a":"str(12)"}}\n'
        b'{"time":1,"host":"x.test","method":"POST","judged":false}\n'
        b'{"time":1,"host":"x.test","method":"POST","judged":false,"body":null}\n',
        [
            (1, 1, "x.test", "POST", '{"a":"str(12)"}'),
            (1, "not judged when it was recorded"),
            (1, "not judged when it was recorded"),
        ],
    ),
    "litellm's raw requests": (
        "a.jsonl",
        b'{"raw_request_api_base":"https://x.test/v1","raw_request_body":{"a":1},"error":null}\n',
        [(1, 1, "x.test", "", SENT)],
    ),
    "escaped names": (
        "a.jsonl",
        b'{"\\u0068ost":"x.test","b\\u006fdy":{"a":1}}\n',
        [(1, 1, "x.test", "", SENT)],
    ),
    "a byte order mark": ("a.jsonl", b'\xef\xbb\xbf{"a":1}\n', [(1, 1, "", "", SENT)]),
    "lines that are no JSON": (
        "a.jsonl",
        b'{"a":1}\n{"a":\nplain\n{"a":1}\n{"a":"\xff"}\n[\x001]\n',
        [
            (1, 1, "", "", SENT),
            "line 2: is no JSON from byte 5 on",
            "line 3: is no JSON from byte 0 on",
            (4, 4, "", "", SENT),
            "line 5: is no UTF-8",
            "line 6: holds NUL bytes",
        ],
    ),
    "lines in a file of another name": (
        "a.log",
        b'\n{"log":1}\n{"a":1}\n',
        [(2, 2, "", "", '{"log":1}'), (3, 3, "", "", SENT)],
    ),
    "one body": ("a.json", b'{\n"a": 1\n}\n', [(0, 1, "", "", '{\n"a": 1\n}')]),
    "one body in one line": ("a", b'{"a":1}', [(0, 1, "", "", SENT)]),
    "one scalar": ("a.json", b"17", [(0, 1, "", "", "17")]),
    "one request": (
        "a.json",
        b'{"url": "https://x.test/",\n"body": {"a":1}}',
        [(0, 1, "x.test", "", SENT)],
    ),
    "HAR": (
        "a.har",
        har(
            posted(text=SENT, mimeType="application/json"),
            {"method": "GET", "url": "https://x.test/"},
            posted(text=base64.b64encode(SENT.encode()).decode(), encoding="base64"),
            posted(text="%", encoding="base64"),
            posted(params=[{"name": "a"}]),
            posted(_file="x.json"),
            posted(mimeType="text/plain"),
            posted(text=""),
            None,
        ),
        [
            (0, 1, "x.test", "POST", SENT),
            (2, 1, "x.test", "POST", SENT),
            "entry 3: its body is no base64",
            "entry 4: has its body as params, not as text",
            "entry 5: has its body in another file",
            "entry 8: its request is no object",
        ],
    ),
    "HAR by another name, with lines": (
        "a.json",
        json.dumps(json.loads(har(posted(text=SENT), posted(text=SENT))), indent=1).encode(),
        [(0, 10, "x.test", "POST", SENT), (1, 20, "x.test", "POST", SENT)],
    ),
    "HAR with a byte order mark": (
        "a.har",
        b"\xef\xbb\xbf" + har(posted(text=SENT)),
        [(0, 0, "x.test", "POST", SENT)],
    ),
    "HAR that is cut off": (
        "a.har",
        har(posted(text=SENT), posted(text=SENT))[:-40],
        [(0, 0, "x.test", "POST", SENT), "ends too early, or is no JSON from somewhere on"],
    ),
    "HAR with odd entries": (
        "a.har",
        b'{"log":{"version":"1.2","entries":[1,[{"request":1}],{"request":{"postData":{"text":"{}"}}}],'
        b'"pages":[{"request":{}}]}}',
        [(2, 1, "", "", "{}")],
    ),
    "what is called HAR and is a body": ("a.har", b'{"a":1}', [(0, 1, "", "", SENT)]),
    "a document that begins like HAR": (
        "a.json",
        b'{"log": {"entries": 1},\n "a": 1}',
        [(0, 1, "", "", '{"log": {"entries": 1},\n "a": 1}')],
    ),
    "a cassette in JSON": (
        "a.json",
        vcr(
            {"method": "POST", "uri": "https://x.test/", "body": SENT, "headers": {}},
            {"method": "GET", "uri": "https://x.test/", "body": None},
            {"uri": "https://x.test/", "body": {"a": 1}},
            {"body": {"encoding": "UTF-8", "string": SENT}},
            {"body": {"base64_string": "eyJhIjoxfQ=="}},
            {"body": {"base64_string": "%"}},
            [],
        ),
        [
            (0, 8, "x.test", "POST", SENT),
            (2, 22, "x.test", "", SENT),
            (3, 31, "", "", SENT),
            (4, 38, "", "", SENT),
            "interaction 5: its body is no base64",
            "interaction 6: its request is no mapping",
        ],
    ),
    "a cassette in YAML": (
        "a.yaml",
        YAML.encode(),
        [
            (0, 4, "x.test", "POST", SENT),
            (2, 14, "y.test", "PUT", '{"a":[1,2.5,true,null,"s",NaN,"2020-01-01","0o17"],"é":{}}'),
            (3, 17, "", "", SENT),
            (4, 24, "", "", '{"b":2}'),
            (5, 26, "", "", SENT),
            (6, 27, "", "", "17"),
            "interaction 8: its body is no base64",
            (10, 34, "", "", '{"a":1,"b":1}'),
        ],
    ),
    "a cassette by another name": (
        "a.cassette",
        b"version: 1\ninteractions:\n- request: {body: '{\"a\":1}'}\n",
        [(0, 3, "", "", SENT)],
    ),
    "YAML that is no cassette": ("a.yml", b"a: 1\n", ["is YAML, but no cassette"]),
    "YAML of interactions that are none": ("a.yml", b"interactions: 1\n", ["is YAML, but no cassette"]),
    "YAML that is a list": ("a.yml", b"- 1\n", ["is YAML, but no cassette"]),
    "YAML with nothing in it": ("a.yml", b"# nothing\n", ["is YAML, but no cassette"]),
    "no YAML": ("a.yaml", b"a: [1\n", ["is no YAML"]),
    "YAML of a Python object": (
        "a.yaml",
        b'interactions:\n- request:\n    body: !!python/object/apply:os.system ["touch pwned"]\n',
        [(0, 3, "", "", '["touch pwned"]')],
    ),
    "YAML of numbers that are none": (
        "a.yaml",
        b"interactions:\n- request:\n    parsed_body: [!!int x, !!bool y, " + b"1" * 5000 + b"]\n",
        [(0, 3, "", "", '["x","y","' + "1" * 5000 + '"]')],
    ),
    "billion laughs": (
        "a.yaml",
        b"a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)),
        ["has aliases that unfold without end"],
    ),
    "YAML inside of itself": (
        "a.yaml",
        b"interactions:\n- request: {parsed_body: &a {x: *a}}\n",
        ["has aliases that unfold without end"],
    ),
    "YAML that is deep": ("a.yaml", b"[" * 999 + b"]" * 999, ["is nested too deeply"]),
    "YAML that is no UTF-8": ("a.yaml", b"a: \xff\n", ["is no UTF-8"]),
    "deep JSON": ("a.json", b"[" * 100_000 + b"]" * 100_000, ["is nested over 10,000 levels deep"]),
    "a deep line": (
        "a.jsonl",
        b"[" * 100_000 + b"]" * 100_000 + b'\n{"a":1}\n',
        ["line 1: is nested over 10,000 levels deep", (2, 2, "", "", SENT)],
    ),
    "a wide line": ("a.jsonl", b"[" + b"[]," * 20_000 + b"0]\n", [(1, 1, "", "", "[" + "[]," * 20_000 + "0]")]),
    "deep HAR": (
        "a.har",
        har(posted(text=SENT))[:-3] + b',{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}}",
        [(0, 1, "x.test", "POST", SENT), "is nested over 10,000 levels deep"],
    ),
    "binary": ("a.json", b"\x89PNG\x00\x00", ["is binary: it holds NUL bytes"]),
    "UTF-16": ("a.json", '{"a":1}'.encode("utf-16"), ["is binary: it holds NUL bytes"]),
    "no UTF-8": ("a.json", b'{"a":"\xff"}', ["is no UTF-8"]),
    "no JSON": ("a.txt", b"hello\nworld\n", ["is no JSON from byte 0 on"]),
    "nothing": ("a.json", b" \n", ["is empty"]),
    "gzip": ("a.jsonl.gz", gzip.compress(b"[1]\n") + gzip.compress(b"[2]\n"), [(1, 1, "", "", "[1]"), (2, 2, "", "", "[2]")]),
    "gzip by its first bytes": ("a", gzip.compress(b'{"a":1}'), [(0, 1, "", "", SENT)]),
    "gzip that is cut off": (
        "a.jsonl.gz",
        gzip.compress(b'{"a":1}\n')[:-6],
        [(1, 1, "", "", SENT), "ends too early: its gzip data are damaged or cut off"],
    ),
    "gzip that is damaged": (
        "a.jsonl.gz",
        b"\x1f\x8b\x08\xff" + b"x" * 99,
        ["is empty", "ends too early: its gzip data are damaged or cut off"],
    ),
    "gzip within gzip": (
        "a.jsonl.gz",
        gzip.compress(gzip.compress(b'{"a":1}\n', mtime=0)),
        ["is binary: it holds NUL bytes"],
    ),
    "zstd": (
        "a.jsonl.zst",
        zstandard.compress(b"[1]\n") + zstandard.compress(b"[2]\n"),
        [(1, 1, "", "", "[1]"), (2, 2, "", "", "[2]")],
    ),
    "zstd that is cut off": (
        "a.jsonl.zst",
        zstandard.compress(b'{"a":1}\n')[:-2],
        ["line 1: is no JSON from byte 6 on", "ends too early: its zstd data are damaged or cut off"],
    ),
    "zstd that is damaged": (
        "a.jsonl.zst",
        b"\x28\xb5\x2f\xfd" + b"\xff" * 99,
        ["is empty", "ends too early: its zstd data are damaged or cut off"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), READ.values(), ids=READ)
def test_what_is_read(
    name: str,
    content: bytes,
    expected: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each body by entry, line, host, method and text; and what cannot be read, by its reason."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    items = read(name)
    assert told(items) == expected
    assert {item.file for item in items} == {name}
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "compressed",
    [
        pytest.param(lambda: gzip.compress(b"[1]\n" * 20_000_000, 9), id="gzip"),
        pytest.param(lambda: zstandard.compress(b"[1]\n" * 20_000_000), id="zstd"),
    ],
)
def test_a_bomb_is_not_unpacked(compressed, tmp_path: Path) -> None:
    """Once it is 200 times what it was, and over 64 MiB, no more of it is read."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(compressed())
    assert told(read(str(path))) == ["grows to over 200 times its size when decompressed"]


@pytest.mark.parametrize(
    "module", [pytest.param(None, id="libyaml"), pytest.param("pure", id="no libyaml")]
)
def test_a_place_is_where_the_body_stands(
    module: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bytes, though YAML counts characters; without the comments behind it."""
    import yaml

    if module:
        monkeypatch.delattr(yaml, "CSafeLoader")
    text = (
        "interactions:\r\n- request:\r\n    uri: https://x.test/é😀\r\n    body: '{\"é\": 1}'  # why\r\n"
        "- request:\r\n    parsed_body: &b\r\n      a: 1\r\n      b:\r\n      - 2\r\n      # that is all\r\n"
        "- request:\r\n    body: *b\r\n"
    )
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode())
    places = [item.place for item in read(str(path)) if isinstance(item, Body)]
    shown = [path.read_bytes()[place.start : place.end].decode() for place in places if place]
    assert shown[0] == "'{\"é\": 1}'"
    assert shown[1].removeprefix("&b\r\n      ") == "a: 1\r\n      b:\r\n      - 2"
    assert shown[2] == shown[1]


#: Folders


def test_a_folder_is_read_with_all_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are called like recordings, in the order of their names, each once."""
    monkeypatch.chdir(tmp_path)
    Path("r/b/c").mkdir(parents=True)
    for name in ("r/z.json", "r/b/c/a.jsonl.gz", "r/b/x.HAR", "r/b/skip.py", "r/b/out.json"):
        Path(name).write_text("[]")
    Path("r/again.json").symlink_to("z.json")
    Path("r/b/other").symlink_to("c")
    found = list(find_sources(["r", "r/z.json", "-"], ["r/b/out.json"]))
    assert [
        (each.name, each.copy, each.named) for each in found if not isinstance(each, Unread)
    ] == [
        ("r/again.json", "again.json", False),
        ("r/b/c/a.jsonl.gz", "b/c/a.jsonl.gz", False),
        ("r/b/x.HAR", "b/x.HAR", False),
        ("-", "stdin", True),
    ]
    assert len(found) == 4
    assert list(find_sources(["r/b"], ["r/b"])) == []


def test_what_a_folder_has_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A circle of links, a link to nothing, a pipe, a folder that is closed: each is named."""
    monkeypatch.chdir(tmp_path)
    Path("r/shut").mkdir(parents=True)
    Path("r/loop").symlink_to(".")
    Path("r/a.json").symlink_to("b.json")
    Path("r/b.json").symlink_to("a.json")
    os.mkfifo("r/pipe.json")
    list_names = os.listdir

    def listdir(path: str) -> list[str]:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return list_names(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert list(find_sources(["r"])) == [
        Unread("r/a.json", "cannot be read: Too many levels of symbolic links"),
        Unread("r/b.json", "cannot be read: Too many levels of symbolic links"),
        Unread("r/loop", "is a symbolic link to a folder that it is in"),
        Unread("r/pipe.json", "is no file"),
        Unread("r/shut", "cannot be read: Permission denied"),
    ]


def test_a_file_in_a_folder_that_is_other_yaml(tmp_path: Path) -> None:
    """Is passed over; it is an error only of a file that was named."""
    (tmp_path / "a.yaml").write_text("a: 1")
    assert read(str(tmp_path)) == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """By its name as it is shown: in full, where it is not below the working directory."""
    path = tmp_path / "none.json"
    assert read(str(path)) == [Unread(path.as_posix(), "cannot be read: No such file or directory")]


class Input:
    """A standard input of some bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as a file is, and stays open."""
    monkeypatch.setattr(sys, "stdin", Input(b'{"a":1}\n[2]\n'))
    assert told(read("-")) == [(1, 1, "", "", SENT), (2, 2, "", "", "[2]")]
    assert not sys.stdin.buffer.closed


class Broken(io.BytesIO):
    """A file on a disk that fails after some bytes."""

    def __init__(self, good: int) -> None:
        super().__init__(b'{"a":1}\n' * 2)
        self.good = good

    def read(self, size: int | None = -1) -> bytes:
        self.good -= 1
        if self.good < 0:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_disk_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was read before is kept, while it is copied and while it is parsed."""
    monkeypatch.setattr(sys, "stdin", Input(b""))
    monkeypatch.setattr(sys.stdin, "buffer", Broken(0))
    assert told(read("-")) == ["cannot be read: Input/output error"]
    monkeypatch.setattr(sys.stdin, "buffer", Broken(1))
    assert told(read("-")) == ["is no JSON from byte 4 on", "cannot be read: Input/output error"]
    source = sources.Source("a.jsonl", "a.jsonl", "a.jsonl")
    items = list(read_source(source, sources.Opened(Broken(1))))
    assert told(items) == ["cannot be read: Input/output error"]


#: Bounds


def test_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Is named, and those around it are read."""
    monkeypatch.setattr(jsonl, "_BLOCK", 4)
    monkeypatch.setattr(jsonl, "LONGEST", 10)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n"' + b"x" * 40 + b'"\n{"a":1}\n[2]')
    expected = [
        (1, 1, "", "", SENT),
        "line 2: is longer than 10 bytes",
        (3, 3, "", "", SENT),
        (4, 4, "", "", "[2]"),
    ]
    assert told(read(str(path))) == expected
    assert told(read(str(path), quick=jsonl.Quick(()))) == [
        (1, ""),
        "line 2: is longer than 10 bytes",
        (1, ""),
        (1, ""),
    ]


def test_many_lines_that_are_no_json(tmp_path: Path) -> None:
    """Twenty are named, the others counted."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x\n" * 50 + b'{"a":1}\n')
    items = told(read(str(path)))
    assert items[19:] == [
        "line 20: is no JSON from byte 0 on",
        (51, 51, "", "", SENT),
        "30 more lines cannot be read",
    ]


def test_a_text_that_is_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither is read whole."""
    monkeypatch.setattr(reader, "LONGEST", 5)
    monkeypatch.setattr(cassette, "LARGEST_YAML", 5)
    (tmp_path / "a.json").write_bytes(b'{\n"a":1}')
    (tmp_path / "b.yaml").write_bytes(b"abc: 1")
    assert told(read(str(tmp_path))) == [
        "is one text of more than 5 bytes",
        "is YAML of more than 5 bytes",
    ]


def test_a_document_that_is_too_long_for_its_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is read all the same; only where its bodies stand is not known."""
    monkeypatch.setattr(reader, "_LARGEST_PLACED", 5)
    path = tmp_path / "a.har"
    path.write_bytes(har(posted(text=SENT)))
    (body,) = read(str(path))
    assert told([body]) == [(0, 0, "x.test", "POST", SENT)]
    assert isinstance(body, Body)
    assert body.place is None


def test_headers_say_what_a_body_is(tmp_path: Path) -> None:
    """Of HAR a list, of VCR a mapping; what the recording says of the body itself comes first."""
    headers = [
        1,
        {"name": "Content-Type", "value": "text/x"},
        {"name": "content-encoding", "value": "gzip"},
    ]
    request = {**posted(text="x"), "headers": headers}
    own = {**posted(text="x", mimeType="text/y"), "headers": headers}
    (tmp_path / "a.har").write_bytes(har(request, own, {**posted(text="x"), "headers": 3}))
    types = {"CONTENT-TYPE": "text/x", "content-encoding": []}
    lists = {"x": "y", "content-type": [["text/x"], "text/z"], "content-encoding": ["gzip"]}
    (tmp_path / "b.json").write_bytes(
        vcr({"body": "x", "headers": types}, {"body": "x", "headers": lists})
    )
    items = read(str(tmp_path))
    assert [
        (each.content_type, each.content_encoding) for each in items if isinstance(each, Body)
    ] == [
        ("text/x", "gzip"),
        ("text/y", "gzip"),
        (None, None),
        ("text/x", None),
        (None, "gzip"),
    ]


#: Many lines at once


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"a":1}\n\n[2]\n', [(2, "")], id="bodies"),
        pytest.param(
            b'{"a":1}\n{"host":"h","body":{"a":1}}\n{"host":"h","body":"{\\"a\\":1}"}\n'
            b'{"host":"h","judged":false}\n{"host":"h","body":null}\n{"url":"u","body":"plain"}\n'
            b'{"raw_request_api_base":"u","raw_request_body":{}}\n{"body":{"body":1}}\n',
            [(5, ""), (1, "not judged when it was recorded"), (6, 6, "", "", "plain")],
            id="requests",
        ),
        pytest.param(b'{"x":{"bad":1}}\n', [(1, 1, "", "", '{"x":{"bad":1}}')], id="a finding"),
        pytest.param(
            b'{"host":"h","body":"{\\"bad\\":1}"}\n',
            [(1, 1, "h", "", '{"bad":1}')],
            id="a finding in text",
        ),
        pytest.param(
            b'{"a":\n1}\n',
            ["line 1: is no JSON from byte 5 on", "line 2: is no JSON from byte 1 on"],
            id="a text of two lines",
        ),
        pytest.param(b'{"a":1}}\n', ["line 1: is no JSON from byte 7 on"], id="no JSON"),
        pytest.param(b'{"a":"\xff"}\n', ["line 1: is no UTF-8"], id="no UTF-8"),
        pytest.param('{"a":"é"}\n'.encode(), [(1, "")], id="UTF-8"),
        pytest.param(
            b"[" * 10_001 + b"]" * 10_001, ["line 1: is nested over 10,000 levels deep"], id="deep"
        ),
        pytest.param(b'{"host":"h","body":"{"}\n', [(1, 1, "h", "", "{")], id="broken text"),
    ],
)
def test_a_quick_look_says_the_same(content: bytes, expected: list[object], tmp_path: Path) -> None:
    """What is clean is counted; where something is not, all lines are read one by one."""
    from body_guard import Rule

    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert told(read(str(path), quick=jsonl.Quick((Rule("mine", keys=("bad",)),)))) == expected


def test_a_rule_for_a_name_of_the_recording(tmp_path: Path) -> None:
    """Makes every line be read by itself: a quick look could not tell the two apart."""
    from body_guard import Rule

    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n')
    assert told(read(str(path), quick=jsonl.Quick((Rule("mine", keys=("host",)),)))) == [
        (1, 1, "", "", SENT)
    ]


def test_compression_of_copies() -> None:
    """As the original was compressed."""
    assert gzip.decompress(compress(b"x", "gzip")) == b"x"
    assert zstandard.decompress(compress(b"x", "zstd")) == b"x"
    assert compress(b"x", "") == b"x"


@pytest.mark.parametrize("serializer", ["yaml", "json"])
def test_what_vcrpy_records(serializer: str, tmp_path: Path) -> None:
    """The installed vcrpy's own format: text, bytes that are no text, and no body."""
    vcr = pytest.importorskip("vcr")
    import httpx

    from body_guard.cli.provider import provider

    path = tmp_path / f"a.{serializer}"
    sent = [SENT, "" if serializer == "json" else "\udcff"]
    with (
        provider() as server,
        vcr.use_cassette(str(path), serializer=serializer),
        httpx.Client(trust_env=False) as client,
    ):
        for text in sent:
            client.post(server.url, content=text.encode("utf-8", "surrogateescape"))
        client.get(server.url)
    items = read(str(path))
    bodies = [each.content for each in items if isinstance(each, Body)]
    assert bodies == [text.encode("utf-8", "surrogateescape") for text in sent if text]
    assert len(items) == len(bodies)
    assert {each.host for each in items if isinstance(each, Body)} == {"127.0.0.1"}
