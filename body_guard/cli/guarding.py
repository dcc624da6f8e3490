"""The two ends of `body-guard run`: an environment, and what a process started in it does first."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from body_guard.integrations.process_wide import install
from body_guard.policy import VARIABLE, default_policy
from body_guard.recordings.recorder import record

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Options", "make_environment", "start"]

#: The environment variable that carries the options to a process.
_OPTIONS: Final = "BODY_GUARD_RUN"

_FOLDER: Final = str(Path(__file__).with_name("startup"))


@dataclass(frozen=True, slots=True)
class Options:
    """What a process is to do.

    Attributes:
        audit: Whether to report, and change nothing.
        libraries: As `install` takes them.
        record: The file to record in; ``""`` for none.
    """

    audit: bool = False
    libraries: tuple[str, ...] = ()
    record: str = ""


def make_environment(environ: Mapping[str, str], options: Options, policy: str) -> dict[str, str]:
    """Return an environment in which Python processes guard themselves.

    Args:
        environ: The one that it is made of.
        options: What the processes are to do.
        policy: The path of a policy file; ``""`` for that of the environment, or the default.
    """
    paths = [_FOLDER, *filter(None, [environ.get("PYTHONPATH")])]
    values = {
        "audit": options.audit,
        "libraries": options.libraries,
        "record": options.record and os.path.abspath(options.record),
    }
    added = {"PYTHONPATH": os.pathsep.join(paths), _OPTIONS: json.dumps(values)}
    if policy:
        added[VARIABLE] = os.path.abspath(policy)
    return {**environ, **added}


def start(environ: Mapping[str, str]) -> None:
    """Guard and record in this process, as the environment says.

    Raises:
        PolicyError: The policy file is wrong.
        OSError: The file to record in cannot be opened.
    """
    values = json.loads(environ[_OPTIONS])
    options = Options(values["audit"], tuple(values["libraries"]), values["record"])
    policy = default_policy()
    if options.audit:
        policy = replace(policy, mode="audit")
    install(policy, libraries="all" if options.libraries == ("all",) else options.libraries)
    if options.record:
        record(options.record).start()
