"""Make the matrix of releases and run its tests: ``python tests/matrix/cells.py DIR [CELL ...]``.

Each cell is a venv in DIR, kept for the next time, with a wheel of this checkout. Its whole tree is
pinned in ``constraints/<cell>.txt``, which ``python tests/matrix/cells.py --renew [CELL ...]`` makes.
Two are made and run at a time; what a cell says is printed when it is done. Needs uv.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "constraints"
TESTS = HERE.parent
REPO = TESTS.parent
UV = (sys.executable, "-m", "uv")

#: Runs of pytest, each a process of its own: what one leaves in litellm is nothing to the next.
SEED_CASE = ("matrix/test_seed_case.py",)
PYDANTIC_AI = ("matrix/test_pydantic_ai.py",)
OFF_BAND = ("integrations/test_sentry.py",)
GATEWAY = ("gateway",)
BESIDE_HTTPX = ("matrix/test_clients_beside_httpx.py",)
SDK_CLIENTS = ("integrations/test_sdk_clients.py",)
CALLS = ("integrations/test_litellm_calls.py",)
#: Apart, since litellm 1.81 takes clients again that the fixture of a module before has closed.
PROVIDERS = (
    CALLS,
    ("integrations/test_litellm_sentry.py",),
    (
        "integrations/test_litellm_faults.py",
        "integrations/test_litellm_edges.py",
        "integrations/test_litellm_copies.py",
        "integrations/test_litellm_hosts.py",
        "integrations/test_litellm_rust.py",
        "integrations/test_litellm_http2.py",
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
        requirements: What is pinned, with all that it and body_guard ask for.
        overrides: What is pinned in place of what these ask for.
    """

    runs: tuple[tuple[str, ...], ...]
    requirements: tuple[str, ...]
    overrides: tuple[str, ...] = ()


#: Messages streaming needs fastapi, orjson and others, which only the extra ``proxy`` brings. The
#: floor is there so that a resolver does not step back to an old release.
CURRENT = "litellm[proxy]>=1.110.2"
#: The extra of 1.110.2 asks for releases of these that are not on PyPI. The real proxy starts with
#: the others, and without litellm-proxy.
NOT_THERE = (
    "litellm-proxy; python_version < '3'",
    "litellm-proxy-extras>=0.4.110",
    "litellm-enterprise>=0.1.79",
)
UNFIXED, FIXED = "sentry-sdk==2.63.0", "sentry-sdk>=2.75"

