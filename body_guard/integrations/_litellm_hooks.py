"""What of litellm is hooked: a table, a row per name."""

from __future__ import annotations

import inspect
import sys
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import JSON_DUMPS, Style
from body_guard.core.errors import BodyError
from body_guard.http.auditing import note_errors
from body_guard.http.request_guard import Guard
from body_guard.integrations import _litellm_rust, openai
from body_guard.integrations._litellm_hosts import host_of_frame, host_of_url
from body_guard.integrations._parts import policy_for
from body_guard.integrations.encoding import Encoder, encode_body
from body_guard.integrations.stainless import text_of
from body_guard.integrations.values import prepare_value
from body_guard.patches.patch import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.integrations._litellm_clients import ClientNet
    from body_guard.integrations.values import Locate
    from body_guard.patches.patch import Current

__all__ = ["BODY_MODULES", "hooks"]

#: Modules whose ``json.dumps`` makes bodies. Those that make log records, cache keys, database rows
#: and answers to the proxy's own callers are not among them: what json does there is theirs.
BODY_MODULES: Final = ("litellm.llms.", "litellm.rag.", "litellm.a2a_protocol.")

_HANDLERS: Final = "litellm.llms.custom_httpx.http_handler"
_GETTERS: Final = "litellm.llms.openai.common_utils:BaseOpenAILLM"
_TRANSCRIPTION: Final = (
    "litellm.llms.bedrock.audio_transcription:BedrockAudioTranscriptionRustDispatch"
)
_AIOHTTP: Final = "litellm.llms.custom_httpx.aiohttp_handler:BaseLLMAIOHTTPHandler"

#: The options of `json.dumps` that say how to write, or what the walk decides in their place.
_STYLING: Final = frozenset({"allow_nan", "default", "ensure_ascii", "indent", "separators"})

#: How many errors are looked at for a refusal, each raised over the next.
_CHAIN: Final = 20

#: What a provider's code raises in place of an error that it does not know: often with status 500.
_ERRORS: Final = (
    "litellm.llms.base_llm.chat.transformation:BaseLLMException",
    "litellm.llms.openai_like.common_utils:OpenAILikeError",
)

#: What the methods call the address that they send to.
_TARGETS: Final = ("url", "api_base")

_METHODS: Final = {
    "HTTPHandler": ("post", "put", "patch", "delete"),
    "AsyncHTTPHandler": ("post", "put", "patch", "delete", "single_connection_post_request"),
}


def _dumps(original: Callable[..., str], current: Current) -> Callable[..., str]:
    """Guard ``json.dumps`` for callers in `BODY_MODULES`; of all others, get out of the way."""
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
        if guard.policy.hosts:
            guard = guard.at(locate())
        policy = policy_for(guard.policy, obj)
        if policy is not guard.policy:
            guard = Guard(guard.library, policy)
        encoder = Encoder(partial(original, **options), _style(options), _own(options))
        text = encode_body(guard, encoder, obj, locate)
        return text if isinstance(text, str) else text.decode()

    return dumps


def _style(options: dict[str, Any]) -> Style | None:
    """Return how `json.dumps` writes with these options; None where it does more than write."""
    if not options:
        return JSON_DUMPS
    if not options.keys() <= _STYLING or options.get("indent") is not None:
        return None
    item, key = options.get("separators") or JSON_DUMPS[1:]
    return Style(bool(options.get("ensure_ascii", True)), item, key)


def _own(options: dict[str, Any]) -> Callable[[Any], object] | None:
    """Return what the encoder of this very call makes of a value that JSON does not know."""
    if options.get("cls") is None:
        return options.get("default")
    encoder = options["cls"](**{name: options[name] for name in options if name != "cls"})
    convert: Callable[[Any], object] = encoder.default
    return convert


def _arguments(
    watch: Callable[[Any], None], **cleaners: Callable[[Guard, Any, Locate], Any]
) -> Any:
    """Return a wrap that cleans arguments of a handler's method, by name, wherever they stand."""

    def wrap(original: Any, current: Current) -> Any:
        names = list(inspect.signature(original).parameters)
        places = [(name, names.index(name), clean) for name, clean in cleaners.items()]
        target = next(name for name in names if name in _TARGETS)

        def cleaned(
            args: tuple[Any, ...], options: dict[str, Any]
        ) -> tuple[tuple[Any, ...], list[Any]]:
            """Return the arguments as they may leave, and the bodies that an audit leaves."""
            __tracebackhide__ = True
            left: list[Any] = []
            guard = current()
            if guard is None:
                return args, left
            watch(args[0])
            url = options[target] if target in options else args[names.index(target)]
            locate = partial(host_of_url, url)
            if guard.policy.hosts:
                guard = guard.at(locate())
            for name, place, clean in places:
                if name in options:
                    value = options[name] = clean(guard, options[name], locate)
                elif place < len(args):
                    value = clean(guard, args[place], locate)
                    args = (*args[:place], value, *args[place + 1 :])
                else:
                    continue
                if guard.policy.mode == "audit" and issubclass(type(value), (dict, list)):
                    left.append(value)
            return args, left

        if inspect.iscoroutinefunction(original):

            @wraps(original)
            async def method(*args: Any, **options: Any) -> Any:
                __tracebackhide__ = True
                args, left = cleaned(args, options)
                with note_errors(left):
                    return await original(*args, **options)

        else:

            @wraps(original)
            def method(*args: Any, **options: Any) -> Any:
                __tracebackhide__ = True
                args, left = cleaned(args, options)
                with note_errors(left):
                    return original(*args, **options)

        return method

    return wrap


