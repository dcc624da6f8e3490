"""Errors say what and where, carry the report, and survive the ways errors travel."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import body_guard
from body_guard import Finding, Policy, Report, Sanitizer
from body_guard.core import errors

REPORT = Report((Finding("/a", "sentry", "reject", "builtins.int", "sentry-sdk"),), changed=True)

TREE = {
    "BodyGuardError": (Exception,),
    "PolicyError": (body_guard.BodyGuardError, ValueError),
    "GuardError": (body_guard.BodyGuardError,),
    "BodyError": (body_guard.BodyGuardError,),
    "BodyRejectedError": (body_guard.BodyError,),
    "SignedBodyError": (body_guard.BodyError,),
    "BodyLimitError": (body_guard.BodyError,),
}


@pytest.mark.parametrize(("name", "bases"), TREE.items(), ids=TREE)
def test_the_tree_is_the_documented_one(name: str, bases: tuple[type, ...]) -> None:
    """Each error stands where STYLE.md says it does."""
    error = getattr(errors, name)
    assert error.__bases__ == bases
    assert getattr(body_guard, name) is error


def test_the_tree_is_complete() -> None:
    """There is no error beside those documented."""
    assert sorted(errors.__all__) == sorted(TREE)


@pytest.mark.parametrize("name", TREE)
def test_no_error_is_one_that_retry_layers_retry(name: str) -> None:
    """None is an error of an HTTP library, of the operating system, or of a timeout."""
    retried = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, TimeoutError)
    assert not issubclass(getattr(errors, name), retried)


BODY_ERRORS: list[Any] = [
    errors.BodyError,
    errors.BodyRejectedError,
    errors.SignedBodyError,
    errors.BodyLimitError,
]
body_errors = pytest.mark.parametrize("kind", BODY_ERRORS, ids=lambda kind: kind.__name__)


@body_errors
def test_a_body_error_is_a_bad_request(kind: Any) -> None:
    """A status of 400 is what litellm answers once, without a retry or a cooldown."""
    assert kind.status_code == 400
    assert kind("message", REPORT).status_code == 400


@body_errors
def test_the_text_of_a_body_error_is_its_message(kind: Any) -> None:
    """str() is the message alone; the report is an attribute."""
    error = kind("The body was not sent.", REPORT)
    assert str(error) == "The body was not sent."
    assert error.report is REPORT


@body_errors
@pytest.mark.parametrize(
    "travel",
    [
        *(
            lambda error, protocol=protocol: pickle.loads(  # noqa: S301 - our own pickle
                pickle.dumps(error, protocol)
            )
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        copy.copy,
        copy.deepcopy,
    ],
    ids=[
        *(f"pickle-{protocol}" for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        "copy",
        "deepcopy",
    ],
)
def test_a_body_error_travels_whole(kind: Any, travel: Any) -> None:
    """Class, message and report arrive, as in a process pool or a retry layer that copies."""
    sent = kind("The body was not sent.", REPORT)
    sent.__notes__ = ["seen"]  # as add_note of 3.11 keeps them
    error = travel(sent)
    assert type(error) is kind
    assert error.__notes__ == ["seen"]
    assert error.args == ("The body was not sent.",)
    assert str(error) == "The body was not sent."
    assert error.report == REPORT
    assert error.status_code == 400


@pytest.mark.parametrize("name", ["BodyGuardError", "PolicyError", "GuardError"])
def test_other_errors_travel_too(name: str) -> None:
    """An error without a report is pickled and copied like any."""
    error = getattr(errors, name)("why")
    for other in (
        pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own pickle
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert (type(other), str(other)) == (type(error), "why")


def test_an_error_as_it_is_raised_travels() -> None:
    """The same for one that a sanitizer raised, traceback and all."""
    with pytest.raises(body_guard.BodyRejectedError) as caught:
        Sanitizer(Policy(unserializable="reject")).sanitize({"a": object()})
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own pickle
    assert error.report == Report(
        (Finding("/a", "unserializable", "reject", "builtins.object", "", ""),), True
    )
    assert str(error) == str(caught.value)


def reports_of_asyncio(error: BaseException) -> str:
    """Return what asyncio says of a task that nobody awaited, as its default handler logs it."""
    said: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(logging.Formatter().format(record))

    async def fail() -> None:
        raise error

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert task.done()
        del task

    logger, handler = logging.getLogger("asyncio"), Keeping()
    logger.addHandler(handler)
    try:
        asyncio.run(main())
    finally:
        logger.removeHandler(handler)
    return "".join(said)


def logged(error: BaseException) -> str:
    record = logging.LogRecord(
        "app",
        logging.ERROR,
        "app.py",
        1,
        "failed: %s %r",
        (error, error),
        (type(error), error, None),
    )
    return logging.Formatter().format(record)


SHOWING: dict[str, Callable[[Any], str]] = {
    "str": str,
    "repr": repr,
    "args": lambda error: repr(error.args),
    "message": lambda error: error.message,
    "format": lambda error: f"{error} {error!r} {error!s:>10}",
    "traceback": lambda error: "".join(traceback.format_exception(error)),
    "logging": logged,
    "asyncio": reports_of_asyncio,
    "pickled": lambda error: repr(
        pickle.loads(pickle.dumps(error)).args  # noqa: S301 - our own pickle
    ),
    "copied": lambda error: repr(copy.copy(error)),
}

#: A key that is data; not in a line that a traceback quotes.
USER = "alice@example.com"
REFUSING: dict[str, tuple[Callable[[], object], str]] = {
    "rejected": (
        lambda: Sanitizer(Policy(unserializable="reject")).encode({"users": {USER: {"a": 1j}}}),
        f"/users/{USER}/a",
    ),
    "bytes": (
        lambda: Sanitizer(
            Policy((body_guard.Rule("no", keys=(USER,), action="reject"),))
        ).sanitize_bytes(f'{{"users": {{"{USER}": 1}}}}'.encode(), "application/json"),
        f"/users/{USER}",
    ),
    "limit": (lambda: Sanitizer().encode(deep()), f"/users/{USER}" + "/0" * 3000),
}


def deep() -> object:
    value: object = 1
    for _ in range(3001):
        value = [value]
    return {"users": {USER: value}}


@pytest.mark.parametrize("show", SHOWING.values(), ids=SHOWING)
@pytest.mark.parametrize(("refuse", "path"), REFUSING.values(), ids=REFUSING)
def test_an_error_shows_no_key_that_may_be_data(
    refuse: Callable[[], object], path: str, show: Callable[[Any], str]
) -> None:
    """Wherever an error is shown, its paths are as in the log; only its report has the whole."""
    with pytest.raises(body_guard.BodyError) as caught:
        refuse()
    text = show(caught.value)
    assert "alice" not in text
    assert "/users/<17 characters, ff8d9819>" in text
    assert [found.path for found in caught.value.report.findings] == [path]