#: litellm and sentry-sdk, each with each; the openai releases that they allow go along. Up to 1.83.0
#: litellm takes openai 3 too, from 1.83.14 to 1.106 it asks for less than 3, from 1.109 for less
#: than 4. Those that take longest come first.
CELLS: dict[str, Cell] = {
    "litellm-current-sentry-current": Cell(
        (GATEWAY, SEED_CASE, *PROVIDERS), (CURRENT, FIXED), NOT_THERE
    ),
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
    "litellm-current-sentry-2.63.0": Cell((SEED_CASE, OFF_BAND), (CURRENT, UNFIXED), NOT_THERE),
    "pydantic-ai-1.73.0-sentry-2.63.0": Cell((PYDANTIC_AI,), ("pydantic-ai-slim==1.73.0", UNFIXED)),
    "pydantic-ai-2.68.0-sentry-2.68.0": Cell(
        (PYDANTIC_AI,), ("pydantic-ai-slim==2.68.0", "sentry-sdk==2.68.0")
    ),
    "pydantic-ai-current-sentry-current": Cell((PYDANTIC_AI,), ("pydantic-ai-slim>=2.68", FIXED)),
    "clients-beside-httpx": Cell(
        (BESIDE_HTTPX,),
        (
            "azure-ai-inference",
            "boto3",
            "google-genai",
            "langsmith",
            "pinecone",
            "stripe",
            "voyageai",
            "aiohttp",
            FIXED,
            "opentelemetry-exporter-otlp-proto-http",
            "opentelemetry-instrumentation-aiohttp-client",
            "opentelemetry-instrumentation-botocore",
            "opentelemetry-instrumentation-requests",
            "opentelemetry-instrumentation-urllib3",
            "vcrpy",
        ),
    ),
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


def renew(name: str) -> None:
    """Pin the newest releases that a cell allows, on Python 3.11 and up."""
    cell = CELLS[name]
    with TemporaryDirectory() as directory:
        asked = Path(directory, "asked.in")
        asked.write_text("\n".join(["pytest>=8.2", *cell.requirements]))
        overrides = Path(directory, "overrides.txt")
        overrides.write_text("\n".join(cell.overrides))
        command = f"python tests/matrix/cells.py --renew {name}"
        how = ["--universal", "--upgrade", "--python-version", "3.11", "--no-annotate"]
        options = ["--custom-compile-command", command, "--overrides", overrides]
        output = ["--output-file", CONSTRAINTS / f"{name}.txt"]
        said([*UV, "pip", "compile", "--quiet", *how, *options, *output, asked, "pyproject.toml"])


def make(venv: Path, constraints: Path, wheel: Path) -> None:
    """Make a venv of exactly what is pinned, and of this checkout."""
    python = venv / "bin" / "python"
    if not python.exists():
        said([*UV, "venv", "--quiet", "--python", sys.executable, venv])
    install = ["--quiet", "--compile-bytecode", "--python", python]
    said([*UV, "pip", "sync", *install, constraints])
    said([*UV, "pip", "install", *install, "--no-deps", wheel])


def run(venv: Path, name: str, wheel: Path) -> str:
    """Make a cell and run its tests; return all that it says.

    Raises:
        CellError: Something failed.
    """
    make(venv, CONSTRAINTS / f"{name}.txt", wheel)
    told = []
    # Without the suite's conftest and its filterwarnings: they need, and are about, the newest.
    options = [
        "-q",
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "-W",
        "default",
        "--disable-warnings",
    ]
    environment = {
        **os.environ,
        "BODY_GUARD_MATRIX": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    for paths in CELLS[name].runs:
        # The command, since `python -m pytest` would import this checkout in place of the wheel.
        command = [venv / "bin" / "pytest", *options, *(TESTS / path for path in paths)]
        try:
            told.append(said(command, env=environment))
        except CellError as error:
            raise CellError("\n".join([*told, str(error)])) from None
    return "\n".join(told)


def run_all(directory: Path, names: list[str], jobs: int) -> list[str]:
    """Run cells and print what each says; return the names of those that failed."""
    failed = []
    start = time.monotonic()
    with TemporaryDirectory() as built, ThreadPoolExecutor(jobs) as pool:
        said([*UV, "build", "--quiet", "--out-dir", built])
        (wheel,) = Path(built).glob("*.whl")
        running = {pool.submit(run, directory / name, name, wheel): name for name in names}
        for done in as_completed(running):
            print(f"== {running[done]}, done after {time.monotonic() - start:.0f} s")
            try:
                print(done.result(), flush=True)
            except CellError as error:
                print(error, flush=True)
                failed.append(running[done])
    return failed


def main() -> int:
    """Run the cells asked for, or pin them anew; return 1 if any failed."""
    parser = argparse.ArgumentParser(description="Run the tests of tests/matrix in their cells.")
    parser.add_argument("directory", nargs="?", type=Path, help="where the venvs are kept")
    parser.add_argument("cell", nargs="*", choices=[*CELLS, []], help="all by default")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument(
        "--renew", nargs="*", choices=CELLS, metavar="CELL", help="pin the newest releases instead"
    )
    asked = parser.parse_args()
    if asked.renew is not None:
        for name in asked.renew or CELLS:
            renew(name)
        return 0
    if asked.directory is None:
        parser.error("say where the venvs are kept")
    failed = run_all(asked.directory.absolute(), asked.cell or list(CELLS), asked.jobs)
    print(f"failed: {', '.join(failed)}" if failed else "every cell passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
