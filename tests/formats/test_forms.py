"""Forms: opaque by default, else cut out of the bytes as they are."""

from __future__ import annotations

import gzip

import pytest

from body_guard import BodyLimitError, BodyRejectedError, Policy, Rule, Sanitizer

POLICY = Policy(look_into=("form", "multipart"))
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(("content_type", "why"), [(FORM, "form"), (MULTIPART, "multipart")])
def test_opaque_by_default(content_type: str, why: str) -> None:
    """They are passed and counted as not judged."""
    content = b"_sentry_x=1"
    same, report = Sanitizer().sanitize_bytes(content, content_type)
    assert same is content
    assert (report.judged, report.why_not_judged) == (False, why)


@pytest.mark.parametrize(
    ("dirty", "clean", "path"),
    [
        (b"_sentry_x=1&a=b+c%20d&e", b"a=b+c%20d&e", "/_sentry_x"),
        (b"a=1&_sentry_x=%7B%7D", b"a=1", "/_sentry_x"),
        (b"a=1&%5fsentry%5Fx=1&a=2", b"a=1&a=2", "/_sentry_x"),
        (
            b"metadata[_sentry_span]=1&metadata[user]=2",
            b"metadata[user]=2",
            "/metadata/_sentry_span",
        ),
        (b"_sentry_x[a]=1", b"", "/_sentry_x"),
    ],
)
def test_pairs_are_cut(dirty: bytes, clean: bytes, path: str) -> None:
    """A pair with a forbidden key goes, with one ampersand; the others keep their spelling."""
    content, report = Sanitizer(POLICY).sanitize_bytes(dirty, FORM)
    assert content == clean
    assert [found.path for found in report.findings] == [path]


@pytest.mark.parametrize("content", [b"a=_sentry_x", b"&&", b"x_sentry_=1", b'a={"_sentry_x":1}'])
def test_clean_forms_are_the_same_object(content: bytes) -> None:
    """Values are text, and text is not touched."""
    same, report = Sanitizer(POLICY).sanitize_bytes(content, FORM)
    assert same is content
    assert report.judged


def part(head: str, body: str) -> bytes:
    return f"--b\r\n{head}\r\n\r\n{body}\r\n".encode()


FIELD = 'Content-Disposition: form-data; name="{}"'
DIRTY = (
    b"preamble\r\n"
    + part(FIELD.format("text"), '{"_sentry_x":1}')
    + part(FIELD.format("_sentry_y"), "gone")
    + part(
        FIELD.format("meta") + "\r\ncontent-TYPE: application/json\r\nContent-Length: 25",
        '{"_sentry_x": 1, "b": 2}\n',
    )
    + part(FIELD.format("lines") + "\r\nContent-Type: application/jsonl", '{"_sentry_x":1}\n{}')
    + part(
        FIELD.format("file") + '; filename="--b"\r\nContent-Type: image/png', "\x00--b\r\n_sentry_"
    )
    + b"--b--\r\nepilogue"
)
CLEAN = (
    b"preamble\r\n"
    + part(FIELD.format("text"), '{"_sentry_x":1}')
    + part(
        FIELD.format("meta") + "\r\ncontent-TYPE: application/json\r\nContent-Length: 10",
        '{ "b": 2}\n',
    )
    + part(FIELD.format("lines") + "\r\nContent-Type: application/jsonl", "{}\n{}")
    + part(
        FIELD.format("file") + '; filename="--b"\r\nContent-Type: image/png', "\x00--b\r\n_sentry_"
    )
    + b"--b--\r\nepilogue"
)


