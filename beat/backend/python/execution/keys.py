"""Keys by which the processes of a block know each other (CURVE): nobody else takes part.

A run makes a folder of fresh keys for each block, private as the files in it are, and hands its
name to the processes. Each of them has a role and a pair of keys of its own; who serves knows the
public keys of those whom it serves, and admits no other. libzmq alone would admit whoever knows
the public key of the server.

Within a conversation everything is encrypted and counted, so that nothing can be read, changed,
exchanged or said again by others.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from typing import Any

import zmq

logger = logging.getLogger(__name__)

ROLES = ("driver", "algorithm", "evaluator", "databases")

_SERVED = {
    "driver": ("algorithm",),
    "evaluator": ("algorithm",),
    "databases": ("algorithm", "evaluator"),
}
_LENGTH = 40
_DOMAIN = b"beat"
_QUESTIONS = "inproc://zeromq.zap.01"  # where libzmq asks whether a client is admitted


class KeysError(RuntimeError):
    """Keys that are not there, not private or none at all."""


class ClientKeys:
    """What a client needs to talk to one server: both its keys, and the server's public one."""

    def __init__(self, public: bytes, secret: bytes, server: bytes) -> None:
        self.public = public
        self.secret = secret
        self.server = server

    def use(self, socket: zmq.Socket[bytes]) -> None:
        """Encrypt what a socket is going to say, which must be done before it connects."""
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server)


class ServerKeys:
    """What a server needs: its secret key, and the public ones of those whom it admits."""

    def __init__(self, secret: bytes, admitted: frozenset[bytes]) -> None:
        self.secret = secret
        self.admitted = admitted

    def use(self, socket: zmq.Socket[bytes]) -> None:
        """Let a socket, which is not bound yet, listen to admitted clients only.

        That needs a `doorkeeper` in its context; without one, nobody is admitted.
        """
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def doorkeeper(self, context: zmq.Context[Any]) -> Doorkeeper:
        """Return who admits the clients, to be started."""
        return Doorkeeper(context, self)


class Doorkeeper(threading.Thread):
    """Tells libzmq which clients are admitted in a context, until that is terminated.

    What is asked and answered is ZeroMQ's authentication protocol (RFC 27).

    Parameters
    ----------
    context : zmq.Context
        The context; it can have one doorkeeper only.
    keys : ServerKeys
        Those of the server in it.
    """

    def __init__(self, context: zmq.Context[Any], keys: ServerKeys) -> None:
        from zmq.utils import z85

        super().__init__(name="doorkeeper", daemon=True)
        self._admitted = {z85.decode(key) for key in keys.admitted}
        self._socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(_QUESTIONS)

    def run(self) -> None:
        """Answer; called by `start`."""
        try:
            while True:
                version, number, _, _, _, mechanism, *key = self._socket.recv_multipart()
                admitted = mechanism == b"CURVE" and key[0] in self._admitted
                verdict = [b"200", b"OK"] if admitted else [b"400", b"this key is not admitted"]
                self._socket.send_multipart([version, number, *verdict, b"", b""])
        except zmq.ZMQError as error:
            if error.errno != zmq.ETERM:
                logger.error("nobody is admitted any more: %s", error)
        finally:
            self._socket.close(0)


def require_curve() -> None:
    """Raise `KeysError` if this libzmq cannot encrypt."""
    if not zmq.has("curve"):
        raise KeysError(
            f"libzmq {zmq.zmq_version()} was built without CURVE, so the processes of a run "
            "cannot know each other: install a pyzmq that brings it, with "
            "`pip install --force-reinstall --only-binary pyzmq pyzmq'"
        )


def make_keys(folder: str) -> None:
    """Make a private folder with fresh keys for all roles.

    Raises
    ------
    KeysError
        If libzmq cannot encrypt.
    OSError
        If the folder exists, or cannot be written.
    """
    require_curve()
    os.mkdir(folder, 0o700)
    for role in ROLES:
        public, secret = zmq.curve_keypair()
        for kind, key in (("public", public), ("secret", secret)):
            path = os.path.join(folder, f"{role}.{kind}")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
                f.write(key)


def server_keys(folder: str | None, role: str) -> ServerKeys | None:
    """Return what a role needs to serve others; None without a folder.

    Raises
    ------
    KeysError
        If the folder or a file is missing, not private or does not belong to this user, if a
        file holds no key, or if libzmq cannot encrypt.
    """
    if folder is None:
        return None
    require_curve()
    admitted = frozenset(_read(folder, f"{client}.public") for client in _SERVED[role])
    return ServerKeys(_read(folder, f"{role}.secret"), admitted)


def client_keys(folder: str | None, role: str, server: str) -> ClientKeys | None:
    """Return what a role needs to talk to the server of another role; None without a folder.

    Raises what `server_keys` raises.
    """
    if folder is None:
        return None
    require_curve()
    return ClientKeys(
        public=_read(folder, f"{role}.public"),
        secret=_read(folder, f"{role}.secret"),
        server=_read(folder, f"{server}.public"),
    )


def _read(folder: str, name: str) -> bytes:
    """Return a key, if nobody else can have read or written it."""
    from zmq.utils import z85

    path = os.path.join(folder, name)
    try:
        _check_private(folder, os.lstat(folder), stat.S_ISDIR)
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as f:
            _check_private(path, os.fstat(f.fileno()), stat.S_ISREG)
            key = f.read(_LENGTH + 1)
        if len(key) != _LENGTH:
            raise ValueError("the length is wrong")
        z85.decode(key)
    except OSError as error:
        raise KeysError(f"key {path}: {error.strerror}") from None
    except (ValueError, KeyError):  # whose text must not tell what is in the file
        raise KeysError(f"key {path}: expected {_LENGTH} characters of a CURVE key") from None
    return key


def _check_private(path: str, status: os.stat_result, kind: Any) -> None:
    if not kind(status.st_mode):
        raise KeysError(f"{path}: neither a folder of keys nor a file with one")
    if status.st_uid != os.geteuid():
        raise KeysError(
            f"{path}: belongs to user {status.st_uid}, and this process is user {os.geteuid()}'s"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise KeysError(
            f"{path}: others may use it (mode {stat.S_IMODE(status.st_mode):o}); "
            "keys must be private: `chmod go= ' it, and make new ones"
        )
