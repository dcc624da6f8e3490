"""What of litellm is hooked: a table, a row per name."""

from __future__ import annotations

import inspect
import sys
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import JSON_DUMPS, Style
from body_guard.core.errors import BodyError
from body_guard.http.auditing import note_errors
from body_guard.integrations import _litellm_rust, openai
from body_guard.integrations._litellm_bodies import guard_for, host_of_frame, host_of_url
from body_guard.integrations.encoding import Encoder, encode_body
from body_guard.integrations.stainless import text_of
from body_guard.integrations.values import prepare_value
from body_guard.patches.patch import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.http.request_guard import Guard
    from body_guard.integrations._litellm_clients import ClientNet
    from body_guard.integrations.values import Locate
    from body_guard.patches.patch import Current, Wrap

    Watch = Callable[[Any], None]
    Sanitize = Callable[[Guard, Any, Locate], Any]

__all__ = ["BODY_MODULES", "hooks"]

#: Modules whose ``json.dumps`` makes bodies. Those that make log records, cache keys, database rows
#: and answers to the proxy's own callers are not among them.
BODY_MODULES: Final = ("litellm.llms.", "litellm.rag.", "litellm.a2a_protocol.")

_AIOHTTP: Final = "litellm.llms.custom_httpx.aiohttp_handler:BaseLLMAIOHTTPHandler"

#: The options of `json.dumps` that say how to write, or what the guard decides in their place.
_STYLING: Final = frozenset({"allow_nan", "default", "ensure_ascii", "indent", "separators"})

#: How many errors are searched for a refusal, each the cause or context of the one before.
_CHAIN: Final = 20

#: What a provider's code raises in place of an unknown error, often with status 500.
_ERRORS: Final = (
    "litellm.llms.base_llm.chat.transformation:BaseLLMException",
    "litellm.llms.openai_like.common_utils:OpenAILikeError",
)

#: What the methods call the address that they send to.
_TARGETS: Final = ("url", "api_base")

#: The methods of litellm's HTTP handlers that take a body.
_METHODS: Final = (
    (
        "litellm.llms.custom_httpx.http_handler:HTTPHandler",
        ("post", "put", "patch", "delete"),
    ),
    (
        "litellm.llms.custom_httpx.http_handler:AsyncHTTPHandler",
        ("post", "put", "patch", "delete", "single_connection_post_request"),
    ),
)


def _dumps(original: Callable[..., str], current: Current) -> Callable[..., str]:
    """Guard ``json.dumps`` for callers in `BODY_MODULES`; pass all others through."""
    caller = sys._getframe

    @wraps(original)
    def dumps(obj: Any, **options: Any) -> str:
        __tracebackhide__ = True
        frame = caller(1)
        try:
            makes_bodies = frame.f_globals["__name__"].startswith(BODY_MODULES)
        except Exception:  # code run with globals of its own
            makes_bodies = False
        guard = current() if makes_bodies else None
        if guard is None:
            return original(obj, **options)
        locate = partial(host_of_frame, frame)
        guard = guard_for(guard.at(locate), obj)
        encoder = Encoder(partial(original, **options), _style_of(options), _convert_of(options))
        text = encode_body(guard, encoder, obj, locate)
        return text if isinstance(text, str) else text.decode()

    return dumps


def _style_of(options: dict[str, Any]) -> Style | None:
    """Return how `json.dumps` writes with these options; None where it does more than write."""
    if not options:
        return JSON_DUMPS
    if not options.keys() <= _STYLING or options.get("indent") is not None:
        return None
    item, key = options.get("separators") or JSON_DUMPS[1:]
    return Style(bool(options.get("ensure_ascii", True)), item, key)


def _convert_of(options: dict[str, Any]) -> Callable[[Any], object] | None:
    """Return what this call's encoder makes of values that JSON does not know."""
    if options.get("cls") is None:
        return options.get("default")
    encoder = options["cls"](**{name: options[name] for name in options if name != "cls"})
    convert: Callable[[Any], object] = encoder.default
    return convert


def _arguments(watch: Watch, **sanitizers: Sanitize) -> Wrap:
    """Return a wrap that sanitizes arguments of a handler's method, by name."""

    def wrap(original: Any, current: Current) -> Any:
        signature = inspect.signature(original)
        target = next(name for name in signature.parameters if name in _TARGETS)

        def sanitize(args: Any, options: Any) -> tuple[Any, Any, list[Any]]:
            """Return the arguments as they may leave, and the bodies that an audit leaves."""
            __tracebackhide__ = True
            left: list[Any] = []
            guard = current()
            if guard is None:
                return args, options, left
            watch(args[0])
            call = signature.bind(*args, **options)
            given = call.arguments
            locate = partial(host_of_url, given[target])
            guard = guard.at(locate)
            for name, sanitizer in sanitizers.items():
                if given.get(name) is not None:
                    value = given[name] = sanitizer(guard, given[name], locate)
                    if guard.policy.mode == "audit" and issubclass(type(value), (dict, list)):
                        left.append(value)
            return call.args, call.kwargs, left

        if inspect.iscoroutinefunction(original):

            @wraps(original)
            async def method(*args: Any, **options: Any) -> Any:
                __tracebackhide__ = True
                args, options, left = sanitize(args, options)
                with note_errors(left):
                    return await original(*args, **options)

        else:

            @wraps(original)
            def method(*args: Any, **options: Any) -> Any:
                __tracebackhide__ = True
                args, options, left = sanitize(args, options)
                with note_errors(left):
                    return original(*args, **options)

        return method

    return wrap


