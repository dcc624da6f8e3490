"""Signed bodies are never edited; a mere digest follows the body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from body_guard import SignedBodyError
from body_guard.http.signatures import SCHEMES, find_signature

from doors import Door, Family, Wire, exchange

URL = "http://provider.test/model/invoke"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'
HEX = "0" * 64

SIGNED = {
    "sigv4": {"Authorization": "AWS4-HMAC-SHA256 Credential=k"},
    "sigv4a": {"Authorization": "AWS4-ECDSA-P256-SHA256 Credential=k"},
    "sigv4 signed payload": {"Authorization": "AWS4-HMAC-SHA256 x", "X-Amz-Content-SHA256": HEX},
    "payload hash alone": {"x-amz-content-sha256": HEX},
    "gcs": {"Authorization": "GOOG4-HMAC-SHA256 Credential=k"},
    "tencent": {"Authorization": "TC3-HMAC-SHA256 Credential=k"},
    "alibaba": {"Authorization": "ACS3-HMAC-SHA256 Credential=k"},
    "alibaba hash": {"x-acs-content-sha256": HEX},
    "huawei": {"Authorization": "SDK-HMAC-SHA256 Access=k"},
    "volcengine": {"Authorization": "HMAC-SHA256 Credential=k"},
    "jd": {"Authorization": "JDCLOUD2-HMAC-SHA256 Credential=k"},
    "baidu": {"Authorization": "bce-auth-v1/k/2026"},
    "akamai": {"Authorization": "EG1-HMAC-SHA256 client_token=k"},
    "azure storage": {"Authorization": "SharedKey account:sig"},
    "azure storage lite": {"Authorization": "SharedKeyLite account:sig", "Content-MD5": "x"},
    "sigv2": {"Authorization": "AWS AKID:sig=", "Content-MD5": "x"},
    "oss": {"Authorization": "OSS AKID:sig=", "Content-MD5": "x"},
    "hawk": {"Authorization": 'Hawk id="1", hash="abc=", mac="x"'},
    "oauth1": {"Authorization": 'OAuth realm="x",oauth_body_hash="2jmj"'},
    "oci": {"Authorization": 'Signature version="1",keyId="k",headers="x-content-sha256"'},
    "oci hash": {"x-content-sha256": "b64="},
    "azure hash": {"x-ms-content-sha256": "b64="},
    "acquia": {"X-Authorization-Content-SHA256": "b64="},
    "rfc 9421 digest": {"Signature-Input": 'sig1=("@method" "content-digest");created=1'},
    "rfc 9421 length": {"Signature-Input": 'a=("@path");created=1, b=("content-length")', "Signature": "b=:x:"},
    "draft-cavage": {"Signature": 'keyId="k",headers="digest"'},
    "open banking": {"x-jws-signature": "e30..x"},
    "hub": {"X-Hub-Signature": "sha1=00"},
    "hub 256": {"X-HUB-SIGNATURE-256": "sha256=00"},
    "hub 512": {"X-Hub-Signature-512": "sha512=00"},
    "standard webhooks": {"webhook-signature": "v1,x"},
    "svix": {"svix-signature": "v1,x"},
    "stripe": {"Stripe-Signature": "t=1,v1=x"},
    "slack": {"X-Slack-Signature": "v0=x"},
    "shopify": {"X-Shopify-Hmac-SHA256": "x"},
    "line": {"X-Line-Signature": "x"},
    "twilio": {"X-Twilio-Signature": "x"},
    "gitea": {"X-Gitea-Signature": "x"},
    "discord": {"X-Signature-Ed25519": "x"},
    "x-signature": {"X-Signature": "x"},
    "x-signature-256": {"X-Signature-256": "x"},
}  # fmt: skip
UNSIGNED = {
    "bearer": {"Authorization": "Bearer AWS4-HMAC"},
    "basic": {"Authorization": "Basic dTpw"},
    "unsigned payload": {"Authorization": "AWS4-HMAC-SHA256 x", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"},
    "unsigned trailer": {
        "Authorization": "AWS4-HMAC-SHA256 x", "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    },
    "rfc 9421 without the body": {"Signature-Input": 'sig1=("@method" "@path");created=1', "Signature": "sig1=:x:"},
    "hawk without a hash": {"Authorization": 'Hawk id="1", mac="x"'},
    "oauth1 without a hash": {"Authorization": 'OAuth oauth_signature="x"'},
    "an entity tag": {"If-Match": '"x"', "Idempotency-Key": "k"},
}  # fmt: skip


@pytest.mark.parametrize("headers", SIGNED.values(), ids=SIGNED)
def test_dirty_and_signed_is_refused(family: Family, headers: dict[str, str], wire: Wire) -> None:
    """Before any I/O, with rule, path and the header's name."""
    with family.guarded.GuardedClient(transport=family.library.MockTransport(wire)) as client:
        with pytest.raises(SignedBodyError, match=r"/_sentry_x \(rule sentry") as caught:
            client.post(URL, content=DIRTY, headers=headers)
        client.post(URL, content=CLEAN, headers=headers)
    assert wire.body == CLEAN
    named = find_signature(family.library.Headers(headers))
    assert named in {name.lower() for name in headers}
    assert f"its {named} header" in str(caught.value)