def test_json_parts_and_names_are_judged() -> None:
    """A forbidden part goes whole, a JSON part loses its member, all else stays as it was."""
    content, report = Sanitizer(POLICY).sanitize_bytes(DIRTY, MULTIPART)
    assert content == CLEAN
    assert sorted(found.path for found in report.findings) == [
        "/_sentry_y",
        "/lines/0/_sentry_x",
        "/meta/_sentry_x",
    ]
    assert Sanitizer(POLICY).sanitize_bytes(CLEAN, MULTIPART)[0] is CLEAN


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/mixed; boundary=other", 'multipart/x; boundary=""'],
)
def test_without_its_boundary(content_type: str) -> None:
    """A multipart body that cannot be taken apart is passed and not judged."""
    same, report = Sanitizer(POLICY).sanitize_bytes(DIRTY, content_type)
    assert same is DIRTY
    assert report.why_not_judged == "multipart"


def test_a_part_without_a_name() -> None:
    """Its place in the path is its index."""
    body = part("Content-Type: application/json", '{"_sentry_x":1}') + b"--b--"
    content, report = Sanitizer(POLICY).sanitize_bytes(body, "multipart/mixed; boundary=b")
    assert content == part("Content-Type: application/json", "{}") + b"--b--"
    assert [found.path for found in report.findings] == ["/0/_sentry_x"]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"a=1&no=2", FORM), (part(FIELD.format("no"), "x") + b"--b--", MULTIPART)],
)
def test_rejecting_rules(content: bytes, content_type: str) -> None:
    """A rule that rejects refuses a form as it refuses JSON."""
    policy = Policy((Rule("no", keys=("no",), action="reject"),), look_into=POLICY.look_into)
    with pytest.raises(BodyRejectedError, match=r"/no \(rule no\)"):
        Sanitizer(policy).sanitize_bytes(content, content_type)


def test_more_pairs_than_a_report_lists() -> None:
    """The rest is counted."""
    content, report = Sanitizer(POLICY).sanitize_bytes(b"&".join([b"_sentry_x=1"] * 1500), FORM)
    assert content == b""
    assert (len(report.findings), report.omitted) == (1000, 500)


RULES = (
    Rule("root", keys=("x",), scope=("/",)),
    Rule("meta", keys=("x",), scope=("/metadata/**",), action="replace", replacement="g one"),
    Rule("null", keys=("n",), action="replace", replacement=None),
    Rule("told", prefixes=("_",), exceptions=("/a/_meta",), action="report"),
)

SCOPED: dict[str, tuple[bytes, bytes, list[tuple[str, str, str]]]] = {
    "root": (b"x=1&a[x]=2&b=3", b"a[x]=2&b=3", [("/x", "root", "remove")]),
    "metadata": (
        b"metadata[x]=1&x=2&metadata%5Ba%5D%5Bx%5D=%31&a[metadata][x]=4",
        b"metadata[x]=g+one&metadata%5Ba%5D%5Bx%5D=g+one&a[metadata][x]=4",
        [
            ("/metadata/x", "meta", "replace"),
            ("/x", "root", "remove"),
            ("/metadata/a/x", "meta", "replace"),
        ],
    ),
    "replaced-with-what-is-below": (
        b"n=1&n[a][b]=2&c[n][d]=3",
        b"n=null&n=null&c%5Bn%5D=null",
        [("/n", "null", "replace"), ("/n", "null", "replace"), ("/c/n", "null", "replace")],
    ),
    "replaced-already": (b"metadata[x]=g%20one", b"metadata[x]=g%20one", []),
    "reported": (b"_a=1&a[_meta]=2", b"_a=1&a[_meta]=2", [("/_a", "told", "report")]),
    "reported-then-removed-below": (
        b"_a[n]=1&_b[_c]=2",
        b"_a[n]=null&_b[_c]=2",
        [
            ("/_a", "told", "report"),
            ("/_a/n", "null", "replace"),
            ("/_b", "told", "report"),
            ("/_b/_c", "told", "report"),
        ],
    ),
}


@pytest.mark.parametrize(("dirty", "clean", "found"), SCOPED.values(), ids=SCOPED)
def test_pairs_have_places_and_actions(
    dirty: bytes, clean: bytes, found: list[tuple[str, str, str]]
) -> None:
    """A pair stands where its brackets say; a replaced one keeps its name as it was spelled."""
    content, report = Sanitizer(Policy(RULES, look_into=("form",))).sanitize_bytes(dirty, FORM)
    assert content == clean
    assert [(f.path, f.rule, f.action) for f in report.findings] == found
    assert report.changed is (clean != dirty)
    assert (content is dirty) is (clean == dirty)


