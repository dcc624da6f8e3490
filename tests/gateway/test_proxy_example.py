"""The example of a LiteLLM Proxy, run as its page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from test_litellm_proxy import needs_proxy

ROOT = Path(__file__).parents[2]


@needs_proxy
def test_it_prints_what_its_page_says() -> None:
    """The proxy starts, and what the policy names does not arrive."""
    page = (ROOT / "docs/examples.md").read_text(encoding="utf-8")
    after = page.partition("litellm_proxy/run.py\n")[2]
    printed = after.partition("```")[0]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "examples/litellm_proxy/run.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stdout == printed
