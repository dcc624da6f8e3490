"""Which headers mean that the body is signed, and which are a mere digest of it.

A signed body is never edited. The table has a row for each scheme: its header, a pattern of the
value, and the header that excepts it. A scheme that signs the Content-Length counts as signing the
body, since an edit changes that.
"""

from __future__ import annotations

import base64
import re
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UnknownDigestError", "find_signature", "renew_digests"]


class Scheme(NamedTuple):
    """A way to sign a body."""

    name: str
    header: str
    value: str = ""
    unless: tuple[str, str] | None = None


_COVERS_BODY: Final = r'.*"(?:content-digest|repr-digest|digest|content-md5|content-length)"'

#: Patterns are matched at the start of a value, without regard to case.
SCHEMES: Final = (
    # Signatures in Authorization, over a hash of the body.
    Scheme(
        "AWS Signature Version 4 and 4A",
        "authorization",
        "AWS4-",
        unless=("x-amz-content-sha256", r"(?:STREAMING-)?UNSIGNED-PAYLOAD"),
    ),
    Scheme("AWS, payload hash", "x-amz-content-sha256", "[0-9a-f]{64}"),
    Scheme("Google Cloud Storage V4", "authorization", "GOOG4-"),
    Scheme("Tencent Cloud TC3", "authorization", "TC3-"),
    Scheme("Alibaba Cloud ACS3", "authorization", "ACS3-"),
    Scheme("Alibaba Cloud, payload hash", "x-acs-content-sha256"),
    Scheme("Huawei Cloud", "authorization", "SDK-HMAC-"),
    Scheme("Volcengine, Azure App Configuration", "authorization", "HMAC-SHA256 "),
    Scheme("JD Cloud", "authorization", "JDCLOUD[0-9]-"),
    Scheme("Baidu AI Cloud", "authorization", "bce-auth-v"),
    Scheme("Akamai EdgeGrid", "authorization", "EG1-HMAC-"),
    Scheme("Azure Storage", "authorization", "SharedKey(?:Lite)? "),
    Scheme("AWS Signature Version 2, over Content-MD5", "authorization", "AWS [^ :]+:"),
    Scheme("Alibaba Cloud OSS, over Content-MD5", "authorization", "OSS [^ :]+:"),
    Scheme("Hawk with a payload hash", "authorization", r"Hawk .*\bhash="),
    Scheme("OAuth 1.0 with a body hash", "authorization", "OAuth .*oauth_body_hash"),
    Scheme("draft-cavage-http-signatures, OCI", "authorization", "Signature "),
    Scheme("OCI, payload hash", "x-content-sha256"),
    Scheme("Azure, payload hash", "x-ms-content-sha256"),
    Scheme("Acquia HMAC, payload hash", "x-authorization-content-sha256"),
    # Signatures in a header of their own.
    Scheme("RFC 9421 HTTP Message Signatures", "signature-input", _COVERS_BODY),
    Scheme("draft-cavage-http-signatures", "signature", unless=("signature-input", "")),
    Scheme("Open Banking, detached JWS", "x-jws-signature"),
    Scheme("WebSub", "x-hub-signature"),
    Scheme("GitHub and Meta webhooks", "x-hub-signature-256"),
    Scheme("WebSub", "x-hub-signature-512"),
    Scheme("Standard Webhooks", "webhook-signature"),
    Scheme("Svix", "svix-signature"),
    Scheme("Stripe", "stripe-signature"),
    Scheme("Slack", "x-slack-signature"),
    Scheme("Shopify", "x-shopify-hmac-sha256"),
    Scheme("LINE", "x-line-signature"),
    Scheme("Twilio", "x-twilio-signature"),
    Scheme("Gitea", "x-gitea-signature"),
    Scheme("Discord", "x-signature-ed25519"),
    Scheme("common usage", "x-signature"),
    Scheme("common usage", "x-signature-256"),
)


def find_signature(headers: Any) -> str | None:
    """Return the name of the header that signs the body of a request, or None."""
    for scheme in SCHEMES:
        if _has(headers, scheme.header, scheme.value) and not (
            scheme.unless is not None and _has(headers, *scheme.unless)
        ):
            return scheme.header
    return None


def _has(headers: Any, name: str, pattern: str) -> bool:
    value = headers.get(name)
    return value is not None and re.match(pattern, value, re.IGNORECASE | re.DOTALL) is not None


class UnknownDigestError(Exception):
    """A header holds a digest of the body by an algorithm that is not known here."""

    def __init__(self, header: str) -> None:
        super().__init__(header)
        self.header = header


def _hasher(name: str) -> Callable[[bytes], bytes]:
    def digest(content: bytes) -> bytes:
        import hashlib  # it loads OpenSSL, which importing body_guard need not wait for

        return hashlib.new(name, content, usedforsecurity=False).digest()

    return digest


def _crc32(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(4, "big")


_ALGORITHMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "md5": _hasher("md5"),
    "sha": _hasher("sha1"),
    "sha-256": _hasher("sha256"),
    "sha-512": _hasher("sha512"),
}

#: Headers whose whole value is one digest, in base64: RFC 1864; Amazon S3, "Checking object
#: integrity". The algorithms with None are not in the standard library.
_WHOLE: Final[dict[str, Callable[[bytes], bytes] | None]] = {
    "content-md5": _hasher("md5"),
    "x-amz-checksum-crc32": _crc32,
    "x-amz-checksum-crc32c": None,
    "x-amz-checksum-crc64nvme": None,
    "x-amz-checksum-sha1": _hasher("sha1"),
    "x-amz-checksum-sha256": _hasher("sha256"),
}

#: Headers that list digests by algorithm, and how each is written: RFC 9530, RFC 3230.
_LISTED: Final = {"content-digest": ":{}:", "repr-digest": ":{}:", "digest": "{}"}


def renew_digests(headers: Any, content: bytes) -> dict[str, str]:
    """Return the headers that hold a digest, by lower-case name, with the values for new content.

    Raises:
        UnknownDigestError: One of them is by an algorithm that cannot be recomputed.
    """
    renewed = {}
    for name, algorithm in _WHOLE.items():
        if name in headers:
            if algorithm is None:
                raise UnknownDigestError(name)
            renewed[name] = base64.b64encode(algorithm(content)).decode()
    for name, form in _LISTED.items():
        if name in headers:
            renewed[name] = _renew_list(name, headers[name], form, content)
    return renewed


def _renew_list(header: str, value: str, form: str, content: bytes) -> str:
    parts = []
    for part in value.split(","):
        name = part.strip().partition("=")[0]
        algorithm = _ALGORITHMS.get(name.lower())
        if algorithm is None:
            raise UnknownDigestError(header)
        parts.append(f"{name}={form.format(base64.b64encode(algorithm(content)).decode())}")
    return ", ".join(parts)
