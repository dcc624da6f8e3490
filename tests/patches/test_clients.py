"""guard and unguard: the same object, another class, and back."""

from __future__ import annotations

import abc
import gc
import weakref
from typing import Any

import httpx
import openai
import pytest
import requests

import body_guard
from body_guard import Policy, Rule

from doors import Family, Wire, using

URL = "http://provider.test/"
AUDIT = Policy(mode="audit")
STRICT = Policy(rules=(Rule("strict", keys=("model",)),))


def mine(family: Family) -> Any:
    """Return a user's own client class."""
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


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (object(), "builtins.object"),
        (None, "builtins.NoneType"),
        ({}, "builtins.dict"),
        (httpx.HTTPTransport(), f"{httpx.__name__}.HTTPTransport"),
        (requests.Session(), "requests.sessions.Session"),
        (type("Made", (), {"__module__": "no.such.module"})(), "no.such.module.Made"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_no_client(value: Any, given: str) -> None:
    """One sentence says what was given, what is wanted, and what to write."""
    with pytest.raises(TypeError) as caught:
        body_guard.guard(value)
    assert str(caught.value) == (
        "guard() takes a client of httpx or httpx2 (Client, AsyncClient) or of openai, anthropic, "
        "groq, together, cerebras.cloud.sdk, writerai, "
        "perplexity, fireworks, mistralai, cohere, elevenlabs, deepgram or another SDK of that make, "
        f"not a {given}; write guard(httpx.Client())."
    )


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        (httpx.Client, f"{httpx.__name__}.Client; write guard({httpx.__name__}.Client())."),
        (
            httpx.AsyncClient,
            f"{httpx.__name__}.AsyncClient; write guard({httpx.__name__}.AsyncClient()).",
        ),
        (httpx.HTTPTransport, f"{httpx.__name__}.HTTPTransport; write guard(httpx.Client())."),
        (openai.OpenAI, "openai.OpenAI; write guard(openai.OpenAI())."),
        (dict, "builtins.dict; write guard(httpx.Client())."),
    ],
    ids=lambda v: v.__name__ if isinstance(v, type) else "",
)
def test_a_class_is_no_client(kind: Any, write: str) -> None:
    """Parentheses that were forgotten are asked for."""
    with pytest.raises(TypeError) as caught:
        body_guard.guard(kind)
    assert str(caught.value) == f"guard() takes a client, not the class {write}"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("sentry", "str; write Policy(presets('sentry')) or Policy.load('policy.toml')."),
        ([Rule("r", keys=("k",))], "list; write Policy(rules)."),
    ],
    ids=["str", "list"],
)
@pytest.mark.parametrize(
    "take",
    [
        lambda policy: body_guard.GuardedClient(policy=policy),
        lambda policy: body_guard.GuardedAsyncTransport(httpx.AsyncHTTPTransport(), policy=policy),
        lambda policy: body_guard.guard(httpx.Client(), policy),
        lambda policy: body_guard.guard(body_guard.GuardedClient(), policy),
        lambda policy: body_guard.guard(openai.OpenAI(api_key="k"), policy),
        body_guard.install,
    ],
    ids=["client", "transport", "guard", "guard again", "SDK", "install"],
)
def test_what_is_no_policy(take: Any, policy: Any, message: str) -> None:
    """Every door says the same of it."""
    with pytest.raises(TypeError) as caught:
        take(policy)
    assert str(caught.value) == f"policy takes a body_guard.Policy, not {message}"


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


# Nothing of ours is met under a name of the user's, and nothing of the user's hears of ours.


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_users_names_are_the_users(family: Family, is_async: bool, wire: Wire) -> None:
    """Names that were ours once, and a keyword of a constructor: each side meets its own."""
    names = ["_build", "_audit", "_library", "_is_librarys", "_guard", "_kind"]

    class Mine(family.client(is_async)):  # type: ignore[misc]
        _library = "theirs"

        def __init__(self, policy: str = "none", **options: Any) -> None:
            self.policy = policy
            super().__init__(**options)

        def _build(self) -> list[Any]:
            return [self._library, self._audit(), self._is_librarys(), self._guard(), self._kind()]

        def _audit(self) -> str:
            return "audit"

        def _is_librarys(self) -> str:
            return "is"

        def _guard(self) -> str:
            return "guard"

        def _kind(self) -> str:
            return "kind"

    client = body_guard.guard(Mine(transport=family.library.MockTransport(wire)))
    assert client._build() == ["theirs", "audit", "is", "guard", "kind"]
    assert all(vars(Mine).get(name) is not None for name in names)
    using(client, lambda c: c.post(URL, json={"_sentry_x": 1, "a": object()}))
    audit = body_guard.guard(Mine(transport=family.library.MockTransport(wire)), AUDIT)
    using(audit, lambda c: c.post(URL, json={"_sentry_x": 1}))
    again = type(client)(policy="mine")
    assert again.policy == "mine"
    assert wire.bodies == [b"{}", b'{"_sentry_x":1}']


