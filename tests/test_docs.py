"""README and docs/: every block of code runs, and prints what stands below it."""

from __future__ import annotations

import doctest
import html
import os
import re
import runpy
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

import body_guard
import body_guard.httpx2
import body_guard.integrations.litellm
import body_guard.integrations.opentelemetry
import body_guard.integrations.sentry
from body_guard import Policy

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
#: What the host of the repository puts into a new issue or pull request.
TEMPLATES = {DOCS / "issue_template.md", DOCS / "pull_request_template.md"}
PAGES = sorted(
    {ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")} - TEMPLATES
)
SITE = tomllib.loads((DOCS / "zensical.toml").read_text(encoding="utf-8"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: What stands beside the site.
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "examples/README.md",
)

FENCE = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
LANGUAGES = {"console", "python", "sh", "text", "toml", "yaml"}
#: Ours are errors here too; a third party's would stand among what is printed.
RUN = """\
import runpy, warnings
warnings.simplefilter("ignore")
warnings.filterwarnings("error", module="body_guard")
runpy.run_path("example.py", run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code on a page.

    Args:
        page: The page.
        line: Of the page, where it begins.
        language: How it is read.
        title: The file that it is; ``""`` where it is none.
        code: What stands in it.
        printed: What it prints, where that stands below it.
    """

    page: Path
    line: int
    language: str
    title: str
    code: str
    printed: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """List the blocks of a page; what a block prints is not one of them."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for fence in FENCE.finditer(text):
        _, language, title, code = fence.groups("")
        if language == "text" and not text[end : fence.start()].strip():
            last = found.pop()
            found.append(Block(page, last.line, last.language, last.title, last.code, code))
        else:
            line = text.count("\n", 0, fence.start()) + 1
            found.append(Block(page, line, language, title, code))
        end = fence.end()
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


#: The site shows a file of the repository in the place of such a line.
INCLUDED = re.compile(r'--8<-- "(.*)"\n')
#: Needs what the suite does not install; tests/gateway runs it.
PROXY = "examples/litellm_proxy/run.py"


def written(*languages: str) -> list[Block]:
    """List the blocks of these languages whose code stands on the page."""
    blocks = [block for block in BLOCKS if not INCLUDED.fullmatch(block.code)]
    return [each for each in blocks if each.language in languages and PROXY not in each.code]


def lay_out(block: Block, folder: Path) -> dict[str, str]:
    """Write the files of a block's page; return an environment for its commands."""
    (folder / "examples").symlink_to(ROOT / "examples")
    for each in blocks_of(block.page):
        if each.title:
            (folder / each.title).write_text(each.code, encoding="utf-8")
    # Where this package is installed, its entry point loads the plugin.
    installed = any(each.name == "body_guard" for each in entry_points(group="pytest11"))
    plugins = {} if installed else {"PYTEST_PLUGINS": "body_guard.pytest_plugin"}
    here = {**plugins, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, **here, "PATH": path}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_fence_is_found(page: Path) -> None:
    """What opens with a language that is run or checked below; no other block is passed over."""
    fences = re.findall(r"(?m)^ *```.*$", page.read_text(encoding="utf-8"))
    found = blocks_of(page)
    assert len(fences) == 2 * (len(found) + sum(bool(block.printed) for block in found))
    assert {block.language for block in found} <= LANGUAGES
    for block in found:
        if included := INCLUDED.fullmatch(block.code):
            assert (ROOT / included[1]).is_file()


@pytest.mark.parametrize("block", written("python"), ids=str)
def test_an_example_prints_what_the_page_says(block: Block, tmp_path: Path) -> None:
    """Run in a process of its own, with log and output on one stream, in order."""
    if "httpx2" in block.code and sys.version_info < (3, 11):
        pytest.skip("httpx2 needs Python 3.11")
    environment = lay_out(block, tmp_path)
    if block.title:
        compile(block.code, block.title, "exec")  # a command below it runs it
        return
    (tmp_path / "example.py").write_text(block.code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-u", "-c", RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    printed = done.stdout
    if sys.version_info < (3, 11):  # an exception takes no note: it is in the log
        printed = re.sub(r"(?m)^body_guard: in an audit, .*\n", "", printed)
    assert printed == block.printed


@pytest.mark.parametrize("block", written("console"), ids=str)
def test_a_command_prints_what_the_page_says(block: Block, tmp_path: Path) -> None:
    """Each line that begins with ``$`` is run; ``...`` stands for anything."""
    environment = lay_out(block, tmp_path)
    commands = re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.code)
    assert commands
    for command, expected in commands:
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        printed = re.sub(r"(?m) +$", "", done.stdout)
        same = doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)
        assert same, f"{command}\n{printed}"


@pytest.mark.parametrize("block", written("text"), ids=str)
def test_what_is_quoted_is_printed_elsewhere(block: Block) -> None:
    """A text of its own is one that a block of some page prints."""
    assert any(dedent(block.code) in each.printed for each in BLOCKS)


@pytest.mark.parametrize("block", written("toml"), ids=str)
def test_a_policy_file_is_one(block: Block, tmp_path: Path) -> None:
    """It loads."""
    path = tmp_path / (block.title or "policy.toml")
    path.write_text(block.code, encoding="utf-8")
    assert Policy.load(path).rules


@pytest.mark.parametrize("block", written("yaml"), ids=str)
def test_a_configuration_is_that_of_an_example(block: Block) -> None:
    """Its lines stand in the file of the example, which a test runs."""
    example = (ROOT / "examples/litellm_proxy/config.yaml").read_text(encoding="utf-8")
    assert block.code in example


@pytest.mark.parametrize("block", written("sh"), ids=str)
def test_what_is_installed_is_there(block: Block) -> None:
    """The extras of body-guard that a command names exist; the gate runs the README's commands."""
    extras = re.findall(r"body-guard\[([^\]]*)\]|'\.\[([^\]]*)\]'", block.code)
    named = {name for pair in extras for name in "".join(pair).split(",")}
    assert named <= {*PYPROJECT["project"]["optional-dependencies"]}


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv && .venv/bin/pip install -c tests/constraints.txt '.[demo]' && .venv/bin/body-guard demo",
        "python3 -m venv .venv && .venv/bin/pip install -c tests/constraints.txt -e '.[test]' && .venv/bin/pytest -n auto",
    ],
)
def test_the_two_commands_stand_word_for_word(command: str) -> None:
    """The gate runs them from the README."""
    assert f"\n{command}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """List the anchors of a page's headings, as GitHub and the site name them."""
    titles = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_link_leads_nowhere(name: str) -> None:
    """Of the documents that the site's generator does not see."""
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'(?:\]\(|src="|srcset=")([^)\s"]+)', text)
    for link in (each for each in links if "://" not in each):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_is_short() -> None:
    """What is longer is a page of docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_pictures_are_drawn_of_what_the_demo_prints() -> None:
    """``python docs/pictures.py`` makes them anew."""
    module = runpy.run_path(str(DOCS / "pictures.py"))
    printed = module["demo"]()
    for theme in module["THEMES"]:
        drawn = (DOCS / f"pictures/demo-{theme}.svg").read_text(encoding="utf-8")
        assert drawn == module["draw"](printed, theme)
        pieces = [html.unescape(piece) for piece in re.findall(r">([^<]+)</text>", drawn)]
        assert len(pieces) > 30
        assert all(piece in printed for piece in pieces)


def nav(entries: list[dict[str, object]]) -> list[str]:
    """List the pages of a navigation, in order."""
    pages = []
    for target in (target for entry in entries for target in entry.values()):
        pages += [target] if isinstance(target, str) else nav(target)
    return pages


def test_every_page_is_in_the_navigation() -> None:
    """The generator says nothing of one that is not there, nor of one that is left out."""
    listed = nav(SITE["project"]["nav"])
    assert sorted(listed) == [str(page.relative_to(DOCS)) for page in PAGES if DOCS in page.parents]
    llms = (DOCS / "llms.txt").read_text(encoding="utf-8")
    assert re.findall(r"\((\S+)/\)", llms) == [page.removesuffix(".md") for page in listed[1:]]


#: Public by DESIGN section 4, beside what stands in `body_guard.__all__`.
BESIDE = {
    "body_guard.convert.jsonable",
    "body_guard.gateway.litellm_proxy.handler",
    *(f"body_guard.httpx2.{name}" for name in body_guard.httpx2.__all__),
    *(
        f"body_guard.integrations.litellm.{name}"
        for name in body_guard.integrations.litellm.__all__
    ),
    *(f"body_guard.integrations.sentry.{name}" for name in body_guard.integrations.sentry.__all__),
    "body_guard.recordings.recorder.Recorder",
    "body_guard.integrations.opentelemetry.Recorder",
    "body_guard.integrations.opentelemetry.record",
}


def test_the_reference_has_every_public_name() -> None:
    """Each once, and no other."""
    shown = [
        name
        for page in sorted((DOCS / "reference").glob("*.md"))
        for name in re.findall(r"(?m)^::: (\S+)$", page.read_text(encoding="utf-8"))
    ]
    own = {f"body_guard.{name}" for name in body_guard.__all__} - {"body_guard.convert"}
    assert sorted(shown) == sorted(own | BESIDE)
