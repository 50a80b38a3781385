"""The commands of the wire protocol, without sockets."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from beat.backend.python.data import DataSource
from beat.backend.python.data.indices import Intervals
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.exceptions import RemoteException, UserError
from beat.backend.python.execution.failures import Failure
from beat.backend.python.execution.service import ACK, Reply, Service


class Units(DataSource):
    """Units given as they are; exceptions among them are raised."""

    def __init__(self, *units: tuple[Any, int, int]) -> None:
        super().__init__()
        self.units = units
        self.infos = [(start, end) for _, start, end in units]

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        if not 0 <= index < len(self.units):
            return None, None, None
        if isinstance(self.units[index][0], BaseException):
            raise self.units[index][0]
        return self.units[index]


class OnlyItems(DataSource):
    """A source of a third party: no base constructor, no list of units."""

    def __init__(self) -> None:
        pass

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        return (b"x%d" % index, 2 * index, 2 * index + 1) if 0 <= index < 3 else (None, None, None)


@pytest.fixture
def service() -> Service:
    return Service({"in": Units((b"one", 0, 4), (b"two", 5, 5)), "empty": Units()})


def ask(service: Service, *frames: bytes) -> Reply:
    reply = service.reply(frames)
    return Reply([*reply.frames], reply.last, reply.failed)


def test_info(service: Service) -> None:
    assert ask(service, b"ifo", b"in") == ([b"2", b"0", b"4", b"5", b"5"], False, False)


def test_info_of_nothing_is_a_single_frame(service: Service) -> None:
    assert ask(service, b"ifo", b"empty") == ([b"0"], False, False)
    assert Intervals.from_frames(ask(service, b"uni", b"in").frames) == [(0, 4), (5, 5)]
    assert Intervals.from_frames(ask(service, b"uni", b"empty").frames) == []


def test_info_of_a_third_partys_source() -> None:
    reply = ask(Service({"in": OnlyItems()}), b"ifo", b"in")
    assert reply.frames == [b"3", b"0", b"1", b"2", b"3", b"4", b"5"]


def test_info_asks_the_source_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Units((b"one", 0, 4))
    monkeypatch.setattr(source, "data_indices", lambda: [(0, 1), (2, 4)])
    assert ask(Service({"in": source}), b"ifo", b"in").frames == [b"2", b"0", b"1", b"2", b"4"]
    stand_in = SimpleNamespace(data_indices=source.data_indices)
    assert ask(Service({"in": stand_in}), b"ifo", b"in").frames == [b"2", b"0", b"1", b"2", b"4"]


def test_get_passes_bytes_through(service: Service) -> None:
    assert ask(service, b"get", b"in", b"1") == ([b"5", b"5", b"two"], False, False)


def test_get_packs_instances(prefix: str) -> None:
    data = DataFormat(prefix, {"value": "int32"}).type(value=numpy.int32(7))
    service = Service({"in": Units((data, 0, 0))})
    assert ask(service, b"get", b"in", b"0").frames == [b"0", b"0", b"\x07\0\0\0"]


def test_get_of_a_unit_without_data() -> None:
    service = Service({"in": Units((None, 3, 4))})
    assert ask(service, b"get", b"in", b"0").frames == [b"3", b"4", b""]


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([b"ifo", b"nobody"], "unknown input `nobody', known: empty, in"),
        ([b"ifo", b"\xff\xfe"], "unknown input"),
        ([b"ifo"], "`ifo' takes 1 argument(s), got 0"),
        ([b"ifo", b"in", b"0"], "`ifo' takes 1 argument(s), got 2"),
        ([b"get", b"in", b"2"], "input `in' has no unit `2'"),
        ([b"get", b"in", b"-1"], "input `in' has no unit `-1'"),
        ([b"get", b"in", b"99999999999999999999999"], "has no unit"),
        ([b"get", b"in", b"one"], "the index must be a number, got `one'"),
        ([b"get", b"in", b""], "the index must be a number, got `'"),
        ([b"get", b"in", b"9" * 10_000], "the index must be a number"),
        ([b"get", b"nobody", b"0"], "unknown input `nobody'"),
        ([b"get", b"in"], "`get' takes 2 argument(s), got 1"),
        ([b"uni", b"nobody"], "unknown input `nobody'"),
    ],
)
def test_bad_read_requests_are_system_errors_and_end_nothing(
    service: Service, frames: list[bytes], text: str
) -> None:
    reply = ask(service, *frames)
    assert reply.frames[:2] == [b"err", b"sys"]
    assert text in reply.frames[2].decode()
    assert (reply.last, reply.failed) == (False, True)
    assert text in service.system_error
    assert ask(service, b"get", b"in", b"0").frames == [b"0", b"4", b"one"]


@pytest.mark.parametrize(
    "frames",
    [
        [b"foo"],
        [b""],
        [b"\xff"],
        [b"don", b"{", b"}"],
        [b"don", b"no json"],
        [b"don", b"[]"],
        [b"err", b"usr"],
    ],
)
def test_what_is_no_command_ends_the_service(service: Service, frames: list[bytes]) -> None:
    reply = ask(service, *frames)
    assert reply.frames[:2] == [b"err", b"sys"]
    assert (reply.last, reply.failed) == (True, True)
    assert service.system_error
    assert not service.user_error


def test_long_names_are_not_repeated_in_full(service: Service) -> None:
    assert len(ask(service, b"x" * 1_000_000).frames[2]) < 1000


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (UserError("odd image"), b"usr", "'odd image'"),
        (RuntimeError("no image"), b"usr", "no image"),
        (RemoteException("sys", "behind"), b"sys", "behind"),
        (RemoteException("usr", "below"), b"usr", "below"),
        (KeyError("x"), b"sys", "KeyError"),
        (SystemExit(3), b"sys", "SystemExit"),
    ],
)
def test_a_source_that_raises_once(error: BaseException, kind: bytes, text: str) -> None:
    service = Service({"in": Units((error, 0, 0), (b"good", 1, 1))})
    reply = ask(service, b"get", b"in", b"0")
    assert reply.frames[:2] == [b"err", kind]
    assert text in reply.frames[2].decode()
    assert (reply.last, reply.failed) == (False, True)
    assert ask(service, b"get", b"in", b"1").frames == [b"1", b"1", b"good"]


def test_done_with_statistics(service: Service) -> None:
    told = {"network": {"wait_time": 0.5}, "files": []}
    assert ask(service, b"don", json.dumps(told).encode()) == (ACK, True, False)
    assert service.statistics == told
    assert service.finished


def test_done_without_statistics(service: Service) -> None:
    assert ask(service, b"don") == (ACK, True, False)
    assert service.statistics == {}
    assert service.finished


@pytest.mark.parametrize(
    ("kind", "user_error", "system_error"),
    [(b"usr", "what", ""), (b"sys", "", "what"), (b"odd", "what", "")],
)
def test_the_other_sides_failure(
    service: Service, kind: bytes, user_error: str, system_error: str
) -> None:
    assert ask(service, b"err", kind, b"what") == (ACK, True, False)
    assert (service.user_error, service.system_error) == (user_error, system_error)
    assert not service.finished


def test_an_acknowledgement_needs_no_answer(service: Service) -> None:
    assert ask(service, b"ack") == ([], False, False)


@pytest.mark.parametrize("frames", [[b"ifo", b"in"], [b"don"], [b"val", b""], [b"what"]])
def test_a_service_that_could_not_be_set_up_says_why(service: Service, frames: list[bytes]) -> None:
    service.refuse(Failure("usr", "NameError"))
    assert ask(service, *frames) == ([b"err", b"usr", b"NameError"], True, True)
    assert service.user_error == "NameError"
    assert not service.finished


def test_a_service_that_could_not_be_set_up_listens_to_failures(service: Service) -> None:
    service.refuse(Failure("usr", "NameError"))
    assert ask(service, b"err", b"sys", b"gone mad") == (ACK, True, False)


def test_texts_that_are_no_utf8(service: Service) -> None:
    ask(service, b"err", b"usr", b"\xff")
    assert service.user_error == "\N{REPLACEMENT CHARACTER}"
    service.refuse(Failure("usr", "\ud800"))
    assert ask(service, b"ifo", b"in").frames[2] == b"\\ud800"
