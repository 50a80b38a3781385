"""Becoming another user, before the code of users is touched."""

from __future__ import annotations

import os
import pwd


def become(uid: int | None) -> None:
    """Run as another user from now on, with that user's groups and no way back.

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
    if uid is None or uid == os.getuid() == os.geteuid():
        return
    if not isinstance(uid, int) or isinstance(uid, bool) or uid < 0:
        raise ValueError(f"the user must be given by a number, got {str(uid)[:100]!r}")
    try:
        user = pwd.getpwuid(uid)
        group, groups = user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:  # a number that is only known outside of the container
        group, groups = uid, []
    try:
        os.setgroups(groups)
        os.setresgid(group, group, group)
        os.setresuid(uid, uid, uid)
    except PermissionError:
        raise PermissionError(
            f"cannot run as user {uid}: this process runs as {os.getuid()}, which may not"
        ) from None
