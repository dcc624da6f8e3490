"""Make the matrix of releases and run its tests: ``python tests/matrix/cells.py DIR [CELL ...]``.

Each cell is a venv in DIR, kept for the next time, with body_guard from this checkout. Two are made
and run at a time; what a cell says is printed when it is done. Needs uv and packaging.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).parent
TESTS = HERE.parent
REPO = TESTS.parent

#: Runs of pytest, each a process of its own: what one leaves in litellm is nothing to the next.
SEED_CASE = ("matrix/test_seed_case.py",)
PYDANTIC_AI = ("matrix/test_pydantic_ai.py",)
OFF_BAND = ("integrations/test_sentry.py",)
GATEWAY = ("gateway",)
SDK_CLIENTS = ("integrations/test_sdk_clients.py",)
CALLS = ("integrations/test_litellm_calls.py",)
#: Apart, since litellm 1.81 takes clients again that the fixture of a module before has closed.
PROVIDERS = (
    CALLS,
    ("integrations/test_litellm_sentry.py",),
    (
        "integrations/test_litellm_faults.py",
        "integrations/test_litellm_edges.py",
        "integrations/test_litellm.py",
    ),
)

#: Nothing in a cell waits longer, unless something hangs.
WITHIN = 1500  # seconds


@dataclass(frozen=True, slots=True)
class Cell:
    """A venv and the tests that run in it.

    Args:
        runs: Paths below tests, for one pytest each.
        requirements: What is installed. That it is, is looked up afterwards.
        overrides: What is installed in place of what the requirements ask for.
    """

    runs: tuple[tuple[str, ...], ...]
    requirements: tuple[str, ...]
    overrides: tuple[str, ...] = ()


#: Messages streaming needs fastapi, orjson and others, which only the extra ``proxy`` brings. The
#: floor is there so that a resolver that steps back to an old release is found out.
CURRENT = "litellm[proxy]>=1.106.2"
UNFIXED, FIXED = "sentry-sdk==2.63.0", "sentry-sdk>=2.75"

#: litellm and sentry-sdk, each with each; the openai releases that they allow go along. Up to 1.83.0
#: litellm takes openai 3 too, from 1.83.14 to 1.106 it asks for less than 3, from 1.109 for less
#: than 4. Those that take longest come first.
CELLS: dict[str, Cell] = {
    "litellm-current-sentry-current": Cell((GATEWAY, SEED_CASE, *PROVIDERS), (CURRENT, FIXED)),
    "litellm-1.77.7-sentry-2.63.0": Cell(
        (SEED_CASE, *PROVIDERS), ("litellm[proxy]==1.77.7", "openai==1.109.1", UNFIXED)
    ),
    "litellm-1.77.7-sentry-current": Cell(
        (SEED_CASE, *PROVIDERS), ("litellm[proxy]==1.77.7", "openai>=3,<4", FIXED)
    ),
    "litellm-1.81.16-sentry-2.63.0": Cell(
        (SEED_CASE, *PROVIDERS), ("litellm[proxy]==1.81.16", "openai==2.20.0", UNFIXED)
    ),
    "litellm-1.81.16-sentry-current": Cell(
        (SEED_CASE, *PROVIDERS), ("litellm[proxy]==1.81.16", "openai>=3,<4", FIXED)
    ),
    # Its metadata asks for releases of these two that were not to be had, and are not needed here.
    "litellm-1.109.1-openai-3": Cell(
        PROVIDERS,
        ("litellm[proxy]==1.109.1", "openai>=3,<4", FIXED),
        ("certifi>=2026", "litellm-proxy-extras>=0.4.100"),
    ),
    "litellm-1.77.7-openai-2": Cell((CALLS,), ("litellm[proxy]==1.77.7", "openai>=2.54,<3", FIXED)),
    "litellm-current-sentry-2.63.0": Cell((SEED_CASE, OFF_BAND), (CURRENT, UNFIXED)),
    "pydantic-ai-1.73.0-sentry-2.63.0": Cell((PYDANTIC_AI,), ("pydantic-ai-slim==1.73.0", UNFIXED)),
    "pydantic-ai-2.68.0-sentry-2.68.0": Cell(
        (PYDANTIC_AI,), ("pydantic-ai-slim==2.68.0", "sentry-sdk==2.68.0")
    ),
    "pydantic-ai-current-sentry-current": Cell((PYDANTIC_AI,), ("pydantic-ai-slim>=2.68", FIXED)),
    "sdks-on-httpx": Cell(
        (SDK_CLIENTS,),
        ("openai==2.*", "anthropic[bedrock]==0.115.*", "groq", "together", "cohere"),
    ),
    "sdks-on-httpx2": Cell(  # from Python 3.11 on
        (SDK_CLIENTS,), ("openai>=3", "anthropic[bedrock]>=2", "mistralai>=3")
    ),
}


class CellError(Exception):
    """A cell failed; the message is what it said."""


def said(command: list[str | Path], **options: object) -> str:
    """Run a command and give all that it says.

    Raises:
        CellError: It failed, or did not come to an end.
    """
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN,
            cwd=REPO,
            **options,
        )
    except subprocess.TimeoutExpired as error:
        raise CellError(f"{error.stdout or ''}\n{command} took longer than {WITHIN} s") from None
    text: str = done.stdout
    if done.returncode:
        raise CellError(text)
    return text


def make(venv: Path, cell: Cell) -> Path:
    """Make a venv, or bring one that is there up to the requirements; give its Python."""
    uv = [sys.executable, "-m", "uv"]
    python = venv / "bin" / "python"
    if not python.exists():
        said([*uv, "venv", "--quiet", "--python", sys.executable, venv])
    install = [*uv, "pip", "install", "--quiet", "--upgrade", "--python", python]
    overrides = venv / "overrides.txt"
    overrides.write_text("\n".join(cell.overrides))
    said(
        [*install, "--overrides", overrides, "--editable", REPO, "pytest>=8.2", *cell.requirements]
    )
    return python


def releases(python: Path, cell: Cell) -> str:
    """Give the releases in a venv of what its cell asks for, and of openai.

    Raises:
        CellError: It is not what the cell asks for.
    """
    listed = said([sys.executable, "-m", "uv", "pip", "list", "--format=json", "--python", python])
    found = {each["name"]: each["version"] for each in json.loads(listed.splitlines()[-1])}
    for requirement in map(Requirement, cell.requirements):
        if found.get(requirement.name) not in requirement.specifier:
            raise CellError(f"{requirement} is wanted, {found.get(requirement.name)} is there")
    names = dict.fromkeys([*(Requirement(each).name for each in cell.requirements), "openai"])
    return ", ".join(f"{name} {found[name]}" for name in names if name in found)


def run(venv: Path, cell: Cell) -> str:
    """Make a cell and run its tests; give all that it says.

    Raises:
        CellError: Something failed.
    """
    python = make(venv, cell)
    told = [releases(python, cell)]
    # Without the suite's conftest and its filterwarnings: they need, and are about, the newest.
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-W", "default", "--no-header"]
    environment = {
        **os.environ,
        "BODY_GUARD_MATRIX": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for paths in cell.runs:
        command = [python, "-m", "pytest", *options, "--disable-warnings"]
        try:
            told.append(said([*command, *(TESTS / path for path in paths)], env=environment))
        except CellError as error:
            raise CellError("\n".join([*told, str(error)])) from None
    return "\n".join(told)


def main() -> int:
    """Run the cells asked for, all by default; give 1 if any failed."""
    parser = argparse.ArgumentParser(description="Run the tests of tests/matrix in their cells.")
    parser.add_argument("directory", type=Path, help="where the venvs are kept")
    parser.add_argument("cell", nargs="*", choices=[*CELLS, []], help="all by default")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    asked = parser.parse_args()
    failed = []
    start = time.monotonic()
    with ThreadPoolExecutor(asked.jobs) as pool:
        running = {
            pool.submit(run, (asked.directory / name).absolute(), CELLS[name]): name
            for name in asked.cell or CELLS
        }
        for done in as_completed(running):
            print(f"== {running[done]}, done after {time.monotonic() - start:.0f} s")
            try:
                print(done.result(), flush=True)
            except CellError as error:
                print(error, flush=True)
                failed.append(running[done])
    print(f"failed: {', '.join(failed)}" if failed else "every cell passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
