"""guard and unguard: the same object, another class, and back."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import httpx
import openai
import pytest

import body_guard
from body_guard import Policy, Rule

from doors import Family, Wire

URL = "http://provider.test/"
STRICT = Policy(rules=(Rule("strict", keys=("model",)),))


def mine(family: Family) -> Any:
    """Give a user's own client class."""
    return type("Mine", (family.library.Client,), {"__doc__": "Ours.", "__module__": __name__})


def test_guarding_keeps_identity_and_name(family: Family) -> None:
    """The object is the same, an instance of its class, and says the same name."""
    Mine = mine(family)  # noqa: N806
    client = Mine()
    assert body_guard.guard(client) is client
    assert isinstance(client, Mine)
    assert type(client) is not Mine
    kind = type(client)
    assert (kind.__name__, kind.__qualname__, kind.__module__, kind.__doc__) == (
        Mine.__name__,
        Mine.__qualname__,
        Mine.__module__,
        Mine.__doc__,
    )


@pytest.mark.parametrize("name", ["Client", "AsyncClient", "Mine"])
def test_unguard_restores_exactly(family: Family, name: str) -> None:
    """Class and instance attributes are what they were; unguarding twice does nothing."""
    make = mine(family) if name == "Mine" else getattr(family.library, name)
    client = make()
    before = dict(vars(client))
    body_guard.guard(client)
    assert body_guard.unguard(client) is client
    assert type(client) is make
    assert vars(client) == before
    assert type(body_guard.unguard(client)) is make


def test_guarding_again_is_a_no_op_or_replaces(family: Family, wire: Wire) -> None:
    """The same policy again changes nothing, another one takes its place."""
    client = body_guard.guard(family.library.Client(transport=family.library.MockTransport(wire)))
    first = type(client)
    assert type(body_guard.guard(client)) is first
    assert type(body_guard.guard(client, Policy())) is first
    body_guard.guard(client, STRICT)
    assert type(client) is not first
    client.post(URL, json={"model": "m", "_sentry_x": "s"})
    assert wire.body == b'{"_sentry_x":"s"}'
    assert type(body_guard.unguard(client)) is family.library.Client


def test_classes_are_shared(family: Family) -> None:
    """Two clients of one class and policy share one guarded class."""
    Mine = mine(family)  # noqa: N806
    assert type(body_guard.guard(Mine())) is type(body_guard.guard(Mine()))


def test_a_client_built_guarded_takes_another_policy(family: Family, wire: Wire) -> None:
    """guard() on a GuardedClient replaces its policy; unguard() cannot undo what it did not do."""
    client = family.guarded.GuardedClient(transport=family.library.MockTransport(wire))
    assert body_guard.guard(client, STRICT) is client
    assert type(client) is family.guarded.GuardedClient
    client.post(URL, json={"model": "m", "a": 1})
    assert wire.body == b'{"a":1}'
    with pytest.raises(TypeError, match="This GuardedClient was built guarded"):
        body_guard.unguard(client)


def test_no_reference_cycle(family: Family) -> None:
    """A guarded client is freed by reference count alone."""
    client = body_guard.guard(family.library.Client(transport=family.library.MockTransport(Wire())))
    client.get(URL)
    gone = weakref.ref(client)
    gc.disable()
    try:
        del client
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("value", [object(), None, httpx.HTTPTransport(), {}], ids=repr)
def test_what_is_no_client(value: Any) -> None:
    """The mistake is named, with what would be right."""
    with pytest.raises(
        TypeError, match=r"takes an httpx or httpx2 Client or AsyncClient, .*; not a "
    ):
        body_guard.guard(value)


def test_openai_copies_stay_guarded(family: Family, wire: Wire) -> None:
    """with_options() hands the same http client on, so its copies are guarded."""
    wire.answers = [{"json": {"id": "x", "object": "list", "data": []}}]
    http_client = body_guard.guard(
        family.library.Client(transport=family.library.MockTransport(wire))
    )
    client = openai.OpenAI(api_key="k", base_url=URL, http_client=http_client)
    client.with_options(timeout=3).post("/x", body={"_sentry_trace": "s", "a": 1}, cast_to=object)
    assert wire.body == b'{"a":1}'


def test_an_instance_given_policy_survives_a_subclass(family: Family, wire: Wire) -> None:
    """A subclass of GuardedClient is guarded by the policy that it passes on."""

    class Ours(family.guarded.GuardedClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(policy=STRICT, **options)

    with Ours(transport=family.library.MockTransport(wire)) as client:
        client.post(URL, json={"model": "m", "a": 1})
    assert wire.body == b'{"a":1}'


def test_a_guarded_class_builds_guarded_clients(family: Family, wire: Wire) -> None:
    """The policy stands on the class, so what calls self.__class__(...) stays guarded."""
    client = body_guard.guard(family.library.Client(), STRICT)
    again = type(client)(transport=family.library.MockTransport(wire))
    again.post(URL, json={"model": "m", "a": 1})
    assert wire.body == b'{"a":1}'


def test_unguarding_in_the_middle_of_a_send(family: Family, wire: Wire) -> None:
    """A stream that unguards the client while it is buffered: the request is judged and sent."""
    client = family.library.Client(transport=family.library.MockTransport(wire))
    body_guard.guard(client, Policy(buffer=100))

    def source() -> Any:
        body_guard.unguard(client)
        yield b'{"_sentry_x": 1, "a": 1}'

    client.post(URL, content=source())
    assert wire.body == b'{ "a": 1}'


def test_a_copy_over_a_guarded_client_of_its_own(family: Family) -> None:
    """What was guarded by whoever made it stays so when the copy is unguarded."""
    own = family.guarded.GuardedClient()
    client = body_guard.guard(openai.OpenAI(api_key="k", base_url=URL), STRICT)
    copy = client.copy(http_client=own)
    assert type(own) is family.guarded.GuardedClient
    body_guard.unguard(copy)
    assert type(own) is family.guarded.GuardedClient
