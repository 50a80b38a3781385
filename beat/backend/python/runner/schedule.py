"""The order in which blocks run: a state machine that starts nothing itself.

It takes events (a block started, finished, failed) and tells which blocks may start. Every block
comes to exactly one end. Moves that cannot be are errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WAITING = "waiting"
RUNNING = "running"
DONE = "done"
CACHED = "cached"
FAILED = "failed"
SKIPPED = "skipped"

ENDS = frozenset([DONE, CACHED, FAILED, SKIPPED])


class Schedule:
    """The states of the blocks of a plan.

    Parameters
    ----------
    dependencies : dict
        For each block, in the order of execution, the names of those it depends on.
    keep_going : bool
        Whether blocks that do not depend on a failed one are still started.

    Attributes
    ----------
    states : dict
        The state of each block, by name.
    """

    def __init__(self, dependencies: Mapping[str, Iterable[str]], keep_going: bool = False) -> None:
        self.states = dict.fromkeys(dependencies, WAITING)
        self._dependencies = {name: frozenset(needed) for name, needed in dependencies.items()}
        self._dependants: dict[str, list[str]] = {name: [] for name in dependencies}
        for name, needed in self._dependencies.items():
            for other in needed:
                self._dependants[other].append(name)
        self._missing = {name: len(needed) for name, needed in self._dependencies.items()}
        self._ready = [name for name, missing in self._missing.items() if not missing]
        self._keep_going = keep_going

    @property
    def over(self) -> bool:
        """Whether every block has come to its end."""
        return all(state in ENDS for state in self.states.values())

    @property
    def failed(self) -> list[str]:
        """The names of the blocks that failed."""
        return [name for name, state in self.states.items() if state == FAILED]

    def ready(self) -> list[str]:
        """Return the blocks that may start now."""
        return list(self._ready)

    def start(self, name: str) -> None:
        """Note that a block is running now."""
        self._move(name, WAITING, RUNNING)
        self._ready.remove(name)

    def finish(self, name: str, cached: bool = False) -> None:
        """Note that the outputs of a block are there."""
        self._move(name, RUNNING, CACHED if cached else DONE)
        for other in self._dependants[name]:
            self._missing[other] -= 1
            if not self._missing[other] and self.states[other] == WAITING:
                self._ready.append(other)

    def fail(self, name: str) -> None:
        """Note that a block failed: what depends on it, or everything else, will not start."""
        self._move(name, RUNNING, FAILED)
        if self._keep_going:
            self._skip(self._dependants[name])
        else:
            self.stop()

    def stop(self) -> None:
        """Start nothing any more."""
        self._skip([name for name, state in self.states.items() if state == WAITING])

    def _skip(self, names: Iterable[str]) -> None:
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if self.states[name] == WAITING:
                self.states[name] = SKIPPED
                waiting += self._dependants[name]
        self._ready = [name for name in self._ready if self.states[name] == WAITING]

    def _move(self, name: str, before: str, after: str) -> None:
        if self.states[name] != before or (before == WAITING and name not in self._ready):
            raise RuntimeError(
                f"block `{name}' is {self.states[name]}: it cannot become {after} "
                f"(states: {self.states})"
            )
        self.states[name] = after
