"""What is answered to whom: the commands of the wire protocol, without any socket.

A service gets the frames of a request and returns those of the answer, and whether it is the last
one. The threads of :mod:`.messagehandlers` carry them over sockets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data.limits import MAX_REQUEST_FRAMES
from ..data.source import intervals_of
from ..exceptions import UserError
from .failures import Failure, describe_failure

if TYPE_CHECKING:
    from ..algorithm import Algorithm
    from .loop import LoopExecutor

ACK = [b"ack"]

MISFITS = (AttributeError, TypeError, ValueError, OverflowError)
"""What is raised when data does not fit its format: it is whoever made the data that failed"""


class Reply(NamedTuple):
    """What to answer.

    Attributes
    ----------
    frames : list of bytes
        The answer; no frames, no answer.
    last : bool
        Whether nothing more will be answered.
    failed : bool
        Whether the request failed.
    """

    frames: Sequence[bytes]
    last: bool = False
    failed: bool = False


class BadRequestError(Exception):
    """A request that the other side should not have made."""


class Command(NamedTuple):
    """How a request is answered.

    Attributes
    ----------
    answer : callable
        Gets the frames after the first.
    counts : tuple of int
        How many of those there may be.
    fatal : bool
        Whether a failure ends the service.
    """

    answer: Callable[..., Reply]
    counts: tuple[int, ...]
    fatal: bool


class Service:
    """Serves data sources, and hears how the other side ended.

    Parameters
    ----------
    data_sources : dict, optional
        Data sources by the name of the input.

    Attributes
    ----------
    statistics : dict
        What the other side reported at its end.
    user_error, system_error : str
        What the last failure was, at either side; whose it was decides where it stands.
    finished : bool
        Whether the other side has said that it is done.
    prefix : str
        The folder of the users' files.
    """

    def __init__(self, data_sources: Mapping[str, Any] | None = None) -> None:
        self.data_sources: Mapping[str, Any] = data_sources or {}
        self.statistics: dict[str, Any] = {}
        self.user_error = ""
        self.system_error = ""
        self.finished = False
        self.prefix = ""
        self._refusal: Failure | None = None
        self._commands = {
            b"ifo": Command(self._info, (1,), fatal=False),
            b"uni": Command(self._units, (1,), fatal=False),
            b"get": Command(self._get, (2,), fatal=False),
            b"don": Command(self._done, (0, 1), fatal=True),
            b"err": Command(self._error, (2,), fatal=True),
        }

    def refuse(self, failure: Failure) -> None:
        """Answer with a failure whatever is asked from now on."""
        self._refusal = failure

    def reply(self, frames: Sequence[bytes]) -> Reply:
        """Answer a request, with ``err`` if it cannot be answered otherwise."""
        if len(frames) > MAX_REQUEST_FRAMES:
            text = f"a request of more than {MAX_REQUEST_FRAMES} frames"
            return self._failed(Failure("sys", text), fatal=True)
        name, *arguments = frames
        if name == b"ack":
            return Reply([])  # some peers acknowledge an `err' they got
        command = self._commands.get(name)
        try:
            if name != b"err" and self._refusal is not None:
                return self._failed(self._refusal, fatal=True)
            if command is None:
                raise BadRequestError(f"unknown command {_shown(name)}")
            if len(arguments) not in command.counts:
                raise BadRequestError(
                    f"`{name.decode()}' takes {' or '.join(map(str, command.counts))} "
                    f"argument(s), got {len(arguments)}"
                )
            return command.answer(*arguments)
        except BadRequestError as error:
            failure = Failure("sys", str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
            failure = describe_failure(error, self.prefix)
        return self._failed(failure, fatal=command is None or command.fatal)

    def _failed(self, failure: Failure, fatal: bool) -> Reply:
        self.note(failure)
        return Reply(failure_frames(failure), last=fatal, failed=True)

    def note(self, failure: Failure) -> None:
        """Keep a failure for whoever asks at the end."""
        if failure.kind == "sys":
            self.system_error = failure.text
        else:
            self.user_error = failure.text

    def _source(self, name: bytes) -> Any:
        source = self.data_sources.get(name.decode("utf-8", "replace"))
        if source is None:
            known = ", ".join(sorted(self.data_sources)) or "none"
            raise BadRequestError(f"unknown input {_shown(name)}, known: {known}")
        return source

    def _info(self, name: bytes) -> Reply:
        units = intervals_of(self._source(name))
        limits = chain.from_iterable(zip(units.starts, units.ends, strict=True))
        return Reply([b"%d" % len(units), *(b"%d" % index for index in limits)])

    def _units(self, name: bytes) -> Reply:
        return Reply(intervals_of(self._source(name)).as_frames())

    def _get(self, name: bytes, index: bytes) -> Reply:
        source, position = self._source(name), _number(index, "index")
        try:
            data, start, end = source[position]
            packed = _packed(data)
        except MISFITS as error:
            raise UserError(error) from error
        if start is None:
            raise BadRequestError(f"input {_shown(name)} has no unit {_shown(index)}")
        return Reply([b"%d" % start, b"%d" % end, packed])

    def _done(self, statistics: bytes = b"{}") -> Reply:
        try:
            told = json.loads(statistics)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise BadRequestError(f"statistics must be a JSON object, got {_shown(statistics)}")
        self.statistics = told
        self.finished = True
        return Reply(ACK, last=True)

    def _error(self, kind: bytes, message: bytes) -> Reply:
        self.note(Failure(kind.decode("utf-8", "replace"), message.decode("utf-8", "replace")))
        return Reply(ACK, last=True)


class LoopService(Service):
    """Serves the processor of a loop: what it asks is answered by the evaluator.

    Attributes
    ----------
    executor : LoopExecutor or None
        Runs the evaluator.
    """

    def __init__(self, data_sources: Mapping[str, Any] | None = None) -> None:
        super().__init__(data_sources)
        self.executor: LoopExecutor | None = None
        self._request: Any = None
        self._answer: Any = None
        self._commands |= {
            b"val": Command(self._validate, (1,), fatal=True),
            b"wrt": Command(self._write, (2,), fatal=True),
            b"rdi": Command(self._read, (0,), fatal=True),
        }

    def setup(self, algorithm: Algorithm, prefix: str) -> None:
        """Take the formats of request and answer from the evaluator's declaration."""
        self.prefix = prefix
        self._request, self._answer = loop_types(algorithm)

    def _evaluator(self) -> LoopExecutor:
        if self.executor is None or self._request is None:
            raise BadRequestError("there is no evaluator here")
        return self.executor

    def _validate(self, packed: bytes) -> Reply:
        executor = self._evaluator()
        try:
            hypothesis = self._request._codec.unpack(packed)
        except Exception as error:  # noqa: BLE001 - bytes from outside
            text = f"the hypothesis is no `{self._request._name}': {error}"
            raise BadRequestError(text) from None
        judgement = executor.validate(hypothesis)
        if len(judgement) != 2:
            raise RuntimeError(f"`validate' must return two values, got {len(judgement)}")
        accepted, answer = judgement
        return Reply([b"True" if accepted else b"False", self._packed_answer(answer)])

    def _packed_answer(self, answer: Any) -> bytes:
        if isinstance(answer, dict):
            try:
                return self._answer._codec.encode(answer)  # type: ignore[no-any-return]
            except MISFITS as error:
                raise UserError(error) from error
        if getattr(answer, "_name", None) != self._answer._name:
            raise RuntimeError(
                f"`validate' must answer with a dictionary or with `{self._answer._name}', "
                f"got {type(answer).__name__}"
            )
        return type(answer)._codec.pack(answer)  # type: ignore[no-any-return]

    def _write(self, output: bytes, end: bytes) -> Reply:
        end_data_index = None if end == b"None" else _number(end, "end index")
        self._evaluator().write(output.decode("utf-8", "replace"), end_data_index)
        return Reply(ACK)

    def _read(self) -> Reply:
        self._evaluator().read()
        return Reply(ACK)

    def _done(self, statistics: bytes = b"{}") -> Reply:
        finish = getattr(self.executor, "finish", None)  # not every stand-in for one has it
        if finish is not None:
            finish()  # before the answer: after it, this process may be ended
        return super()._done(statistics)


def failure_frames(failure: Failure) -> list[bytes]:
    """Return the message that tells a failure."""
    return [b"err", failure.kind.encode(), failure.text.encode("utf-8", "backslashreplace")]


def loop_types(algorithm: Algorithm) -> tuple[Any, Any]:
    """Return the classes of a loop's hypotheses and answers, as an algorithm declares them.

    Raises
    ------
    RuntimeError
        If it declares no loop, or if a format is not valid.
    """
    try:
        names = algorithm.loop_map["request"], algorithm.loop_map["answer"]
    except KeyError as error:
        raise RuntimeError(f"algorithm `{algorithm.name}' declares no loop {error}") from None
    request, answer = (algorithm.dataformats[name].type for name in names)
    return request, answer


def _packed(data: Any) -> Any:
    if data is None:
        return b""
    if hasattr(data, "pack"):
        return data.pack()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return data
    raise TypeError(f"expected an object of the input's format or bytes, got {data!r:.200}")


def _number(text: bytes, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequestError(f"the {what} must be a number, got {_shown(text)}") from None


def _shown(frame: bytes) -> str:
    text = frame.decode("utf-8", "replace")
    return f"`{text[:200]}'"