def test_parts_have_actions_and_their_bodies_places() -> None:
    """The names stand at the root; the JSON of a part is a body of its own."""
    length = FIELD.format("n") + "\r\nContent-Length: 1"
    json_part = FIELD.format("{}") + "\r\nContent-Type: application/json"
    dirty = (
        part(length, "1")
        + part(json_part.format("_j"), '{"x":1,"metadata":{"x":2},"a":{"x":3}}')
        + part(FIELD.format("x"), "1")
    )
    clean = part(length.replace(": 1", ": 4"), "null") + part(
        json_part.format("_j"), '{"metadata":{"x":"g one"},"a":{"x":3}}'
    )
    policy = Policy(RULES, look_into=("multipart",))
    content, report = Sanitizer(policy).sanitize_bytes(dirty + b"--b--", MULTIPART)
    assert content == clean + b"--b--"
    assert sorted((f.path, f.rule, f.action) for f in report.findings) == [
        ("/_j", "told", "report"),
        ("/_j/metadata/x", "meta", "replace"),
        ("/_j/x", "root", "remove"),
        ("/n", "null", "replace"),
        ("/x", "root", "remove"),
    ]


def test_a_part_without_an_end_can_be_replaced() -> None:
    """What is cut off stays cut off."""
    policy = Policy(RULES, look_into=("multipart",))
    body = f"--b\r\n{FIELD.format('n')}\r\n\r\n1".encode()
    content, _ = Sanitizer(policy).sanitize_bytes(body, MULTIPART)
    assert content == f"--b\r\n{FIELD.format('n')}\r\n\r\nnull".encode()


def test_what_stands_behind_the_last_delimiter_has_no_name() -> None:
    """It is no part, so no rule takes it for the part of its index."""
    policy = Policy((Rule("r", keys=("1",)),), look_into=("multipart",))
    body = part(FIELD.format("a"), "x") + b"--b--\r\nepilogue"
    assert Sanitizer(policy).sanitize_bytes(body, MULTIPART)[0] is body


def test_the_findings_of_all_parts_are_bounded() -> None:
    """A thousand are listed, in the order of the body, and long names are shortened."""
    name = "n" * 1_000_000
    dirty = "{" + ",".join(f'"_sentry_{number}":1' for number in range(400)) + "}"
    kind = "\r\nContent-Type: application/json"
    content = (
        part(FIELD.format("_sentry_x"), "gone")
        + part(FIELD.format(name) + kind, dirty)
        + part(FIELD.format("_sentry_y"), "gone")
        + part(FIELD.format("b") + kind, dirty) * 14
        + part(FIELD.format("_sentry_z"), "gone")
        + b"--b--"
    )
    clean, report = Sanitizer(POLICY).sanitize_bytes(content, MULTIPART)
    assert clean == (
        part(FIELD.format(name) + kind, "{}") + part(FIELD.format("b") + kind, "{}") * 14 + b"--b--"
    )
    paths = [found.path for found in report.findings]
    assert (len(paths), report.omitted) == (1000, 5003)
    assert [len(path) > 1_000_000 for path in paths] == [False] + [True] * 4 + [False] * 995
    assert paths[5] == "/<1000000 characters, a8daadab>/_sentry_4"
    assert (paths[401], paths[402], paths[999]) == ("/_sentry_y", "/b/_sentry_0", "/b/_sentry_197")
    assert {found.type for found in report.findings} == {"", "builtins.int"}


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; filename="; name=a"; name="_sentry_x"',
        'Content-Disposition: form-data; filename="\\"; name=a"; name="_sentry_x"',
        'X-Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name="_sentry_x"',
        'X: content-disposition: x; name=a\r\nContent-Disposition: form-data; name="_sentry_x"',
    ],
)
def test_a_part_goes_by_its_own_name(head: str) -> None:
    """Not by what a file's name, or another header, says of a name."""
    body = part(head, "gone") + b"--b--"
    content, report = Sanitizer(POLICY).sanitize_bytes(body, MULTIPART)
    assert content == b"--b--"
    assert [found.path for found in report.findings] == ["/_sentry_x"]