@pytest.mark.parametrize("name", ["GuardedClient", "GuardedAsyncTransport", "Client", "OpenAI"])
def test_what_is_added_to_a_class_says_whose_it_is(family: Family, name: str) -> None:
    """Every attribute of ours that is not the library's own name begins with ``_body_guard_``."""
    if name == "Client":
        kind = type(body_guard.guard(family.library.Client()))
    elif name == "OpenAI":
        kind = type(body_guard.guard(openai.OpenAI(api_key="k")))
    else:
        kind = getattr(family.guarded, name)
    theirs = {"__init__", "__init_subclass__", "build_request", "send", "event_hooks"}
    theirs |= {"handle_async_request", "aclose", "__aenter__", "__aexit__"}
    theirs |= {"_prepare_options", "_build_request"}  # the SDK's
    every_class = {"__module__", "__doc__", "__dict__", "__weakref__", "__qualname__"}
    every_class |= {"__static_attributes__", "__firstlineno__", "__annotations__", "__parameters__"}
    every_class |= {"__abstractmethods__", "_abc_impl", "__orig_bases__", "__annotate_func__"}
    ours = [
        base for base in kind.__mro__ if base is kind or base.__module__.startswith("body_guard")
    ]
    added = {each for base in ours for each in vars(base)} - theirs - every_class
    assert {each for each in added if not each.startswith("_body_guard_")} == set()


@pytest.fixture(params=["http", "openai"])
def base(request: pytest.FixtureRequest, family: Family) -> Any:
    """Return a class that a user may derive from, and what its constructor needs."""
    if request.param == "openai":
        return openai.OpenAI, {"api_key": "k"}
    return family.library.Client, {}


def test_a_users_init_subclass_is_not_run(base: Any) -> None:
    """Not by guard(); it is by a class that somebody derives from a guarded one."""
    kind, options = base
    heard = []

    class Mine(kind):  # type: ignore[misc,valid-type]
        def __init_subclass__(cls, *, word: str, **options: Any) -> None:
            super().__init_subclass__(**options)
            heard.append((cls.__name__, word))

    client = body_guard.guard(Mine(**options))
    assert isinstance(client, Mine)
    assert heard == []

    class Further(type(client), word="w"):  # type: ignore[misc]
        pass

    assert heard == [("Further", "w")]
    assert isinstance(Further(**options), Mine)


def test_a_users_metaclass_is_not_run(base: Any) -> None:
    """The guarded class has the user's metaclass, which did not hear of it."""
    kind, options = base
    heard = []

    class Meta(type):
        def __new__(cls, name: str, *args: Any, **more: Any) -> Any:
            heard.append(f"new {name}")
            return super().__new__(cls, name, *args)

        def __init__(cls, name: str, *args: Any, **more: Any) -> None:
            heard.append(f"init {name}")
            super().__init__(name, *args)

        def __call__(cls, *args: Any, **more: Any) -> Any:
            heard.append(f"call {cls.__name__}")
            return super().__call__(*args, **more)

    class Mine(kind, metaclass=Meta):  # type: ignore[misc,valid-type]
        pass

    client = Mine(**options)
    del heard[:]
    body_guard.guard(client)
    assert heard == []
    assert type(type(client)) is Meta
    assert type(client) is not Mine
    assert isinstance(client, Mine)


def test_an_abstract_base(base: Any) -> None:
    """A guarded class of an abstract one has a registry of its own, not its base's."""
    kind, options = base

    class Mine(kind, abc.ABC):  # type: ignore[misc,valid-type]
        pass

    Mine.register(int)
    client = body_guard.guard(Mine(**options))
    assert isinstance(client, Mine)
    assert isinstance(1, Mine)
    assert not isinstance(1, type(client))
    assert isinstance(body_guard.unguard(client), Mine)
    assert type(client) is Mine


def test_a_users_setattr_is_not_asked(base: Any) -> None:
    """A client that lets nobody set attributes is guarded and given back."""
    kind, options = base

    class Frozen(kind):  # type: ignore[misc,valid-type]
        ready = False

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ready = True

        def __setattr__(self, name: str, value: Any) -> None:
            if self.ready:
                raise AttributeError(name)
            super().__setattr__(name, value)

    client = body_guard.guard(Frozen(**options))
    assert type(client) is not Frozen
    assert type(body_guard.unguard(client)) is Frozen
