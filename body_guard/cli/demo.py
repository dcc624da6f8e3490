"""The stories of ``body-guard demo``: the same call, plain and guarded, to one provider."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import httpx
import sentry_sdk
from rich.console import Console
from sentry_sdk.transport import Transport

from body_guard import BodyGuardError, GuardedClient, collect, report_of
from body_guard.cli.extras import keep_litellm_offline
from body_guard.cli.provider import provider
from body_guard.cli.story import Call, Claim, Story, Telling, show
from body_guard.integrations import litellm as integration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from body_guard import Finding

__all__ = ["STORIES", "run"]

_CHAT: Final = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hi"}],
}
#: In this order: litellm imports openai, and each is named while it is imported.
_LITELLM: Final = ("openai", "litellm")
_TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"


def run(*, verbose: bool = False) -> int:
    """Show every story, with ``verbose`` all claims; return 0 if every claim held, else 1."""
    console = Console(markup=False, emoji=False, highlight=False)
    held = 0
    failed: list[str] = []
    for number, story in enumerate(STORIES, 1):
        console.print(f"{number}. {story.title}", style="bold")
        console.print(story.about, end="\n\n")
        with _collect_log() as lines:
            telling = _run(console, story)
        show(console, telling, lines, verbose=verbose)
        held += sum(claim.held for claim in telling.claims)
        failed += [f"{number}. {claim.text}" for claim in telling.claims if not claim.held]
    if failed:
        console.print("What failed:", *failed, sep="\n")
        return 1
    console.print(f"All {held} claims held{'' if verbose else '; --verbose shows them'}.")
    return 0


def _run(console: Console, story: Story) -> Telling:
    """Import what a story needs and run it; on a terminal, a spinner says what takes the time."""
    for name in story.imports:
        if name not in sys.modules:
            keep_litellm_offline()
            with console.status(f"Importing {name} {version(name)}"):
                import_module(name)
    with console.status("Sending the body, plain and guarded"):
        return story.run()


def _crash() -> Telling:
    """Post a chat whose metadata holds a live span."""
    with _live_span() as (span, envelopes):
        metadata = {"user_id": "u-17", "_sentry_span": span}
        plain = _post(httpx.Client, {**_CHAT, "metadata": metadata})
        guarded = _post(GuardedClient, {**_CHAT, "metadata": metadata})
    claims = (
        Claim("Plain, the call ends in a TypeError.", plain.error.startswith("TypeError: ")),
        *_span_claims(plain, guarded, span, metadata, envelopes),
    )
    return Telling(plain, guarded, claims)


def _one_call() -> Telling:
    """Complete a chat with a live span in its metadata by litellm, before and after `install`."""
    with _live_span() as (span, envelopes):
        metadata = {"user_id": "u-17", "_sentry_span": span}
        plain = _complete_directly("litellm as it is", metadata)
        integration.install()
        try:
            guarded = _complete_directly("litellm after install()", metadata)
        finally:
            integration.uninstall()
    claims = (
        Claim(
            "Plain, the call ends in an error of litellm's: not JSON serializable.",
            plain.error.startswith("InternalServerError: ")
            and plain.error.endswith(" is not JSON serializable"),
        ),
        *_span_claims(plain, guarded, span, metadata, envelopes),
    )
    return Telling(plain, guarded, claims)


def _leak() -> Telling:
    """Send a string under a key of Sentry's by litellm."""
    plain = _complete_over_session(httpx.Client)
    guarded = _complete_over_session(GuardedClient)
    member = f'"_sentry_trace":"{_TRACE}",'.encode()
    claims = (
        Claim(
            "Plain, the key arrives, with its value.",
            [member in body for body in plain.bodies] == [True],
        ),
        _clean_claim(guarded),
        Claim(
            "Guarded, all the rest arrives, byte for byte.",
            guarded.bodies == tuple(body.replace(member, b"") for body in plain.bodies),
        ),
        _report_claim(guarded, "/metadata/_sentry_trace", "builtins.str"),
    )
    return Telling(plain, guarded, claims)


#: In the order they are shown.
STORIES: Final = (
    Story(
        "A live span in the metadata: the request never leaves",
        "Up to release 2.63, sentry_sdk's LiteLLM integration keeps its span in the metadata of "
        "a call. A body that holds a span cannot be written as JSON.",
        _crash,
    ),
    Story(
        "A live span on its way through litellm: one call to install()",
        "litellm writes bodies as JSON before a client sees them, so that a guarded client comes "
        "too late. body_guard.integrations.litellm.install() cleans them before they are written.",
        _one_call,
        _LITELLM,
    ),
    Story(
        "A string under a key of Sentry's: it leaves, and nobody notices",
        "A guarded litellm.client_session covers what goes through the OpenAI SDK alone.",
        _leak,
        _LITELLM,
    ),
)


@contextmanager
def _live_span() -> Iterator[tuple[Any, list[Any]]]:
    """Start Sentry and a span; yield the span, and the list that gets the envelopes at the end."""
    with (
        _sentry() as envelopes,
        sentry_sdk.start_transaction(name="demo"),
        sentry_sdk.start_span(op="gen_ai.chat", name="chat gpt-4o-mini") as span,
    ):
        yield span, envelopes


