"""Host patterns: ``api.x.com``, ``*.x.com`` and IP addresses, compared as they are on the wire."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from body_guard.core.errors import PolicyError

__all__ = ["check_host_pattern", "matches", "normalize_host"]

#: The last label is not a number: that would be an IPv4 address, or part of one.
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*(?![0-9]+\Z)[a-z0-9_-]{1,63}\Z")


def normalize_host(host: str) -> str:
    """Return a host as it is compared: lower case, no trailing dot, in ASCII (IDNA 2008, as httpx).

    Args:
        host: Of a URL, decoded or not, an IPv6 address with its brackets or without.

    Returns:
        The normalized form; what is no host is returned in lower case, and matches nothing.
    """
    host = host.lower()
    if not host.isascii():
        import idna  # httpx depends on it; most hosts do not need it

        try:
            host = idna.encode(host).decode()
        except idna.IDNAError:
            return host
    host = host.removesuffix(".")
    if ":" in host:
        try:
            return ip_address(host.removeprefix("[").removesuffix("]")).compressed
        except ValueError:
            return host
    return host


def check_host_pattern(pattern: object) -> str:
    """Return a pattern in its normalized form.

    Raises:
        PolicyError: It is no pattern.
    """
    if isinstance(pattern, str):
        wildcard = pattern.startswith("*.")
        host = normalize_host(pattern[2:] if wildcard else pattern)
        if _NAME.match(host):
            return f"*.{host}" if wildcard else host
        if not wildcard and _is_address(host):
            return host
    raise PolicyError(
        f"hosts: {pattern!r} is no pattern; write a host (api.x.com), all hosts below one "
        "(*.x.com) or an IP address, without scheme, port or path."
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def matches(pattern: str, host: str) -> bool:
    """Check whether a pattern matches a host; both are normalized.

    ``*.x.com`` is every host below ``x.com``, at any depth, and not ``x.com`` itself.
    """
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return host == pattern