ALL = Policy(look_into=("form", "multipart", "compressed"), max_bytes=100_000)


def parts(*bodies: tuple[str, bytes], boundary: bytes = b"b") -> bytes:
    """Return a multipart body of parts with these heads."""
    delimiter = b"--" + boundary
    pieces = [b"%s\r\n%s\r\n\r\n%s\r\n" % (delimiter, h.encode(), b) for h, b in bodies]
    return b"".join(pieces) + delimiter + b"--\r\n"


def typed(name: str, content_type: str, *more: str) -> str:
    return "\r\n".join([FIELD.format(name), f"Content-Type: {content_type}", *more])


JSON = "application/json"
INNER = typed("inner", JSON)
NESTED: dict[str, tuple[str, bytes, bytes, list[str]]] = {
    "form": (typed("f", FORM), b"a=1&_sentry_x=2", b"a=1", ["/f/_sentry_x"]),
    "multipart": (
        typed("m", 'multipart/mixed; boundary="in"'),
        parts((INNER, b'{"_sentry_x":1}'), (FIELD.format("_sentry_y"), b""), boundary=b"in"),
        parts((INNER, b"{}"), boundary=b"in"),
        ["/m/_sentry_y", "/m/inner/_sentry_x"],
    ),
    "form-in-multipart": (
        typed("m", "multipart/mixed; boundary=in"),
        parts((typed("f", FORM), b"_sentry_x=2&b=1"), boundary=b"in"),
        parts((typed("f", FORM), b"b=1"), boundary=b"in"),
        ["/m/f/_sentry_x"],
    ),
    "folded": (
        FIELD.format("j") + "\r\nContent-Type:\r\n\tapplication/json",
        b'{"_sentry_x":1}',
        b"{}",
        ["/j/_sentry_x"],
    ),
    "no-coding": (
        typed("j", JSON, "Content-Encoding: utf-8", "Content-Transfer-Encoding: 8bit"),
        b'{"_sentry_x":1}',
        b"{}",
        ["/j/_sentry_x"],
    ),
    "another-coding": (
        typed("j", JSON, "Content-Transfer-Encoding: base64"),
        b'{"_sentry_x":1}',
        b"{}",
        ["/j/_sentry_x"],
    ),
}


@pytest.mark.parametrize(("head", "dirty", "clean", "found"), NESTED.values(), ids=NESTED)
def test_a_part_is_judged_as_a_body_is(
    head: str, dirty: bytes, clean: bytes, found: list[str]
) -> None:
    """A form, a multipart body and a coded one inside a part; their paths begin with its name."""
    content, report = Sanitizer(ALL).sanitize_bytes(parts((head, dirty)), MULTIPART)
    assert content == parts((head, clean))
    assert sorted(found.path for found in report.findings) == found
    assert report.judged
    clean_body = parts((head, clean))
    same, report = Sanitizer(ALL).sanitize_bytes(clean_body, MULTIPART)
    assert same is clean_body
    assert report.judged


def test_a_compressed_part_is_judged() -> None:
    """By its own Content-Encoding, and its length follows."""
    head = typed("g", JSON, "content-encoding: GZIP", "Content-Length: {}")
    dirty, clean = (gzip.compress(text, mtime=0) for text in (b'{"_sentry_x":1}', b"{}"))
    body = parts((head.format(len(dirty)), dirty))
    content, report = Sanitizer(ALL).sanitize_bytes(body, MULTIPART)
    assert content == parts((head.format(len(clean)), clean))
    assert [found.path for found in report.findings] == ["/g/_sentry_x"]


