"""Becoming another user before the code of users is touched."""

from __future__ import annotations

import ast
import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.blocks import Workspace
from support.processes import command, run_block

from beat.backend.python.scripts.privileges import become

NOBODY = 65534
UNKNOWN = 54321

# This interpreter may be in a folder that other users cannot read: what is imported late, when
# it is needed, must be there before.
LATE = "encodings.ascii, hashlib, pathlib, simplejson"

# Root without its powers, except that it reads what it likes (capability 1).
NO_CAPABILITIES = (
    "ctypes; ctypes.CDLL(None).capset("
    "(ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)(2, 2))"
)

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")

WHO = """
import os
class Algorithm:
    def __init__(self):
        self.ids = [*os.getresuid(), *os.getresgid(), *os.getgroups()]

    def process(self, inputs, data_loaders, outputs):
        raise RuntimeError(repr(self.ids))
"""


def open_up(root: Path) -> None:
    """Let everybody read and write what is below a folder, and find the way to it."""
    for path in [root, *root.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for path in root.parents:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o055 != 0o055:
            path.chmod(mode | 0o055)


def ids(uid: int) -> list[int]:
    """Return the ids that a process of a user has: thrice the user, thrice the group, groups."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return [uid] * 6
    return [uid] * 3 + [user.pw_gid] * 3 + os.getgrouplist(user.pw_name, user.pw_gid)


def test_nothing_to_do() -> None:
    become(None)
    become(os.getuid())


@pytest.mark.parametrize(
    "uid", ["65534", 1.5, 0.0, True, False, -1, 2**32 - 1, 2**32, 2**70], ids=repr
)
def test_what_is_no_user(uid: Any) -> None:
    """Neither what equals 0 without being it, nor the number that stands for «no change»."""
    with pytest.raises(ValueError, match="number"):
        become(uid)


@as_root
@pytest.mark.parametrize("uid", [NOBODY, UNKNOWN])
def test_user_code_runs_as_the_configured_user(workspace: Workspace, uid: int) -> None:
    workspace.write_algorithm(WHO)
    given = {"in": workspace.write_input("in", [1])}
    workspace.configure("user/tested/1", given, uid=uid)
    open_up(workspace.directory.parent)
    result = run_block(workspace, LATE)
    assert result.user_error.endswith(f"RuntimeError: {ids(uid)}")


@as_root
def test_views_run_as_the_user_of_the_datasets(workspace: Workspace) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.bring_database("simple/1")
    given = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    code = workspace.prefix / "databases" / "simple" / "1.py"
    code.write_text("import os\nprint(os.getuid(), os.getgid(), flush=True)\n" + code.read_text())
    workspace.configure("user/echo_sequential/1", given, datasets_uid=NOBODY)
    open_up(workspace.directory.parent)
    result = run_block(workspace, LATE)
    assert (result.status, result.system_error) == (0, "")
    assert result.outputs["provider"][0].split() == [str(i) for i in (NOBODY, ids(NOBODY)[3])]


@as_root
def test_outputs_belong_to_the_user(workspace: Workspace) -> None:
    workspace.bring("user/echo_sequential/1")
    given = {"in": workspace.write_input("in", [1])}
    workspace.configure("user/echo_sequential/1", given, uid=NOBODY)
    open_up(workspace.directory.parent)
    assert run_block(workspace, LATE).status == 0
    written = [path for path in workspace.cache.iterdir() if path.name.startswith("out")]
    assert {path.stat().st_uid for path in written} == {NOBODY}


@as_root
def test_an_unprivileged_process_does_not_go_on_as_the_wrong_user(workspace: Workspace) -> None:
    code = (
        "import os, pwd\n"
        "from beat.backend.python.scripts.privileges import become\n"
        f"become({NOBODY})\n"
        f"become({UNKNOWN})\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 1
    assert f"PermissionError: cannot run as user {UNKNOWN}: this process runs as {NOBODY}" in (
        process.stderr
    )


@as_root
def test_there_is_no_way_back() -> None:
    code = (
        "import os, pwd\n"
        "from beat.backend.python.scripts.privileges import become\n"
        "os.setgroups([0, 4, 27])\n"
        f"become({NOBODY})\n"
        "ways = {change: (0,) for change in (os.setuid, os.seteuid, os.setgid, os.setegid)}\n"
        "ways |= {os.setresuid: (-1, 0, -1), os.setresgid: (-1, 0, -1), os.setgroups: ([0],)}\n"
        "for change, arguments in ways.items():\n"
        "    try:\n"
        "        change(*arguments)\n"
        "    except PermissionError:\n"
        "        pass\n"
        "    else:\n"
        "        raise SystemExit(change.__name__)\n"
        "print(*os.getresuid(), *os.getresgid(), *os.getgroups())\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == [str(i) for i in ids(NOBODY)]


@as_root
def test_a_way_back_that_was_kept_is_closed() -> None:
    """A process that is that user already, and could be root again, is not left so."""
    code = (
        "import os, pwd\n"
        "from beat.backend.python.scripts.privileges import become\n"
        f"os.setresuid({NOBODY}, {NOBODY}, 0)\n"
        "try:\n"
        f"    become({NOBODY})\n"
        "except PermissionError:\n"
        "    raise SystemExit(0)\n"
        "raise SystemExit(os.getresuid()[2] == 0)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


WHERE = """
import os
from pathlib import Path

secret = Path({secret!r})
try:
    told = secret.read_text()
except PermissionError:
    told = "not told"

class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        Path({made!r}).write_text("made")
        raise RuntimeError(repr([told, *map(os.environ.get, ["HOME", "USER", "LOGNAME"])]))
"""


@as_root
@pytest.mark.parametrize("uid", [NOBODY, UNKNOWN, 0])
def test_what_only_root_may_read_is_kept_from_others(workspace: Workspace, uid: int) -> None:
    secret, made = workspace.directory.with_name("secret"), workspace.cache / "made"
    workspace.write_algorithm(WHERE.format(secret=str(secret), made=str(made)))
    given = {"in": workspace.write_input("in", [1])}
    workspace.configure("user/tested/1", given, uid=uid)
    secret.write_text("told")
    open_up(workspace.directory.parent)
    secret.chmod(0o600)
    result = run_block(workspace, LATE)
    told, *names = ast.literal_eval(result.user_error.rpartition("RuntimeError: ")[2])
    assert told == ("told" if uid == 0 else "not told")
    assert made.stat().st_uid == uid
    if uid == NOBODY:
        user = pwd.getpwuid(uid)
        assert names == [user.pw_dir, user.pw_name, user.pw_name]
    elif uid == UNKNOWN:
        assert names == ["/", str(uid), str(uid)]


@as_root
def test_no_user_code_is_run_if_the_user_cannot_be_changed(workspace: Workspace) -> None:
    """Neither at import nor later: the block fails, with a clear error."""
    made = workspace.cache / "made"
    workspace.write_algorithm(
        WHERE.format(secret="/nowhere", made=str(made)) + f"\nPath({str(made)!r}).touch()"
    )
    given = {"in": workspace.write_input("in", [1])}
    workspace.configure("user/tested/1", given, uid=UNKNOWN)
    open_up(workspace.directory.parent)
    result = run_block(workspace, f"{LATE}, {NO_CAPABILITIES}")
    assert result.status == 1
    assert f"cannot run as user {UNKNOWN}: this process runs as 0" in result.system_error
    assert not made.exists()


def test_a_user_that_is_none(workspace: Workspace) -> None:
    workspace.write_algorithm(WHO)
    given = {"in": workspace.write_input("in", [1])}
    workspace.configure("user/tested/1", given, uid="root")
    result = run_block(workspace, LATE)
    assert result.status == 1
    assert "the user must be given by a number" in result.system_error
    assert result.user_error == ""


@as_root
def test_indexing_as_another_user(prefix: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    copy = shutil.copytree(prefix, tmp_path / "prefix")  # where that user can read it
    open_up(tmp_path)
    arguments = [f"--uid={NOBODY}", str(copy), str(cache), "simple/1", "numbers", "ten"]
    process = subprocess.run(
        command("index", *arguments, preload=LATE), capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert [path.stat().st_uid for path in cache.rglob("*.db")] == [NOBODY]
