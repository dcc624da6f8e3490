"""Which policy a host gets: patterns on label borders, in one spelling, the nearest first."""

from __future__ import annotations

import pytest

from body_guard import Policy, PolicyError, Rule
from body_guard.hosts import normalize_host


def policy(name: str) -> Policy:
    return Policy((Rule(name, keys=(name,)),))


DEFAULT = policy("default")
SOME = Policy(
    DEFAULT.rules,
    hosts={
        "*.x.com": policy("below-x"),
        "*.eu.x.com": policy("below-eu"),
        "api.x.com": policy("api"),
        "*.Example.ORG.": policy("upper"),
        "bücher.test": policy("idna"),
        "*.xn--mnchen-3ya.de": policy("idna-below"),
        "127.0.0.1": policy("v4"),
        "[2001:DB8::0:1]": policy("v6"),
        "under_score.test": policy("underscore"),
        "localhost": policy("local"),
    },
)

HOSTS = {
    "api.x.com": "api",
    "API.X.COM": "api",
    "api.x.com.": "api",
    "www.x.com": "below-x",
    "a.b.x.com": "below-x",
    "eu.x.com": "below-x",
    "a.eu.x.com": "below-eu",
    "a.api.x.com": "below-x",
    "x.com": "default",
    "evilx.com": "default",
    "x.com.evil.com": "default",
    "api.x.com.evil.com": "default",
    ".x.com": "default",
    "x.co": "default",
    "": "default",
    "a.example.org": "upper",
    "example.org": "default",
    "bücher.test": "idna",
    "BÜCHER.test": "idna",
    "xn--bcher-kva.test": "idna",
    "XN--BCHER-KVA.test.": "idna",
    "a.münchen.de": "idna-below",
    "a\u3002münchen\u3002de": "idna-below",
    "127.0.0.1": "v4",
    "127.0.0.10": "default",
    "1.127.0.0.1": "default",
    "2001:db8::1": "v6",
    "[2001:db8::1]": "v6",
    "2001:0db8:0:0::0001": "v6",
    "2001:db8::2": "default",
    "no:address": "default",
    "under_score.test": "underscore",
    "localhost": "local",
    "a.localhost": "default",
    "\u2603.\ud800": "default",
}


@pytest.mark.parametrize(("host", "expected"), HOSTS.items(), ids=map(ascii, HOSTS))
def test_the_policy_of_a_host(host: str, expected: str) -> None:
    """In full before wildcard, longer before shorter, label by label, in whatever spelling."""
    assert [rule.name for rule in SOME.for_host(host).rules] == [expected]


def test_the_default_is_the_policy_itself() -> None:
    """The very object, with hosts and without."""
    assert SOME.for_host("other.test") is SOME
    assert DEFAULT.for_host("api.x.com") is DEFAULT


def test_hosts_are_kept_in_the_order_of_their_weight() -> None:
    """So that two policies that say the same are equal, however they were written."""
    one, two = policy("one"), policy("two")
    hosts = (("api.x.com", one), ("*.eu.x.com", two), ("*.x.com", one))
    given = {"*.x.com": one, "*.EU.x.com.": two, "API.x.com": one}
    assert Policy(hosts=given).hosts == hosts
    assert Policy(hosts=given) == Policy(hosts=dict(reversed(list(given.items()))))
    assert Policy(hosts=hosts) == Policy(hosts=given)


PATTERNS = [
    "",
    "*",
    "*.",
    ".",
    "a..b",
    "*.*.x.com",
    "api.*.com",
    "*x.com",
    "https://api.x.com",
    "api.x.com:443",
    "[::1]:443",
    "api.x.com/v1",
    "a b.com",
    "user@x.com",
    "*.0.0.1",
    "*.1",
    "1.2.3",
    "*.::1",
    "a" * 64 + ".com",
    ".".join(["a" * 50] * 6),
    "\u2603.\ud800",
    b"x.com",
    None,
]


@pytest.mark.parametrize("pattern", PATTERNS, ids=ascii)
def test_what_is_no_pattern_is_refused(pattern: object) -> None:
    """When the policy is built, with what would be right."""
    with pytest.raises(PolicyError) as caught:
        Policy(hosts={pattern: Policy()})  # type: ignore[dict-item]
    assert str(caught.value) == (
        f"hosts: {pattern!r} is no pattern; write a host (api.x.com), all hosts below one "
        "(*.x.com) or an IP address, without scheme, port or path."
    )


def test_a_host_has_one_spelling() -> None:
    """That of the wire."""
    assert normalize_host("Straße.DE.") == "xn--strae-oqa.de"
    assert normalize_host("[FE80::1%eth0]") == "fe80::1%eth0"
