"""Forms: opaque by default, else cut out of the bytes as they are."""

from __future__ import annotations

import pytest

from body_guard import BodyRejectedError, Policy, Rule, Sanitizer

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
