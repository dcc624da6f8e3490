"""LiteLLM Proxy, guarded in each of its workers by one line of its ``config.yaml``.

.. code-block:: yaml

    litellm_settings:
      callbacks: [body_guard.gateway.litellm_proxy.handler]

A worker imports what ``callbacks`` names before it takes a request, and does not start when it
cannot; that import calls `install`. So bodies are guarded where they are made, after every hook of
the proxy: a guard in a hook would miss what later hooks add. body_guard must be installed where
litellm is: the proxy looks for ``body_guard/gateway/litellm_proxy.py`` beside its ``config.yaml``
first, and otherwise imports the name like any other.
"""

from __future__ import annotations

from typing import Final

from litellm.integrations.custom_logger import CustomLogger

from body_guard.integrations.litellm import install

__all__ = ["Handler", "handler"]


class Handler(CustomLogger):  # type: ignore[misc]  # litellm is Any to mypy
    """A callback that does nothing, since the proxy takes no name of anything else."""


install()

#: What ``callbacks`` names.
handler: Final = Handler()