@pytest.mark.parametrize("headers", UNSIGNED.values(), ids=UNSIGNED)
def test_what_is_no_signature_of_the_body(
    family: Family, headers: dict[str, str], wire: Wire
) -> None:
    """The body is cut, and the headers stay."""
    with family.guarded.GuardedClient(transport=family.library.MockTransport(wire)) as client:
        client.post(URL, content=DIRTY, headers=headers)
    assert wire.body == CLEAN
    sent = wire.requests[0].headers
    assert {name: sent[name] for name in headers} == headers


def test_every_scheme_has_its_row(family: Family) -> None:
    """Each row of the table is what refuses some request above."""
    refusing = set()
    for headers in SIGNED.values():
        for scheme in SCHEMES:
            if find_signature(
                family.library.Headers(headers)
            ) == scheme.header and scheme.header in {name.lower() for name in headers}:
                refusing.add((scheme.header, scheme.value))
    assert {scheme.header for scheme in SCHEMES} == {header for header, _ in refusing}


def b64(algorithm: str, content: bytes) -> str:
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode()


CRC = base64.b64encode(zlib.crc32(CLEAN).to_bytes(4, "big")).decode()
DIGESTS = {
    "md5": ("Content-MD5", "x", b64("md5", CLEAN)),
    "content-digest": ("Content-Digest", "sha-256=:x:", f"sha-256=:{b64('sha256', CLEAN)}:"),
    "two": (
        "Repr-Digest",
        "sha-512=:x:,sha-256=:y:",
        f"sha-512=:{b64('sha512', CLEAN)}:, sha-256=:{b64('sha256', CLEAN)}:",
    ),
    "rfc 3230": ("DIGEST", "SHA-256=x, md5=y", f"SHA-256={b64('sha256', CLEAN)}, md5={b64('md5', CLEAN)}"),
    "sha1": ("Digest", "SHA=x", f"SHA={b64('sha1', CLEAN)}"),
    "s3 crc32": ("x-amz-checksum-crc32", "x", CRC),
    "s3 sha1": ("x-amz-checksum-sha1", "x", b64("sha1", CLEAN)),
    "s3 sha256": ("x-amz-checksum-sha256", "x", b64("sha256", CLEAN)),
}  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new"), DIGESTS.values(), ids=DIGESTS)
def test_a_mere_digest_is_recomputed(
    family: Family, name: str, old: str, new: str, wire: Wire
) -> None:
    """The name keeps its spelling and place; a clean body keeps even a wrong digest."""
    headers = [("A", "1"), (name, old), ("B", "2")]
    with family.library.Client(
        transport=family.guarded.GuardedTransport(family.library.MockTransport(wire))
    ) as client:
        for content in (DIRTY, CLEAN):
            client.send(family.library.Request("POST", URL, content=content, headers=headers))
    dirty, clean = (request.headers.raw[1:4] for request in wire.requests)
    assert dirty == [(b"A", b"1"), (name.encode(), new.encode()), (b"B", b"2")]
    assert clean == [(b"A", b"1"), (name.encode(), old.encode()), (b"B", b"2")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Digest", "sha-256=:x:, unixsum=:y:"),
        ("Digest", "crc32c=x"),
        ("x-amz-checksum-crc32c", "x"),
        ("x-amz-checksum-crc64nvme", "x"),
    ],
)
def test_an_unknown_digest_is_refused(family: Family, name: str, value: str, wire: Wire) -> None:
    """What cannot be made right is not sent wrong."""
    with (
        family.guarded.GuardedClient(transport=family.library.MockTransport(wire)) as client,
        pytest.raises(SignedBodyError, match=f"its {name.lower()} header"),
    ):
        client.post(URL, content=DIRTY, headers={name: value})
    assert wire.requests == []


