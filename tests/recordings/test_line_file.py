"""Lines of several threads and processes, up to a size."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path

import pytest

from body_guard.recordings import line_file
from body_guard.recordings.line_file import LineFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines"


def test_lines_are_appended(path: Path) -> None:
    """To what is there; a new file is its owner's alone."""
    path.write_bytes(b"old\n")
    file = LineFile(str(path), 100, 1)
    file.write(b"new\n")
    file.close()
    assert path.read_bytes() == b"old\nnew\n"
    path.unlink()
    LineFile(str(path), 100, 1).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("backups", "kept"),
    [(0, [b"4\n"]), (1, [b"4\n", b"3\n"]), (2, [b"4\n", b"3\n", b"2\n"])],
)
def test_a_full_file_is_renamed(path: Path, backups: int, kept: list[bytes]) -> None:
    """Only so many are kept; a longer line has a file of its own."""
    file = LineFile(str(path), 2, backups)
    for line in (b"a long one\n", b"1\n", b"2\n", b"3\n", b"4\n"):
        file.write(line)
    file.close()
    files = sorted(path.parent.iterdir())
    assert [each.read_bytes() for each in files] == kept


def test_another_process_has_renamed_it(path: Path) -> None:
    """Two files on one path, as two processes have: the second finds it done."""
    one, two = LineFile(str(path), 4, 1), LineFile(str(path), 4, 1)
    one.write(b"1\n")
    two.write(b"2\n")
    one.write(b"3\n")
    two.write(b"4\n")
    two.write(b"5\n")
    one.close()
    two.close()
    assert path.read_bytes() == b"5\n"
    assert Path(f"{path}.1").read_bytes() == b"3\n4\n"


def test_another_process_has_filled_it_again(path: Path) -> None:
    """The second finds a new file, and that full too."""
    one, two = LineFile(str(path), 2, 1), LineFile(str(path), 2, 1)
    one.write(b"1\n")
    one.write(b"2\n")
    two.write(b"3\n")
    one.close()
    two.close()
    assert path.read_bytes() == b"3\n"
    assert Path(f"{path}.1").read_bytes() == b"2\n"


def test_somebody_has_removed_it(path: Path) -> None:
    """It is there again once the old one is full."""
    file = LineFile(str(path), 2, 1)
    file.write(b"1\n")
    path.unlink()
    file.write(b"2\n")
    file.close()
    assert path.read_bytes() == b"2\n"


def test_threads_and_forks_mix_no_lines(path: Path) -> None:
    """Every line is whole, each once, while the file is renamed again and again."""
    file = LineFile(str(path), 4_000, 40)

    def write(name: str) -> None:
        for number in range(100):
            file.write(f"{name} {number} {'x' * 50}\n".encode())

    children = []
    for name in ("c", "d"):
        child = os.fork()
        if not child:  # pragma: no cover - measured in the parent
            try:
                write(name)
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        children.append(child)
    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in children:
        os.waitpid(child, 0)
    file.close()
    files = list(path.parent.iterdir())
    lines = b"".join(each.read_bytes() for each in files).decode().splitlines()
    expected = [f"{name} {n} {'x' * 50}" for name in "abcd" for n in range(100)]
    assert sorted(lines) == sorted(expected)
    assert len(files) > 3
    assert all(each.stat().st_size <= 4_000 for each in files)


class _WithoutLocks:
    """What fcntl is on a file system without locks."""

    LOCK_EX = LOCK_UN = 0

    @staticmethod
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.mark.parametrize("locks", [None, _WithoutLocks], ids=["the system", "the file system"])
def test_lines_are_written_where_there_are_no_locks(
    path: Path, monkeypatch: pytest.MonkeyPatch, locks: object
) -> None:
    """And a full file is renamed."""
    monkeypatch.setattr(line_file, "fcntl", locks)
    file = LineFile(str(path), 4, 1)
    for number in range(3):
        file.write(b"%d\n" % number)
    file.close()
    assert (path.read_bytes(), Path(f"{path}.1").read_bytes()) == (b"2\n", b"0\n1\n")


def test_a_fork_opens_its_own_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on the parent's would be the parent's too; the one it had is closed."""
    file = LineFile(str(path), 100, 1)
    before = file._file
    position = os.dup(before)  # so that the number is not given out again
    monkeypatch.setattr(os, "getpid", lambda: -1)
    file.write(b"1\n")
    assert file._file != before
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(before)
    os.close(position)
    file.close()
    assert path.read_bytes() == b"1\n"


def test_a_full_disk_costs_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of it is a line of its own."""
    file = LineFile(str(path), 100, 1)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, line: write(number, line[:3]))
        with pytest.raises(OSError, match="space") as caught:
            file.write(b"lost line\n")
    assert caught.value.errno == errno.ENOSPC
    file.write(b"next\n")
    file.write(b"last\n")
    file.close()
    assert path.read_bytes() == b"los\nnext\nlast\n"
