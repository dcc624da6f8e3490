"""Lock: reentrant, and free in a forked child, whoever holds it in the parent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from body_guard.patches import locks
from body_guard.patches.locks import Lock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

#: Another thread holds a lock while this one forks; the child has five seconds.
FORKING = """
import os, signal, threading
{imports}
held, done = threading.Event(), threading.Event()
def hold():
    with {lock}:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    signal.alarm(5)
    {act}
    os._exit(7)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
print(os.waitstatus_to_exitcode(status))
"""

LOCKS = {
    "install": (
        "integrations.process_wide import _installation as it",
        "it.lock",
        "it.install(None, ())",
    ),
    "uninstall": (
        "integrations.process_wide import _installation as it",
        "it.lock",
        "it.uninstall()",
    ),
    "coverage": (
        "integrations.process_wide import _installation as it, coverage",
        "it.lock",
        "coverage()",
    ),
    "litellm": (
        "integrations.litellm import _installation as it, uninstall",
        "it.lock",
        "uninstall()",
    ),
    "litellm's clients": (
        "integrations._litellm_clients import ClientNet; net = ClientNet(lambda: None)",
        "net._lock",
        "net.stop()",
    ),
    "sentry": ("integrations.sentry import _lock, uninstall", "_lock", "uninstall()"),
}


@pytest.mark.parametrize(("imports", "lock", "act"), LOCKS.values(), ids=LOCKS)
def test_a_fork_while_another_thread_holds_it(imports: str, lock: str, act: str) -> None:
    """Every lock of the package: what takes it in the child does not wait for ever."""
    code = FORKING.format(imports=f"from body_guard.{imports}", lock=lock, act=act)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "7\n", done.stderr


def test_a_fork_by_who_holds_it() -> None:
    """It holds it in the child too, as often as it took it, and can leave."""
    code = """
import os
from body_guard.patches.locks import Lock
lock = Lock()
with lock:
    with lock:
        child = os.fork()
        if child:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
if not child:
    with lock:
        os._exit(7)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("7\n", "")


def test_what_is_renewed() -> None:
    """In a child: what another thread of the parent held is free; what this one holds is held."""
    lock, mine = Lock(), Lock()
    parents = threading.Thread(target=lock._lock.acquire)
    parents.start()
    parents.join()
    assert not lock._lock.acquire(blocking=False)
    with mine:
        held = mine._lock
        locks._renew()
        assert mine._lock is held
    with lock:
        assert lock._lock.acquire(blocking=False)


def test_one_thread_at_a_time() -> None:
    """Taken twice by one thread, it is another's when both have ended."""
    lock, order = Lock(), []

    def other() -> None:
        with lock:
            order.append("other")

    thread = threading.Thread(target=other)
    with lock:
        with lock:
            thread.start()
        thread.join(0.05)
        order.append("this")
    thread.join()
    assert order == ["this", "other"]