def test_a_digest_of_a_json_object(family: Family, wire: Wire) -> None:
    """json= is cleaned before it is encoded, and its digest follows."""
    with family.guarded.GuardedClient(transport=family.library.MockTransport(wire)) as client:
        client.post(URL, json={"a": 1, "_sentry_x": 1}, headers={"Content-MD5": "x"})
    assert wire.requests[0].headers["content-md5"] == b64("md5", b'{"a":1}')


CREDENTIALS = botocore.credentials.Credentials("AKID", "SECRET")


def sign(request: Any) -> None:
    """Sign a request as botocore does for Bedrock."""
    signing = botocore.awsrequest.AWSRequest(
        method=request.method,
        url=str(request.url),
        data=request.content,
        headers={"Host": request.headers["host"]},
    )
    botocore.auth.SigV4Auth(CREDENTIALS, "bedrock", "us-east-1").add_auth(signing)
    for name in ("Authorization", "X-Amz-Date"):
        request.headers[name] = signing.headers[name]


def is_signed(request: Any, content: bytes) -> bool:
    """Recompute a signature over what arrived, by the steps of the SigV4 documentation."""
    authorization = request.headers["authorization"]
    date = request.headers["x-amz-date"]
    signed = authorization.partition("SignedHeaders=")[2].partition(",")[0]
    canonical = "\n".join(
        [
            request.method,
            request.url.path,
            "",
            *(f"{name}:{request.headers[name]}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(content).hexdigest(),
        ]
    )
    scope = f"{date[:8]}/us-east-1/bedrock/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"AWS4SECRET"
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}"
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return authorization.endswith(f"Signature={expected}")


def test_sigv4_signs_the_clean_bytes(client_door: Door, wire: Wire) -> None:
    """On the first hop and on the retry after a 401; after a 308 the body is clean as well."""

    class SigV4(client_door.library.Auth):
        requires_request_body = True

        def auth_flow(self, request: Any) -> Any:
            sign(request)
            response = yield request
            if response.status_code == 401:
                sign(request)
                yield request

    checked = []

    class Checking(Wire):
        def __call__(self, request: Any) -> Any:
            checked.append((is_signed(request, request.content), b"".join(request.stream)))
            return super().__call__(request)

    far = Checking(answers=[{"status": 401}, {"status": 308, "headers": {"location": "/x"}}])
    act = lambda c: c.post(URL, content=DIRTY, auth=SigV4(), follow_redirects=True)  # noqa: E731
    exchange(client_door, far, act)
    assert checked[:2] == [(True, CLEAN), (True, CLEAN)]
    assert checked[2][1] == CLEAN  # its signature is over another path, with or without a guard


def test_a_presigned_request_is_refused_at_every_door(door: Door, wire: Wire) -> None:
    """Signed before it reached us, as litellm's SigV4 providers do it."""
    request = door.library.Request("POST", URL, content=DIRTY)
    sign(request)
    assert is_signed(request, DIRTY)
    with pytest.raises(SignedBodyError, match="authorization"):
        exchange(door, wire, lambda c: c.send(request))
    assert wire.requests == []
    assert request.content == DIRTY


def test_the_documentation_names_every_header() -> None:
    """Its table has the headers of this one."""
    page = (Path(__file__).parents[2] / "docs/behaviour.md").read_text(encoding="utf-8")
    table = page.partition("## Signatures")[2].partition("\n\n## ")[0]
    assert {scheme.header for scheme in SCHEMES} <= set(re.findall(r"`([\w-]+)`", table))
