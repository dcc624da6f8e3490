"""Guards a Python process that `body-guard run` has started, then imports what stood here before.

`site` imports a module of this name when an interpreter starts; this folder is the first of
PYTHONPATH. It is no package, and nothing else may be in it.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]

try:
    from body_guard.cli.guarding import start

    start(os.environ)
except Exception as error:  # a program that was to be guarded does not run without
    print(
        f"body-guard run: {sys.executable} was not guarded and has not run: "
        f"{type(error).__name__}: {error}",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)  # site would print a traceback for what is raised, and go on

_hidden = PathFinder.find_spec("sitecustomize")
if _hidden is not None and _hidden.loader is not None:
    _module = sys.modules["sitecustomize"] = module_from_spec(_hidden)
    _hidden.loader.exec_module(_module)