def _json(guard: Guard, value: Any, locate: Locate) -> Any:
    __tracebackhide__ = True
    return value if value is None else prepare_value(guard, value, locate)


def _last(guard: Guard, value: Any, locate: Locate) -> Any:
    """Clean a body whose bytes no other door will see."""
    __tracebackhide__ = True
    return prepare_value(guard, value, locate, last=True)


def _form(guard: Guard, value: Any, locate: Locate) -> Any:
    """Clean the fields of a form, which httpx writes as text, whatever they are; bytes stay."""
    __tracebackhide__ = True
    if not issubclass(type(value), dict):
        return value
    raw = {name: field for name, field in value.items() if type(field) is bytes}
    if not raw:
        return prepare_value(guard, value, locate, text_of)
    rest = {name: field for name, field in value.items() if name not in raw}
    cleaned = prepare_value(guard, rest, locate, text_of)
    return value if cleaned is rest else {**cleaned, **raw}  # type: ignore[dict-item]


def _made(watch: Callable[[Any], None]) -> Any:
    """Return a wrap that watches the client a function gives."""

    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        def create_client(*args: Any, **options: Any) -> Any:
            client = original(*args, **options)
            if current() is not None:
                watch(client)
            return client

        return create_client

    return wrap


def _constructed(watch: Callable[[Any], None]) -> Any:
    """Return a wrap that watches the client of a handler just made."""

    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
            original(self, *args, **options)
            if current() is not None:
                watch(self)

        return __init__

    return wrap


def _given(net: ClientNet) -> Callable[[Any], None]:
    """Watch the clients that litellm makes for an SDK, adopt those that the user made for it."""

    def watch(client: Any) -> None:
        litellm = sys.modules["litellm"]
        session = "aclient_session" if hasattr(client, "aclose") else "client_session"
        if client is vars(litellm).get(session):
            net.adopt(client)
        else:
            net.watch(client)

    return watch


def _refusal(error: BaseException | None, told: str) -> BodyError | None:
    """Return the refusal that an error of litellm's tells of, whatever stands between the two.

    An error may also come after a refusal, as those of a Router's fallback do, and tell nothing of
    it.
    """
    for _ in range(_CHAIN):
        if isinstance(error, BodyError):
            return error if str(error) in told else None
        error = error and (error.__cause__ or error.__context__)
    return None


def _with_status(original: Any, current: Current) -> Any:
    """Have an error that a provider's code makes of a refusal keep the refusal's status."""
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


def _tried_once(original: Any, current: Current) -> Any:  # pragma: no cover - runs in the cells
    """Have a Router raise a refusal, since there are releases that try any 400 again."""

    @wraps(original)
    def should_retry_this_error(self: Any, error: Exception, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True  # the deployments, and their keys, are among the arguments
        if current() is not None and _refusal(error, str(error)) is not None:
            raise error
        return original(self, error, *args, **options)

    return should_retry_this_error


def hooks(net: ClientNet) -> tuple[Hook, ...]:
    """Return the table.

    Args:
        net: Watches the clients that come by.
    """
    return (
        Hook("json", "dumps", _dumps, "bodies of litellm's providers, as objects, before SigV4"),
        *openai.HOOKS,
        *(
            Hook(
                f"{_HANDLERS}:{kind}",
                name,
                _arguments(net.watch, json=_json, data=_form),
                "json= and the fields of forms, as objects",
            )
            for kind, names in _METHODS.items()
            for name in names
        ),
        *(
            Hook(f"{_HANDLERS}:{kind}", name, wrap(net.watch), "its clients' requests, as bytes")
            for kind in _METHODS
            for name, wrap in (("create_client", _made), ("__init__", _constructed))
        ),
        *(
            Hook(_GETTERS, name, _made(_given(net)), "requests of the SDK's clients, as bytes")
            for name in ("_get_sync_http_client", "_get_async_http_client")
        ),
        Hook(
            _AIOHTTP,
            "_make_common_async_call",
            _arguments(lambda _: None, data=_last),
            "aiohttp_openai's bodies, as objects",
        ),
        *_litellm_rust.hooks(),
        *(
            Hook(
                _TRANSCRIPTION,
                name,
                _arguments(lambda _: None, optional_params=_litellm_rust.spoken),
                "parameters of the Rust engine's transcriptions, as objects",
            )
            for name in ("audio_transcriptions", "async_audio_transcriptions")
        ),
        *(Hook(error, "__init__", _with_status, "refusals, which stay 400s") for error in _ERRORS),
        Hook(
            "litellm.router:Router",
            "should_retry_this_error",
            _tried_once,
            "refusals, which are tried once",
        ),
    )
