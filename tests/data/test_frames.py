"""Messages that go on and on are not kept, whoever sends them."""

from __future__ import annotations

import pytest
import zmq
from support.pairs import peer

from beat.backend.python.data import RemoteDataSource, RemoteException
from beat.backend.python.data.frames import receive_frames
from beat.backend.python.data.limits import (
    MAX_ANSWER_FRAMES,
    MAX_REQUEST_FRAMES,
    VARIABLE,
    max_unit_bytes,
)
from beat.backend.python.data.wire import conversation


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize(("sent", "kept"), [(1, 1), (3, 3), (4, 4), (5, 4), (1000, 4)])
def test_one_frame_more_than_allowed_is_kept(sent: int, kept: int, copy: bool) -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as a, context.socket(zmq.PAIR) as b:
        a.bind("inproc://frames")
        b.connect("inproc://frames")
        a.send_multipart([b"%d" % i for i in range(sent)])
        a.send_multipart([b"next"])
        frames = receive_frames(b, 3, copy)
        assert [bytes(frame) for frame in frames] == [b"%d" % i for i in range(kept)]
        assert receive_frames(b, 3) == [b"next"]


@pytest.mark.parametrize("shared", [True, False])
def test_answers_that_go_on_and_on(shared: bool) -> None:
    long = [b"0"] * (MAX_ANSWER_FRAMES + 1)
    with peer(lambda request: long if request == [b"long"] else long[1:]) as (_, socket):
        talk = conversation(socket)
        ticket = talk.send(b"long", shared=shared)
        with pytest.raises(RemoteException, match="answer of more than 16 frames") as caught:
            talk.receive(ticket)
        assert caught.value.system_error
        assert talk.receive(talk.send(b"short", shared=shared)) == long[1:]


def test_the_list_of_units_may_be_long(prefix: str) -> None:
    count = 100_000
    answer = [b"%d" % count, *(b"%d" % (i // 2) for i in range(2 * count))]
    with peer(lambda request: answer) as (_, socket):
        source = RemoteDataSource()
        assert source.setup(socket, "in", "user/single_integer/1", prefix)
        assert len(source) == count


def test_more_frames_than_any_request_has() -> None:
    from beat.backend.python.execution.service import Service

    for name in (b"ifo", b"ack", b"don", b"odd"):
        reply = Service().reply([name] * (MAX_REQUEST_FRAMES + 1))
        assert reply.frames == [b"err", b"sys", b"a request of more than 16 frames"]
        assert reply.last
        assert reply.failed


def test_the_largest_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with open("/proc/meminfo") as f:
        total = int(f.readline().split()[1]) << 10
    assert 0.9 * total < max_unit_bytes() < 1.2 * total
    monkeypatch.setenv(VARIABLE, "1000")
    assert max_unit_bytes() == 1000


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "many", "1 000", "\u0661"])
def test_what_is_no_size(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"{VARIABLE}: expected a number of bytes"):
        max_unit_bytes()
