"""The OpenAI SDK's encoding step, for every client in the process, Azure's too.

``openai._base_client`` encodes a body itself, before httpx is asked for a request (``content =
openapi_dumps(json_data)``, openai 2.20 and up), so a guarded ``http_client=`` sees bytes, and a
live object crashes before that. A single client is guarded by `body_guard.guard`.
"""

from __future__ import annotations

from typing import Final

from body_guard.integrations.stainless import hooks

__all__ = ["HOOKS"]

#: The encoding step, and the request that is made of it: the net behind it.
HOOKS: Final = hooks("openai", "the OpenAI SDK")