UNJUDGED: dict[str, tuple[Policy, str, bytes, str]] = {
    "form": (Policy(look_into=("multipart",)), typed("f", FORM), b"_sentry_x=1", "form"),
    "gzip": (
        Policy(look_into=("multipart",)),
        typed("g", JSON, "Content-Encoding: gzip"),
        gzip.compress(b'{"_sentry_x":1}'),
        "content encoding gzip",
    ),
    "corrupt": (
        ALL,
        typed("g", JSON, "Content-Encoding: gzip"),
        b"\x1f\x8bno",
        "content encoding gzip, corrupt",
    ),
    "compressed-text": (
        Policy(look_into=("multipart",)),
        FIELD.format("g") + "\r\nContent-Encoding: gzip",
        gzip.compress(b"text"),
        "content encoding gzip",
    ),
    "gzip-file": (
        ALL,
        typed("g", "application/gzip"),
        b"\x1f\x8b",
        "content type application/gzip",
    ),
    "base64": (
        ALL,
        typed("j", JSON, "Content-Transfer-Encoding: base64"),
        b"eyJfc2VudHJ5X3giOjF9",
        "content encoding base64",
    ),
    "image": (ALL, typed("i", "image/png"), b"\x89PNG", "content type image/png"),
    "no-boundary": (ALL, typed("m", "multipart/mixed"), b"--x\r\n", "multipart"),
}


@pytest.mark.parametrize(("policy", "head", "content", "why"), UNJUDGED.values(), ids=UNJUDGED)
def test_a_part_that_is_not_judged_is_told(
    policy: Policy, head: str, content: bytes, why: str
) -> None:
    """The body is passed, less what was found in other parts, and the report says why."""
    body = parts((head, content))
    same, report = Sanitizer(policy).sanitize_bytes(body, MULTIPART)
    assert same is body
    assert (report.judged, report.why_not_judged) == (False, why)
    cut, report = Sanitizer(policy).sanitize_bytes(
        parts((head, content), (INNER, b'{"_sentry_x":1}')), MULTIPART
    )
    assert cut == parts((head, content), (INNER, b"{}"))
    assert (report.changed, report.why_not_judged) == (True, why)


@pytest.mark.parametrize("content_type", ["", "\r\nContent-Type: text/plain; charset=utf-8"])
def test_a_field_is_text(content_type: str) -> None:
    """A part without a type, or of plain text, is a value, and counts as judged."""
    body = parts((FIELD.format("t") + content_type, b'{"_sentry_x":1}'))
    same, report = Sanitizer(ALL).sanitize_bytes(body, MULTIPART)
    assert same is body
    assert report.judged


def nested(levels: int, content: bytes) -> bytes:
    for level in range(levels):
        head = typed("m", f"multipart/mixed; boundary=b{level - 1}") if level else INNER
        content = parts((head, content), boundary=b"b%d" % level)
    return content


@pytest.mark.parametrize(("levels", "judged"), [(8, True), (9, False)])
def test_levels_are_bounded(levels: int, judged: bool) -> None:
    """Below eight levels of parts nothing is judged, and the report says so."""
    content, report = Sanitizer(ALL).sanitize_bytes(
        nested(levels, b'{"_sentry_x":1}'), f"multipart/mixed; boundary=b{levels - 1}"
    )
    assert content == nested(levels, b"{}" if judged else b'{"_sentry_x":1}')
    assert report.judged is judged
    assert report.why_not_judged == ("" if judged else "parts nested too deeply")


def test_what_all_parts_decompress_to_is_bounded() -> None:
    """Together, since a hundred parts of a kilobyte can come to a hundred times ``max_bytes``."""
    part = typed("g", JSON, "Content-Encoding: gzip"), gzip.compress(b" " * 60_000)
    assert Sanitizer(ALL).sanitize_bytes(parts(part), MULTIPART)[1].judged
    with pytest.raises(BodyLimitError):
        Sanitizer(ALL).sanitize_bytes(parts(part, part), MULTIPART)