def _sanitize_last(guard: Guard, value: Any, locate: Locate) -> Any:
    """Sanitize a body whose bytes no other guard will see."""
    __tracebackhide__ = True
    return prepare_value(guard, value, locate, last=True)


def _sanitize_form(guard: Guard, value: Any, locate: Locate) -> Any:
    """Sanitize the fields of a form, which httpx writes as text, whatever they are; bytes stay."""
    __tracebackhide__ = True
    if not issubclass(type(value), dict):
        return value
    raw = {name: field for name, field in value.items() if type(field) is bytes}
    rest = {name: field for name, field in value.items() if name not in raw} if raw else value
    sanitized = prepare_value(guard, rest, locate, text_of)
    if sanitized is rest:
        return value
    return {**sanitized, **raw}  # type: ignore[dict-item]


def _watch_made(watch: Watch) -> Wrap:
    """Return a wrap that watches the client that a function returns, or a constructor makes."""

    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        def make(*args: Any, **options: Any) -> Any:
            made = original(*args, **options)
            if current() is not None:
                watch(args[0] if made is None and args else made)
            return made

        return make

    return wrap


def _watch_or_adopt(net: ClientNet) -> Watch:
    """Watch the clients that litellm makes for an SDK, adopt those that the user made for it."""

    def watch(client: Any) -> None:
        litellm = sys.modules["litellm"]
        session = "aclient_session" if hasattr(client, "aclose") else "client_session"
        if client is vars(litellm).get(session):
            net.adopt(client)
        else:
            net.watch(client)

    return watch


def _refusal(error: BaseException | None, message: str) -> BodyError | None:
    """Return the refusal that an error of litellm's was made of, if its message says so.

    An error may also come after a refusal, as those of a Router's fallback do, and have nothing to
    do with it.
    """
    for _ in range(_CHAIN):
        if isinstance(error, BodyError):
            return error if str(error) in message else None
        error = error and (error.__cause__ or error.__context__)
    return None


def _keep_status(original: Any, current: Current) -> Any:
    """Keep the status of a refusal in the error that a provider's code makes of it."""
    signature = inspect.signature(original)

    @wraps(original)
    def __init__(*args: Any, **options: Any) -> None:  # noqa: N807
        given = signature.bind(*args, **options)
        message = str(given.arguments["message"])
        refusal = _refusal(sys.exc_info()[1], message) if current() is not None else None
        if refusal is not None:
            given.arguments["status_code"] = refusal.status_code
        original(*given.args, **given.kwargs)

    return __init__


def _try_once(original: Any, current: Current) -> Any:  # pragma: no cover - runs in the cells
    """Raise a refusal out of a Router, since some releases try any 400 again."""

    @wraps(original)
    def should_retry_this_error(self: Any, error: Exception, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True  # the deployments, and their keys, are among the arguments
        if current() is not None and _refusal(error, str(error)) is not None:
            raise error
        return original(self, error, *args, **options)

    return should_retry_this_error


def hooks(net: ClientNet) -> tuple[Hook, ...]:
    """Return the table of hooks; the net watches the clients that are seen there."""
    posts = _arguments(net.watch, json=prepare_value, data=_sanitize_form)
    made = _watch_made(net.watch)
    rows: tuple[tuple[str, tuple[str, ...], Wrap, str], ...] = (
        *(
            (owner, names, posts, "json= and the fields of forms, as objects")
            for owner, names in _METHODS
        ),
        *(
            (owner, ("create_client", "__init__"), made, "its clients' requests, as bytes")
            for owner, _ in _METHODS
        ),
        (
            "litellm.llms.openai.common_utils:BaseOpenAILLM",
            ("_get_sync_http_client", "_get_async_http_client"),
            _watch_made(_watch_or_adopt(net)),
            "requests of the SDK's clients, as bytes",
        ),
        (
            _AIOHTTP,
            ("_make_common_async_call",),
            _arguments(lambda _: None, data=_sanitize_last),
            "aiohttp_openai's bodies, as objects",
        ),
        *_litellm_rust.rows(),
        (
            "litellm.llms.bedrock.audio_transcription:BedrockAudioTranscriptionRustDispatch",
            ("audio_transcriptions", "async_audio_transcriptions"),
            _arguments(lambda _: None, optional_params=_litellm_rust.sanitize_parameters),
            "parameters of the Rust engine's transcriptions, as objects",
        ),
        *((error, ("__init__",), _keep_status, "refusals, which stay 400s") for error in _ERRORS),
        (
            "litellm.router:Router",
            ("should_retry_this_error",),
            _try_once,
            "refusals, which are tried once",
        ),
    )
    return (
        Hook("json", "dumps", _dumps, "bodies of litellm's providers, as objects, before SigV4"),
        *openai.HOOKS,
        *(Hook(owner, name, wrap, sees) for owner, names, wrap, sees in rows for name in names),
    )
