"""Make the matrix of releases and run its tests: ``python tests/matrix/cells.py DIR [CELL ...]``.

Each cell is a venv in DIR, kept for the next time, with body_guard from this checkout. Needs uv.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPO = HERE.parent.parent
SEED_CASE, PYDANTIC_AI = "test_seed_case.py", "test_pydantic_ai.py"
SDK_CLIENTS = "../integrations/test_sdk_clients.py"

#: Messages streaming needs fastapi, orjson and others, which only the extra ``proxy`` brings. The
#: openai pins are the newest that these releases of litellm were used with.
LITELLM = {
    "1.77.7": ["litellm[proxy]==1.77.7", "openai==1.109.1"],
    "1.81.16": ["litellm[proxy]==1.81.16", "openai==2.20.0"],
    "current": ["litellm[proxy]"],
}

CELLS: dict[str, tuple[str, list[str]]] = {
    "litellm-1.77.7-sentry-2.63.0": (SEED_CASE, [*LITELLM["1.77.7"], "sentry-sdk==2.63.0"]),
    "litellm-1.81.16-sentry-2.63.0": (SEED_CASE, [*LITELLM["1.81.16"], "sentry-sdk==2.63.0"]),
    "litellm-current-sentry-2.63.0": (SEED_CASE, [*LITELLM["current"], "sentry-sdk==2.63.0"]),
    "litellm-current-sentry-current": (SEED_CASE, [*LITELLM["current"], "sentry-sdk"]),
    "pydantic-ai-1.73.0-sentry-2.63.0": (
        PYDANTIC_AI,
        ["pydantic-ai-slim==1.73.0", "sentry-sdk==2.63.0"],
    ),
    "pydantic-ai-2.68.0-sentry-2.68.0": (
        PYDANTIC_AI,
        ["pydantic-ai-slim==2.68.0", "sentry-sdk==2.68.0"],
    ),
    "pydantic-ai-current-sentry-current": (PYDANTIC_AI, ["pydantic-ai-slim", "sentry-sdk"]),
    "sdks-on-httpx": (
        SDK_CLIENTS,
        ["openai==2.*", "anthropic[bedrock]==0.115.*", "groq", "together", "cohere"],
    ),
    "sdks-on-httpx2": (  # from Python 3.11 on
        SDK_CLIENTS,
        ["openai>=3", "anthropic[bedrock]>=2", "mistralai>=3"],
    ),
}


def make(venv: Path, requirements: list[str]) -> Path:
    """Make a venv, or bring one that is there up to the requirements; give its Python."""
    uv = [sys.executable, "-m", "uv"]
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    install = [*uv, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "--editable", REPO, "pytest>=8.2", *requirements], check=True)
    return python


def run(python: Path, test: str) -> bool:
    """Run one test module with a venv's Python, and say whether all went well."""
    # Without the suite's conftest and its filterwarnings: they need, and are about, the newest.
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-W", "default", "--no-header"]
    environment = {
        **os.environ,
        "BODY_GUARD_MATRIX": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [python, "-m", "pytest", *options, "--disable-warnings", HERE / test]
    return subprocess.run(command, cwd=REPO, env=environment, check=False).returncode == 0


def main() -> int:
    """Run the cells asked for, all by default; give 1 if any failed."""
    parser = argparse.ArgumentParser(description="Run the tests of tests/matrix in their cells.")
    parser.add_argument("directory", type=Path, help="where the venvs are kept")
    parser.add_argument("cell", nargs="*", choices=[*CELLS, []], help="all by default")
    asked = parser.parse_args()
    failed = []
    for name in asked.cell or CELLS:
        test, requirements = CELLS[name]
        print(f"== {name}", flush=True)
        if not run(make(asked.directory / name, requirements), test):
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "every cell passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
