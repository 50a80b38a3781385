"""The processes that work on one flow together: one alone, or the ranks of MPI.

Nothing else in the package talks to MPI but the opening of files. MPI is used when it is there
(``mpi4py``, and an ``h5py`` built for it) and not switched off by ``--nompi`` on the command line
or by the environment variable ``H5FLOW_NOMPI``.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib.util import find_spec
from types import TracebackType
from typing import Any

import h5py

from ..exceptions import MissingExtra
from .errors import OtherProcessFailed

# How the launchers of Open MPI, MPICH and their relatives tell a process how many there are.
_LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")


def _launched() -> int:
    """Return how many processes were started together, as the launcher says."""
    return max((int(os.environ.get(name) or 1) for name in _LAUNCHERS), default=1)


def _mpi_is_wanted() -> bool:
    if os.environ.get("H5FLOW_NOMPI") or "--nompi" in sys.argv:
        return False
    return _launched() > 1 or (bool(h5py.get_config().mpi) and find_spec("mpi4py") is not None)


#: whether flows use MPI unless they are told otherwise
H5FLOW_MPI: bool = _mpi_is_wanted()


class Processes:
    """The processes of one flow and what they tell each other.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm or None
        All of them; None without MPI.
    rank, size : int
        The number of this one, and how many there are; 0 and 1 without MPI.
    """

    def __init__(self, comm: Any = None) -> None:
        self.comm = comm
        self.rank: int = 0 if comm is None else comm.Get_rank()
        self.size: int = 1 if comm is None else comm.Get_size()

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in the order of their ranks."""
        return [value] if self.size == 1 else list(self.comm.allgather(value))

    def from_first(self, value: Any) -> Any:
        """Return the value that the first process gave."""
        return value if self.size == 1 else self.comm.bcast(value, root=0)

    def barrier(self) -> None:
        """Wait for all others."""
        if self.size > 1:
            self.comm.Barrier()

    def agree(self, problem: Exception | None, outcomes: list[str | None] | None = None) -> None:
        """Raise on every process if one of them has a problem, so that none waits for it.

        Parameters
        ----------
        problem : Exception or None
            What this process has.
        outcomes : list of (str or None), optional
            The texts of all processes, when they were exchanged already.

        Raises
        ------
        Exception
            The own problem.
        OtherProcessFailed
            The first problem of another process.
        """
        if outcomes is None:
            outcomes = self.gather(describe(problem))
        if problem is not None:
            raise problem
        for rank, text in enumerate(outcomes):
            if text is not None:
                raise OtherProcessFailed(f"process {rank} of {self.size} failed: {text}")

    def abort(self, error: BaseException) -> None:
        """End all processes, after showing why."""
        _show(self.rank, self.size, error)
        if self.size > 1:
            self.comm.Abort(1)


def describe(problem: Exception | None) -> str | None:
    """Return a problem as the text that other processes are told."""
    return None if problem is None else f"{type(problem).__name__}: {problem}"


ALONE = Processes()
_world: Processes | None = None


def world(mpi: bool = H5FLOW_MPI) -> Processes:
    """Return the processes of this run.

    With several of them, an exception that nothing catches on one ends all.

    Raises
    ------
    ImportError
        If there are several, but a part that they need is missing.
    """
    global _world
    if not mpi:
        return ALONE
    if _world is None:
        _world = _connect()
    return _world


def _connect() -> Processes:
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise MissingExtra("flows of many processes", "mpi4py", "mpi") from error
    processes = Processes(MPI.COMM_WORLD)
    if h5py.get_config().mpi:
        if processes.size > 1:
            _abort_on_uncaught(processes)
        return processes
    if processes.size > 1:
        raise ImportError(
            f"{processes.size} processes on one file need an h5py that is built for MPI, and this "
            "one is not: HDF5_MPI=ON pip install --no-binary=h5py h5py (or, to let each process "
            "work alone, --nompi)",
            name="h5py",
        )
    return ALONE


def _abort_on_uncaught(processes: Processes) -> None:
    """Make an uncaught exception end all processes: the others would wait for this one forever."""

    def abort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        processes.abort(error)

    sys.excepthook = abort


def _show(rank: int, size: int, error: BaseException) -> None:
    prefix = f"[process {rank} of {size}] " if size > 1 else ""
    text = "".join(traceback.format_exception(error))
    sys.stderr.write("".join(f"{prefix}{line}\n" for line in text.splitlines()))
    sys.stderr.flush()
