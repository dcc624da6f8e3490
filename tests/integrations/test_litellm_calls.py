"""Every call of litellm in the table, with every place a thing can be put: none crashes or leaks."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from body_guard.integrations.litellm import install

from llm_calls import CALLS, FORMS, KEYS, PLACES, THINGS, Call, Live
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider, Received

pytestmark = LITELLM_WARNINGS  # noqa: F405

BY_FORM = pytest.mark.parametrize(
    ("call", "form"), FORMS, ids=[f"{call.name}-{form}" for call, form in FORMS]
)


def ready(call: Call) -> None:
    if call.lacks:
        pytest.skip(f"litellm's {call.function} needs {call.lacks}, of its proxy extra")


@BY_FORM
def test_a_live_object_crashes_an_unguarded_call(
    call: Call, form: str, provider: LLMProvider, loop: Any
) -> None:
    """Without install(), the rows that say so never reach the provider."""
    ready(call)
    if call.lately and not call.sends_extra_body(form, loop, provider):
        pytest.skip(f"this release sends no extra_body of {call.name}")
    options = call.arguments(provider.url)
    options["extra_body"] = {"thing": Live()}
    if form not in call.crashes:
        call.run(form, loop, options)
        assert len(provider.received) == 1
        return
    with pytest.raises(Exception, match="Live is not JSON serializable"):
        call.run(form, loop, options)
    assert provider.received == []


def everywhere() -> Iterator[Any]:
    """Return each call in each form with each thing in each place that it has.

    Not exhaustive are those in which any two of the four meet at least once.
    """
    for c, call in enumerate(CALLS):
        places = [place for place in PLACES if PLACES[place](call.arguments(""), "") is not False]
        rows = itertools.product(enumerate(places), enumerate(call.forms), enumerate(THINGS))
        for (p, place), (f, form), (t, thing) in rows:
            chosen = f == (c + p) % len(call.forms) and t == (c + (p + 1) // 2) % len(THINGS)
            marks = () if chosen else pytest.mark.exhaustive
            name = f"{place}-{thing}-{call.name}-{form}"
            yield pytest.param(call, form, place, thing, id=name, marks=marks)


@pytest.mark.parametrize(("call", "form", "place", "thing"), [*everywhere()])
def test_a_guarded_call_neither_crashes_nor_leaks(
    call: Call, form: str, place: str, thing: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Wherever the thing stands, the call goes through, and no forbidden name or value with it."""
    ready(call)
    if place == "tool" and importlib.util.find_spec("mcp") is None:
        pytest.skip("litellm looks for MCP tools among any tools, which needs its proxy extra")
    options = call.arguments(provider.url)
    PLACES[place](options, THINGS[thing]())
    try:
        call.run(form, loop, options)
    except litellm.UnsupportedParamsError:
        assert provider.received == []  # litellm's own word on what this provider takes
        return
    assert len(provider.received) == 1
    assert b"_sentry_" not in provider.received[0].body
    if place != "tool":  # there, the string is also a default, which is the caller's
        assert b"SECRET" not in provider.received[0].body
    if call.signed:
        assert signature(provider.received[0]) == computed(provider.received[0])


@BY_FORM
def test_a_clean_call_is_the_same_bytes_guarded_and_not(
    call: Call, form: str, provider: LLMProvider, loop: Any
) -> None:
    """Byte for byte, with what encoders differ in: non-ASCII text, floats, a slash, an empty dict."""
    ready(call)
    wire = []
    for guarded in (False, True):
        provider.clear()
        options = call.arguments(provider.url)
        for name in ("messages", "contents"):
            if name in options:
                options[name][0]["name"] = 'é☃😀 "q" \\ / \u007f'
        options["extra_body"] = {"f": 1.10, "big": 10**20, "none": None, "empty": {}, "é": ["☃"]}
        if guarded:
            install()
        call.run(form, loop, options)
        wire.append([(r.method, r.path, r.body) for r in provider.received])
    assert wire[0] == wire[1] != []


def test_what_is_not_exhaustive_meets_in_pairs() -> None:
    """Any two of call, form, place and thing are together in a row that every run has."""
    rows = [((row.values[0].name, *row.values[1:]), not row.marks) for row in everywhere()]
    for one, other in itertools.combinations(range(4), 2):
        pairs = {(values[one], values[other]) for values, _ in rows}
        assert pairs == {(values[one], values[other]) for values, chosen in rows if chosen}
    assert sum(chosen for _, chosen in rows) == len({values[::2] for values, _ in rows})


def test_the_table_has_every_way_of_serializing() -> None:
    """The OpenAI SDK, Azure, handlers of litellm sync and async, SigV4, aiohttp, the adapters."""
    assert len(CALLS) >= 30
    assert sum(call.signed for call in CALLS) >= 6


_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([^,]+), Signature=([0-9a-f]+)"
)


def signature(received: Received) -> str:
    """Return the SigV4 signature that came with a request."""
    found = _CREDENTIAL.match(received.headers["Authorization"])
    assert found is not None
    return found[6]


def computed(received: Received) -> str:
    """Compute the SigV4 signature over what arrived, with botocore's own parts."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    found = _CREDENTIAL.match(received.headers["Authorization"])
    assert found is not None
    _, _, region, service, names, _ = found.groups()
    credentials = Credentials(KEYS["aws_access_key_id"], KEYS["aws_secret_access_key"])
    signer = SigV4Auth(credentials, service, region)
    headers = {name: received.headers[name] for name in names.split(";")}
    url = f"http://{received.headers['Host']}{received.path}"
    request = AWSRequest(received.method, url, headers=headers, data=received.body)
    request.context["timestamp"] = received.headers["X-Amz-Date"]
    canonical = signer.canonical_request(request)
    assert hashlib.sha256(received.body).hexdigest() in canonical
    return signer.signature(signer.string_to_sign(request, canonical), request)


def test_a_spoiled_body_would_have_another_signature(
    provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """The check above can fail."""
    call = next(call for call in CALLS if call.name == "converse")
    call.run("sync", loop, call.arguments(provider.url))
    (received,) = provider.received
    spoiled = Received(received.method, received.path, received.headers, received.body + b" ")
    assert signature(received) == computed(received) != computed(spoiled)
    assert json.loads(received.body)
