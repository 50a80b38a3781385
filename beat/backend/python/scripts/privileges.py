"""Becoming another user, before the code of users is touched."""

from __future__ import annotations

import os
import pwd

MOST = 2**32 - 1  # as a number of the system's type it is -1, which stands for «no change»


def become(uid: int | None) -> None:
    """Run as another user from now on, with that user's groups and home, and no way back.

    The group is the user's own, and so are the supplementary groups. A number that is no known
    user is its own group and has no others. The mask of new files' modes stays as it is.

    Parameters
    ----------
    uid : int or None
        The user; None, or the current one, changes nothing.

    Raises
    ------
    PermissionError
        If this process may not do that.
    ValueError
        If that is no user.
    """
    if uid is None:
        return
    if not isinstance(uid, int) or isinstance(uid, bool) or not 0 <= uid < MOST:
        raise ValueError(f"the user must be given by a number, got {str(uid)[:100]!r}")
    if os.getresuid() == (uid, uid, uid):
        return
    try:
        user = pwd.getpwuid(uid)
        name, home, group = user.pw_name, user.pw_dir, user.pw_gid
        groups = os.getgrouplist(name, group)
    except KeyError:  # a number that is only known outside of the container
        name, home, group, groups = str(uid), "/", uid, []
    try:
        os.setgroups(groups)
        os.setresgid(group, group, group)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise PermissionError(
            f"cannot run as user {uid}: this process runs as {os.getuid()}, which may not "
            f"({error.strerror})"
        ) from None
    os.environ.update(HOME=home, USER=name, LOGNAME=name)
