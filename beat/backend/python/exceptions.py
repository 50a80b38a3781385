"""The exceptions that peers, user code, database views and users are told about."""

from __future__ import annotations


class RemoteException(Exception):
    """A failure reported by the process at the other end of a socket.

    Parameters
    ----------
    kind : str
        ``"sys"`` for a failure of the system; everything else is the user's.
    message : str
        What the peer said.

    Attributes
    ----------
    system_error, user_error : str
        The message, in the one that fits ``kind``; the other is empty.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = "sys" if kind == "sys" else "usr"
        self.system_error = message if self.kind == "sys" else ""
        self.user_error = message if self.kind == "usr" else ""

    def __str__(self) -> str:
        return f"({self.kind}) {self.system_error or self.user_error}"


class UserError(Exception):
    """A failure of user code; its text is the ``repr`` of ``value``."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return repr(self.value)


class MissingExtra(ImportError):
    """Something needs a module that only an extra of this package brings.

    Parameters
    ----------
    what : str
        What needs it, in the plural.
    module, extra : str
        The module, and the extra.
    """

    def __init__(self, what: str, module: str, extra: str) -> None:
        super().__init__(
            f"{what} need `{module}', which is not installed; "
            f"it comes with: pip install 'beat.backend.python[{extra}]'",
            name=module,
        )


class OutputError(Exception):
    """A database view whose outputs are not synchronised as they must be."""
