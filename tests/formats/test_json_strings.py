"""JSON text in the strings of OpenAI's and Anthropic's bodies, where a policy looks into it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from body_guard import BodyRejectedError, Policy, Rule, Sanitizer, presets

LOOKS = Sanitizer(Policy(look_into=("json-strings",)))
DIRTY = '{"city": "K\\u00f6ln", "_sentry_x": 1}'
CLEAN = '{"city": "Köln"}'.replace("Köln", "K\\u00f6ln")


def encode(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def call(text: str) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": "f", "arguments": text}}


#: A body with the text in its place, and the path of that place.
PLACES = {
    "OpenAI arguments": (
        lambda text: {"messages": [{"role": "assistant", "tool_calls": [call(text)]}]},
        "/messages/0/tool_calls/0/function/arguments",
    ),
    "OpenAI function call": (
        lambda text: {"messages": [{"role": "assistant", "function_call": {"arguments": text}}]},
        "/messages/0/function_call/arguments",
    ),
    "OpenAI tool result": (
        lambda text: {"messages": [{"role": "tool", "content": text}]},
        "/messages/0/content",
    ),
    "OpenAI tool result, parts": (
        lambda text: {"messages": [{"role": "tool", "content": [{"type": "text", "text": text}]}]},
        "/messages/0/content/0/text",
    ),
    "Anthropic tool result": (
        lambda text: {
            "messages": [{"role": "user", "content": [{"type": "tool_result", "content": text}]}]
        },
        "/messages/0/content/0/content",
    ),
    "Anthropic tool result, blocks": (
        lambda text: {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "content": [{"type": "text", "text": text}]}
                    ],
                }
            ]
        },
        "/messages/0/content/0/content/0/text",
    ),
    "Responses arguments": (
        lambda text: {"input": [{"type": "function_call", "arguments": text}]},
        "/input/0/arguments",
    ),
    "Responses output": (
        lambda text: {"input": [{"type": "function_call_output", "output": text}]},
        "/input/0/output",
    ),
}

#: Where a string is text, though it may quote JSON.
TEXTS = {
    "a prompt": lambda text: {"messages": [{"role": "user", "content": text}]},
    "a text block": lambda text: {
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]
    },
    "the prompt of Responses": lambda text: {"input": text},
    "a message of Responses": lambda text: {"input": [{"role": "user", "content": text}]},
    "a member of another name": lambda text: {"arguments": text, "metadata": {"arguments": text}},
}


@pytest.mark.parametrize(("make", "path"), PLACES.values(), ids=PLACES)
def test_the_text_is_cut_in_its_place(make: Any, path: str) -> None:
    """By value, by encoding and by bytes alike; the path goes on inside the string."""
    body = make(DIRTY)
    before = deepcopy(body)
    value, report = LOOKS.sanitize(body)
    assert value == make(CLEAN)
    assert [(f.path, f.rule, f.action) for f in report.findings] == [
        (f"{path}/_sentry_x", "sentry", "remove")
    ]
    assert report.changed
    assert LOOKS.encode(body) == (encode(make(CLEAN)), report)
    assert LOOKS.sanitize_bytes(encode(body)) == (encode(make(CLEAN)), report)
    assert LOOKS.prepare(body)[0] == make(CLEAN)
    assert body == before


@pytest.mark.parametrize("make", [make for make, _ in PLACES.values()] + [*TEXTS.values()])
@pytest.mark.parametrize(
    "text",
    [CLEAN, "sunny", "", '{"_sentry_x": 1', '["a", _sentry_]', "_sentry_x", '"_sentry_x"'],
    ids=["clean", "text", "empty", "cut off", "no JSON", "a name", "a JSON string"],
)
def test_what_is_clean_or_no_json_stays(make: Any, text: str) -> None:
    """The same object, and the same bytes."""
    body = make(text)
    assert LOOKS.sanitize(body)[0] is body
    assert LOOKS.prepare(body)[0] is body
    content = encode(body)
    assert LOOKS.sanitize_bytes(content)[0] is content
    assert LOOKS.encode(body)[0] == content


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_a_prompt_is_never_touched(make: Any) -> None:
    """Text that quotes a forbidden key is the user's."""
    body = make(DIRTY)
    value, report = LOOKS.sanitize(body)
    assert value is body
    assert report.findings == ()
    assert LOOKS.encode(body)[0] == encode(body)


@pytest.mark.parametrize("make", [make for make, _ in PLACES.values()])
def test_by_default_strings_are_text(make: Any) -> None:
    """Tool arguments too, unless the policy looks into them."""
    body = make(DIRTY)
    assert Sanitizer().sanitize(body)[0] is body
    assert Sanitizer().encode(body)[0] == encode(body)


def test_rules_with_a_place_and_protecting_rules_stay_out() -> None:
    """A scope is of the body; the arguments of a tool are protected."""
    rules = (*presets("sentry", "litellm"), Rule("here", keys=("secret",), scope=("/",)))
    sanitizer = Sanitizer(Policy(rules, look_into=("json-strings",)))
    text = '{"litellm_call_id":1,"secret":2,"_sentry_x":3}'
    body = {"messages": [{"role": "tool", "content": text}]}
    left = '{"litellm_call_id":1,"secret":2}'
    assert sanitizer.sanitize(body)[0] == {"messages": [{"role": "tool", "content": left}]}


def test_a_rule_that_refuses_refuses_the_body() -> None:
    """With the whole path in the message, whichever way the body came."""
    policy = Policy((Rule("no", keys=("secret",), action="reject"),), look_into=("json-strings",))
    body = {"messages": [{"role": "tool", "content": '{"secret": "SECRET"}'}]}
    sanitizer = Sanitizer(policy)
    for act in (
        sanitizer.sanitize,
        sanitizer.encode,
        lambda body: sanitizer.sanitize_bytes(encode(body)),
    ):
        with pytest.raises(BodyRejectedError, match="/messages/0/content/secret") as caught:
            act(body)
        assert "SECRET" not in repr(caught.value)


def test_a_rule_that_reports_changes_nothing() -> None:
    """The finding is there, and the body as it was."""
    policy = Policy((Rule("look", keys=("secret",), action="report"),), look_into=("json-strings",))
    content = encode({"messages": [{"role": "tool", "content": '{"secret": 1}'}]})
    left, report = Sanitizer(policy).sanitize_bytes(content)
    assert left is content
    assert [(f.path, f.action) for f in report.findings] == [
        ("/messages/0/content/secret", "report")
    ]
    assert not report.changed


def test_two_strings_each_keep_their_own_text() -> None:
    """Other strings, and what is around them, stay byte for byte."""
    texts = [DIRTY, CLEAN, '{"_sentry_x":{},"b":"\\"}'.replace("\\", "\\\\")]
    body = {"messages": [{"role": "tool", "content": text, "n": 1.10} for text in texts]}
    content = encode(body)
    left, report = LOOKS.sanitize_bytes(content)
    kept = [CLEAN, CLEAN, texts[2].replace('"_sentry_x":{},', "")]
    assert json.loads(left) == {
        "messages": [{"role": "tool", "content": text, "n": 1.1} for text in kept]
    }
    assert [f.path for f in report.findings] == [
        "/messages/0/content/_sentry_x",
        "/messages/2/content/_sentry_x",
    ]
