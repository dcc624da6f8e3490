"""The README's examples run, and print what it says they print."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

from body_guard import Policy

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
#: Ours are errors here too; a third party's would stand among what is printed.
WARNINGS = """\
import warnings
warnings.simplefilter("ignore")
warnings.filterwarnings("error", module="body_guard")
"""
BLOCKS = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", README, re.DOTALL)


@pytest.mark.parametrize(("code", "expected"), BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_prints_what_the_readme_says(code: str, expected: str) -> None:
    """Run in a process of its own, with log and output on one stream, in order."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", WARNINGS + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    printed = done.stdout
    if sys.version_info < (3, 11):  # an exception takes no note: it is in the log
        printed = re.sub(r"(?m)^body_guard: in an audit, .*\n", "", printed)
    assert printed == expected


def test_there_are_examples() -> None:
    """The pattern above still finds them."""
    assert len(BLOCKS) == 14
    assert sum(bool(expected) for _, expected in BLOCKS) == 11


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv && .venv/bin/pip install -c tests/constraints.txt '.[demo]' && .venv/bin/body-guard demo",
        "python3 -m venv .venv && .venv/bin/pip install -c tests/constraints.txt -e '.[test]' && .venv/bin/pytest -n auto",
    ],
)
def test_the_two_commands_stand_word_for_word(command: str) -> None:
    """The gate runs them from here."""
    assert f"\n{command}\n" in README


def test_the_policy_file_is_one(tmp_path: pathlib.Path) -> None:
    """The TOML that stands there loads."""
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    assert [rule.name for rule in Policy.load(path).rules][-1] == "ours"