def _span_claims(
    plain: Call, guarded: Call, span: Any, metadata: dict[str, object], envelopes: list[Any]
) -> tuple[Claim, ...]:
    """Return the claims about a chat with a span in its metadata, by any client."""
    kind = f"{type(span).__module__}.{type(span).__qualname__}"
    return (
        Claim("Plain, nothing arrives.", not plain.bodies),
        _clean_claim(guarded),
        Claim(
            "Guarded, every other member arrives as it was.",
            guarded.values == [{**_CHAT, "metadata": {"user_id": "u-17"}}],
        ),
        _report_claim(guarded, "/metadata/_sentry_span", kind),
        Claim(
            "The caller's metadata still holds the span.",
            metadata == {"user_id": "u-17", "_sentry_span": span},
        ),
        Claim(
            "Sentry gets the span.",
            any(span.span_id.encode() in envelope.serialize() for envelope in envelopes),
        ),
    )


def _clean_claim(call: Call) -> Claim:
    clean = [b"_sentry_" not in body for body in call.bodies] == [True]
    return Claim("Guarded, one body arrives, without a _sentry_ key.", clean)


def _report_claim(call: Call, path: str, kind: str) -> Claim:
    places = [(found.path, found.type) for found in call.findings]
    return Claim("Guarded, the report names the place and the type.", places == [(path, kind)])


def _post(client_class: type[httpx.Client], body: dict[str, object]) -> Call:
    """Post a body with a client of a class."""

    def send(url: str) -> Iterable[Finding]:
        with client_class(trust_env=False, timeout=10) as client:
            response = client.post(f"{url}/v1/chat/completions", json=body)
        report = report_of(response)
        return report.findings if report else ()

    return _call(_name(client_class), send, BodyGuardError)


def _complete_directly(name: str, metadata: dict[str, object]) -> Call:
    """Complete a chat by litellm without the OpenAI SDK, as it does for most providers."""
    litellm = _litellm()
    handler = import_module("litellm.llms.custom_httpx.http_handler").HTTPHandler

    def send(url: str) -> Iterable[Finding]:
        with (
            httpx.Client(trust_env=False, timeout=10) as client,
            _settings(litellm, suppress_debug_info=True),
        ):
            return _complete(
                litellm, f"deepseek/{_CHAT['model']}", url, metadata, handler(client=client)
            )

    return _call(name, send, _openai_error())


def _complete_over_session(client_class: type[httpx.Client]) -> Call:
    """Complete a chat by litellm with the OpenAI SDK, over a session of a class."""
    litellm = _litellm()
    metadata: dict[str, object] = {"_sentry_trace": _TRACE, "user_id": "u-17"}

    def send(url: str) -> Iterable[Finding]:
        with (
            client_class(trust_env=False, timeout=10, follow_redirects=True) as session,
            _settings(litellm, suppress_debug_info=True, client_session=session),
        ):
            return _complete(litellm, f"openai/{_CHAT['model']}", url, metadata)

    return _call(_name(client_class), send, _openai_error())


def _complete(
    litellm: Any, model: str, url: str, metadata: dict[str, object], client: Any = None
) -> list[Finding]:
    """Return what was found in a chat that litellm completes."""
    with collect() as reports:
        litellm.completion(
            model=model,
            messages=_CHAT["messages"],
            api_base=url,
            api_key="sk-demo",
            client=client,
            extra_body={"metadata": metadata},
        )
    return [found for report in reports for found in report.findings]


def _call(name: str, send: Callable[[str], Iterable[Finding]], failure: type[Exception]) -> Call:
    """Return what came of a call to a provider of its own."""
    with provider() as server:
        try:
            findings, error = tuple(send(server.url)), ""
        except (TypeError, failure) as raised:
            findings, error = (), f"{type(raised).__name__}: {raised}"
    return Call(name, error, tuple(received.body for received in server.received), findings)


def _name(client_class: type[httpx.Client]) -> str:
    return f"{client_class.__module__.partition('.')[0]}.{client_class.__name__}"


def _openai_error() -> type[Exception]:
    """Return the class that litellm's own errors have as their base, too."""
    error: type[Exception] = import_module("openai").OpenAIError
    return error


def _litellm() -> Any:
    keep_litellm_offline()
    return import_module("litellm")


@contextmanager
def _settings(litellm: Any, **settings: object) -> Iterator[None]:
    """Set some of litellm's settings for the time of a block."""
    before = {name: getattr(litellm, name) for name in settings}
    _configure(litellm, settings)
    try:
        yield
    finally:
        _configure(litellm, before)


def _configure(litellm: Any, settings: dict[str, object]) -> None:
    # litellm keeps the SDK's clients, and does not ask whether their session is still the same.
    litellm.in_memory_llm_clients_cache.flush_cache()
    for name, value in settings.items():
        setattr(litellm, name, value)


@contextmanager
def _sentry() -> Iterator[list[Any]]:
    """Start Sentry for a while; yield the list that gets the envelopes, since no server does."""
    envelopes: list[Any] = []

    class Kept(Transport):  # type: ignore[misc]  # mypy skips sentry_sdk
        def capture_envelope(self, envelope: Any) -> None:
            envelopes.append(envelope)

    scope = sentry_sdk.get_global_scope()
    before = scope.client
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Kept,
        traces_sample_rate=1.0,
        default_integrations=False,  # they patch the process, the demo leaves it as it was
        release="demo",  # else it runs git to find one
        spotlight=False,
    )
    try:
        yield envelopes
    finally:
        sentry_sdk.get_client().close()
        scope.set_client(before)


@contextmanager
def _collect_log() -> Iterator[list[str]]:
    """Collect the lines that body_guard logs, as a console shows them in production."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = logging.getLogger("body_guard"), Lines(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
