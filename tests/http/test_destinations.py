"""Each destination by its own policy: a client by its request's URL, a transport hop by hop."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import body_guard
from body_guard import BodyRejectedError, Policy, Rule
from body_guard.http.outgoing import destination
from body_guard.http.request_guard import Guard

from doors import FAMILIES, Door, Family, Wire, exchange

MINE = Rule("mine", keys=("mine",))
OWN = Policy((MINE,))
POLICY = Policy(hosts={"*.own.test": OWN, "münchen.test": OWN, "[::1]": OWN})
BODY = {"a": 1, "_sentry_x": 1, "mine": 1}
DEFAULT_CUT = b'{"a":1,"mine":1}'
OWN_CUT = b'{"a":1,"_sentry_x":1}'

URLS = {
    "http://gateway.own.test/v1": OWN_CUT,
    "http://GATEWAY.Own.Test./v1": OWN_CUT,
    "http://gateway.own.test:8080/v1": OWN_CUT,
    "http://user@gateway.own.test/v1": OWN_CUT,
    "http://münchen.test/": OWN_CUT,
    "http://xn--mnchen-3ya.test/": OWN_CUT,
    "http://[0::1]:80/": OWN_CUT,
    "http://own.test/": DEFAULT_CUT,
    "http://evilown.test/": DEFAULT_CUT,
    "http://gateway.own.test@evil.test/": DEFAULT_CUT,
    "http://evil.test/gateway.own.test": DEFAULT_CUT,
}


@pytest.mark.parametrize(("url", "sent"), URLS.items(), ids=map(ascii, URLS))
def test_a_host_is_read_from_a_url(family: Family, wire: Wire, url: str, sent: bytes) -> None:
    """However it is written, by each library's own parser."""
    with family.guarded.GuardedClient(
        transport=family.library.MockTransport(wire), policy=POLICY
    ) as client:
        client.post(url, json=BODY)
    assert wire.body == sent


@pytest.mark.parametrize(
    ("url", "sent"),
    [("http://gateway.own.test/v1", OWN_CUT), ("http://own.test/", DEFAULT_CUT)],
    ids=["own", "default"],
)
@pytest.mark.parametrize("form", ["json", "content"])
def test_a_request_goes_by_its_own_url(
    door: Door, wire: Wire, url: str, sent: bytes, form: str
) -> None:
    """Whether it is judged as an object or as bytes, and once: the bytes are not judged again."""
    content = b'{"a":1,"_sentry_x":1,"mine":1}'
    body = {"json": BODY} if form == "json" else {"content": content}
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.post(url, **body), POLICY)
    assert wire.body == sent
    assert [len(report.findings) for report in reports] == [1]


BASES = {
    "relative": ("http://a.own.test/v1/", "/chat", OWN_CUT),
    "relative, no slash": ("http://a.own.test/v1/", "chat", OWN_CUT),
    "empty": ("http://a.own.test/v1/", "", OWN_CUT),
    "absolute": ("http://a.own.test/v1/", "http://other.test/", DEFAULT_CUT),
    "absolute, own": ("http://other.test/", "http://a.own.test/", OWN_CUT),
    # httpx merges what has no scheme, whatever it looks like.
    "no scheme": ("http://other.test/", "//a.own.test/", DEFAULT_CUT),
}


@pytest.mark.parametrize(("base", "url", "sent"), BASES.values(), ids=BASES)
@pytest.mark.parametrize("keyword", [False, True], ids=["positional", "keyword"])
def test_a_base_url_counts(
    family: Family, wire: Wire, base: str, url: str, sent: bytes, keyword: bool
) -> None:
    """build_request judges by the host that the request will have."""
    arguments, options = (("POST",), {"url": url}) if keyword else (("POST", url), {})
    transport = family.library.MockTransport(wire)
    client = family.guarded.GuardedClient(transport=transport, policy=POLICY, base_url=base)
    assert client.build_request(*arguments, **options, json=BODY).content == sent


def test_a_base_url_counts_at_every_door(client_door: Door, wire: Wire) -> None:
    """Whoever guards the client."""
    transport = client_door.library.MockTransport(wire)
    client = client_door.client(transport, POLICY, base_url="http://a.own.test/v1/")
    assert client.build_request("POST", "chat", json=BODY).content == OWN_CUT


@pytest.mark.parametrize("status", [307, 308])
def test_each_hop_is_judged_by_its_own_host(transport_door: Door, wire: Wire, status: int) -> None:
    """What one's own gateway may see goes no further, though the same stream was judged before."""
    wire.answers = [
        {"status": status, "headers": {"location": "http://provider.test/"}},
        {"status": status, "headers": {"location": "http://a.own.test/"}},
    ]
    with body_guard.collect() as reports:
        exchange(
            transport_door,
            wire,
            lambda c: c.post("http://a.own.test/", json=BODY),
            POLICY,
            follow_redirects=True,
        )
    assert wire.bodies == [OWN_CUT, b'{"a":1}', b'{"a":1}']
    assert [[f.rule for f in report.findings] for report in reports] == [["mine"], ["sentry"], []]


def test_a_policy_for_one_request_may_have_hosts(door: Door, wire: Wire) -> None:
    """An override is asked for the host like the door's own policy."""
    act = lambda c: c.post("http://a.own.test/", json=BODY, extensions={"body_guard": POLICY})  # noqa: E731
    exchange(door, wire, act)
    assert wire.body == OWN_CUT


def test_a_policy_of_a_host_stands_alone(door: Door, wire: Wire) -> None:
    """It refuses where the default would not."""
    strict = Policy((Rule("no", keys=("a",), action="reject"),))
    with pytest.raises(BodyRejectedError, match="rule no"):
        exchange(
            door,
            wire,
            lambda c: c.post("http://a.test/", json=BODY),
            Policy(hosts={"a.test": strict}),
        )
    assert wire.requests == []


def test_an_override_with_addresses_of_its_own(wire: Wire) -> None:
    """A user's build_request is handed what it takes; the default judges what it is given."""

    class Mine(httpx.Client):
        def build_request(self, *args: Any, **options: Any) -> Any:
            return super().build_request("POST", "http://a.own.test/", json=options["json"])

    client = body_guard.guard(Mine(transport=httpx.MockTransport(wire)), POLICY)
    for arguments in ((), ("POST",), ("POST", 7), ("POST", "http://x:y")):
        assert client.build_request(*arguments, json=BODY).content == b'{"a":1}'


def test_an_address_that_is_none_is_the_librarys_to_refuse(client_door: Door, wire: Wire) -> None:
    """The error is the library's own."""
    with pytest.raises(client_door.library.InvalidURL):
        exchange(client_door, wire, lambda c: c.post("http://x:y", json=BODY), POLICY)


def test_a_guard_for_a_host_that_is_known_early() -> None:
    """What an SDK's path asks for; without a policy of its own for the host, the same guard."""
    guard = Guard(httpx, POLICY)
    assert guard.at(lambda: "other.test") is guard
    assert guard.at(lambda: "a.own.test").policy is OWN
    assert guard.policy is POLICY


def test_the_base_url_of_an_sdk_may_be_of_the_other_library() -> None:
    """An SDK on httpx2 that is given an httpx client keeps a URL of httpx2, and the reverse."""
    for library in FAMILIES:
        for other in FAMILIES:
            base_url = other.library.URL("https://x.com/v1/")
            assert destination(library.library, base_url, ("POST", "/chat"), {}) == "x.com"
