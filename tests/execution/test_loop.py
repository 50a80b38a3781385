"""Loops, in one process: an executor for each side, and the channel between them."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy
import pytest
from support.blocks import INTEGER, Workspace, side
from support.peers import Peers, ask

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution import (
    AlgorithmExecutor,
    DBExecutor,
    LoopChannel,
    LoopExecutor,
    LoopMessageHandler,
)

PAIRINGS = [
    ("autonomous", "autonomous"),
    ("sequential", "autonomous"),
    ("sequential", "sequential"),
]
NUMBERS = [3, 4, 5]
LOOP = {"request": {"type": INTEGER}, "answer": {"type": INTEGER}}
GROUPS = [
    {"inputs": {"in": {"type": INTEGER}}, "outputs": {"out": {"type": INTEGER}}, "loop": LOOP}
]

# guesses: the processor starts from the number and adds what the evaluator answers
GUESSED = {"autonomous": [5, 5, 5], "sequential": [30, 40, 50]}
COUNTED = {"autonomous": [3, 2, 1], "sequential": [5, 7, 8]}


class Loop:
    """Both sides of a loop and what they talk to."""

    def __init__(self, workspace: Workspace, peers: Peers, **arguments: Any) -> None:
        self.workspace = workspace
        self.peers = peers
        self.driver = peers.handler()
        self.driver.start()
        self.handler = peers.keep(LoopMessageHandler("127.0.0.1"))
        self.evaluator = self.executor(LoopExecutor, self.handler, **arguments)
        assert self.evaluator.setup()
        assert self.evaluator.prepare()
        assert self.evaluator.process()
        self.loop_socket = peers.client(self.handler)
        self.processor = self.executor(
            AlgorithmExecutor, peers.client(self.driver), loop_socket=self.loop_socket
        )

    def executor(self, klass: Any, first: Any, **arguments: Any) -> Any:
        return klass(
            first,
            str(self.workspace.directory),
            cache_root=str(self.workspace.cache),
            **arguments,
        )

    def run(self) -> bool:
        return self.processor.setup() and self.processor.prepare() and self.processor.process()

    def end(self) -> None:
        self.evaluator.close()
        self.evaluator.wait()


def configure(
    workspace: Workspace, processor: str, evaluator: str, numbers: Any = NUMBERS, **more: Any
) -> None:
    """Configure a loop whose two sides read the same numbers."""
    given = workspace.write_input("in", numbers)
    workspace.configure(
        processor,
        {"in": given},
        loop=side(evaluator, {"in": given}, output_path="evaluated", **more),
        **more,
    )


def bring(workspace: Workspace, processor: str, evaluator: str, **more: Any) -> None:
    names = [f"user/guess_processor_{processor}/1", f"user/guess_evaluator_{evaluator}/1"]
    for name in names:
        workspace.bring(name)
    configure(workspace, names[0], names[1], **more)


@pytest.mark.parametrize(("processor", "evaluator"), PAIRINGS)
def test_pairings(workspace: Workspace, peers: Peers, processor: str, evaluator: str) -> None:
    bring(workspace, processor, evaluator)
    loop = Loop(workspace, peers)
    assert loop.run()
    loop.end()
    assert workspace.units() == [(v, i, i) for i, v in enumerate(GUESSED[evaluator])]
    assert workspace.units("evaluated") == [(v, i, i) for i, v in enumerate(COUNTED[evaluator])]
    assert not loop.handler.is_alive()
    assert loop.driver.statistics["blocks"]["write"] == 3


def test_the_evaluators_outputs_are_there_before_the_processors_end(
    workspace: Workspace, peers: Peers
) -> None:
    bring(workspace, "sequential", "sequential")
    loop = Loop(workspace, peers)
    assert loop.run()
    assert workspace.values("evaluated") == COUNTED["sequential"]  # nobody has closed it yet
    loop.end()


@pytest.mark.parametrize("evaluator", ["autonomous", "sequential"])
def test_a_range(workspace: Workspace, peers: Peers, evaluator: str) -> None:
    bring(workspace, "sequential", evaluator, range=[1, 2])
    loop = Loop(workspace, peers)
    assert loop.run()
    loop.end()
    assert workspace.units() == [(v, i, i) for i, v in enumerate(GUESSED[evaluator])][1:]
    assert "evaluated.1.2.data" in workspace.files("evaluated")


def test_the_range_of_the_block_is_that_of_both_sides(workspace: Workspace, peers: Peers) -> None:
    bring(workspace, "sequential", "sequential", range=[1, 2])
    del workspace.configuration["loop"]["range"]
    workspace.write_configuration()
    loop = Loop(workspace, peers)
    assert loop.run()
    loop.end()
    assert workspace.values() == [40, 50]
    assert [start for _, start, _ in workspace.units("evaluated")] == [1, 2]


def test_a_configuration_without_loop(workspace: Workspace, peers: Peers) -> None:
    bring(workspace, "sequential", "sequential")
    del workspace.configuration["loop"]
    workspace.write_configuration()
    with pytest.raises(ValueError, match="no part `loop'"):
        LoopExecutor(peers.keep(LoopMessageHandler("127.0.0.1")), str(workspace.directory))


def test_an_evaluator_that_reads_a_database(workspace: Workspace, peers: Peers) -> None:
    bring(workspace, "sequential", "autonomous", numbers=[3, 4, 5, 6])
    workspace.bring_database("simple/1")
    evaluator = workspace.configuration["loop"]
    evaluator["inputs"] = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    workspace.write_configuration()
    provider = peers.handler()
    databases = DBExecutor(provider, str(workspace.prefix), str(workspace.cache), evaluator)
    assert databases.process()
    loop = Loop(workspace, peers, db_socket=peers.client(provider))
    assert loop.run()
    loop.end()
    assert workspace.values() == [103, 103, 103, 103]
    databases.wait()  # the evaluator has told it


@pytest.mark.parametrize("order", ["cw", "wc", "cwc", "ccww"])
def test_close_and_wait_in_any_order(workspace: Workspace, peers: Peers, order: str) -> None:
    bring(workspace, "sequential", "sequential")
    loop = Loop(workspace, peers)
    assert loop.run()
    for step in order:
        loop.evaluator.close() if step == "c" else loop.evaluator.wait()
    assert workspace.values("evaluated") == COUNTED["sequential"]


def test_wait_without_process(workspace: Workspace, peers: Peers) -> None:
    bring(workspace, "sequential", "sequential")
    handler = peers.keep(LoopMessageHandler("127.0.0.1"))
    evaluator = LoopExecutor(handler, str(workspace.directory), cache_root=str(workspace.cache))
    assert evaluator.valid
    assert evaluator.address == handler.address
    evaluator.wait()
    evaluator.close()
    evaluator.close()
    assert workspace.files("evaluated") == []


# failures

EVALUATOR = """
import numpy

class Algorithm:
    def read(self, inputs):
        {read}

    def validate(self, hypothesis):
        {validate}

    def write(self, outputs, processor_output_name, end_data_index):
        {write}
"""
GOOD = {
    "read": "pass",
    "validate": "return True, {'value': numpy.int32(0)}",
    "write": "outputs['out'].write({'value': numpy.int32(0)}, end_data_index)",
}


def faulty_evaluator(workspace: Workspace, **bodies: str) -> None:
    """Configure a loop whose evaluator has other bodies in some methods."""
    workspace.bring("user/guess_processor_sequential/1")
    workspace.write_algorithm(
        EVALUATOR.format(**{**GOOD, **bodies}),
        type="sequential_loop_evaluator",
        groups=GROUPS,
        schema_version=3,
    )
    configure(workspace, "user/guess_processor_sequential/1", "user/tested/1")


def test_the_evaluator_without_faults(workspace: Workspace, peers: Peers) -> None:
    faulty_evaluator(workspace)
    loop = Loop(workspace, peers)
    assert loop.run()
    loop.end()
    assert workspace.values("evaluated") == [0, 0, 0]


@pytest.mark.parametrize(
    ("method", "body", "kind", "text"),
    [
        ("read", "a = b", "usr", 'tested/1.py", line 6, in read\n    a = b'),
        ("validate", "a = b", "usr", "NameError"),
        ("write", "a = b", "usr", "in write\n    a = b"),
        ("validate", "return True", "usr", "must return a tuple, got bool"),
        ("validate", "return (True,)", "usr", "two values, got 1"),
        ("validate", "return True, None", "usr", "got NoneType"),
        ("validate", "return True, {}", "usr", "value"),
        ("validate", "return True, {'value': 1.5}", "usr", "value"),
        ("validate", "import sys; sys.exit(0)", "usr", "SystemExit"),
        ("validate", "raise MemoryError", "usr", "out of memory"),
        ("write", "outputs['foo'].write({})", "usr", "'NoneType' object has no attribute 'write'"),
        ("write", "pass", "usr", "missing data on the output(s) `out'"),
    ],
)
def test_an_evaluator_that_fails_ends_both_sides(
    workspace: Workspace, peers: Peers, method: str, body: str, kind: str, text: str
) -> None:
    faulty_evaluator(workspace, **{method: body})
    loop = Loop(workspace, peers)
    began = time.monotonic()
    with pytest.raises(RemoteException) as info:
        loop.run()
    assert time.monotonic() - began < 5
    assert info.value.kind == kind
    assert text in str(info.value)
    assert str(workspace.prefix) not in str(info.value)
    loop.end()
    assert not loop.handler.is_alive()
    assert text in loop.handler.user_error
    assert workspace.files() == workspace.files("evaluated") == []


PROCESSOR = """
import numpy

class Algorithm:
    def setup(self, parameters):
        return {setup}

    def process(self, inputs, data_loaders, outputs, loop_channel):
        loop_channel.validate({{'value': numpy.int32(1)}})
        {process}
"""


def faulty_processor(workspace: Workspace, process: str, setup: str = "True") -> None:
    workspace.bring("user/guess_evaluator_sequential/1")
    workspace.write_algorithm(
        PROCESSOR.format(process=process, setup=setup),
        type="sequential_loop_processor",
        groups=GROUPS,
        schema_version=3,
    )
    configure(workspace, "user/tested/1", "user/guess_evaluator_sequential/1")


def test_a_processor_that_raises_ends_both_sides(workspace: Workspace, peers: Peers) -> None:
    faulty_processor(workspace, "a = b")
    loop = Loop(workspace, peers)
    with pytest.raises(NameError):
        loop.run()
    loop.handler.join(5)
    assert not loop.handler.is_alive()
    assert "a = b" in loop.handler.user_error
    loop.end()
    assert workspace.files() == workspace.files("evaluated") == []


def test_a_processor_that_returns_false_ends_both_sides(workspace: Workspace, peers: Peers) -> None:
    faulty_processor(workspace, "return False")
    loop = Loop(workspace, peers)
    assert loop.run() is False
    loop.handler.join(5)
    assert not loop.handler.is_alive()
    assert "False" in loop.handler.user_error
    loop.end()
    assert workspace.files() == workspace.files("evaluated") == []


def test_a_failing_setup_tells_nobody(workspace: Workspace, peers: Peers) -> None:
    faulty_processor(workspace, "return True", setup="False")
    loop = Loop(workspace, peers)
    assert loop.processor.setup() is False
    assert loop.handler.is_alive()
    assert (loop.handler.user_error, loop.handler.system_error) == ("", "")


def test_a_deaf_evaluator_holds_nothing_up(workspace: Workspace, peers: Peers) -> None:
    faulty_processor(workspace, "pass")
    handler = peers.keep(LoopMessageHandler("127.0.0.1"))  # never started
    processor = AlgorithmExecutor(
        None,
        str(workspace.directory),
        cache_root=str(workspace.cache),
        loop_socket=peers.client(handler),
    )
    processor.runner.obj.process = lambda *args, loop_channel=None: 1 / 0
    processor.loop_channel.advance = lambda: None
    assert processor.setup()
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        processor.process()
    assert time.monotonic() - began < 10


def test_an_evaluator_that_disappears(workspace: Workspace, peers: Peers) -> None:
    release = threading.Event()
    faulty_evaluator(workspace)
    loop = Loop(workspace, peers)
    loop.evaluator.runner.obj.validate = lambda hypothesis: release.wait(20)
    threading.Timer(0.5, loop.handler.stop.set).start()
    threading.Timer(0.6, release.set).start()
    threading.Timer(1.0, loop.handler.destroy).start()
    with pytest.raises(RemoteException, match="gone"):
        loop.run()
    assert workspace.files() == []


def test_what_is_no_hypothesis(workspace: Workspace, peers: Peers) -> None:
    bring(workspace, "sequential", "sequential")
    loop = Loop(workspace, peers)
    answer = ask(loop.loop_socket, b"val", b"x")
    assert answer[:2] == [b"err", b"sys"]
    loop.handler.join(5)
    assert not loop.handler.is_alive()


# the channel


def test_a_channel_that_is_not_set_up(peers: Peers) -> None:
    handler = peers.handler()
    with pytest.raises(RuntimeError, match="not set up"):
        LoopChannel(peers.client(handler)).validate({})


def test_a_channel_of_an_algorithm_without_loop(peers: Peers, prefix: str) -> None:
    channel = LoopChannel(peers.client(peers.handler()))
    with pytest.raises(RuntimeError, match="declares no loop"):
        channel.setup(Algorithm(prefix, "user/echo_sequential/1"), prefix)


@pytest.mark.parametrize(
    ("hypothesis", "error"),
    [({"value": 1.5}, TypeError), ({}, AttributeError), ({"x": 1, "value": 0}, AttributeError)],
)
def test_hypotheses_are_cast_safely(
    peers: Peers, prefix: str, hypothesis: dict[str, Any], error: type[Exception]
) -> None:
    channel = LoopChannel(peers.client(peers.handler()))
    channel.setup(Algorithm(prefix, "user/guess_processor_sequential/1"), prefix)
    with pytest.raises(error):
        channel.validate(hypothesis)


@pytest.mark.parametrize(
    "answer", [[b"True"], [b"maybe", b"\0" * 4], [b"ack"], [b"True", b"", b""]]
)
def test_odd_answers(peers: Peers, prefix: str, answer: list[bytes]) -> None:
    server = peers.handler().socket  # its thread does not run
    channel = LoopChannel(peers.client(peers.handlers[0]))
    channel.setup(Algorithm(prefix, "user/guess_processor_sequential/1"), prefix)
    channel._conversation.send(b"warm", b"up").forget()
    server.recv_multipart()
    server.send_multipart([b"ack"])
    server.send_multipart(answer)
    with pytest.raises(RemoteException, match="answered"):
        channel.validate({"value": numpy.int32(1)})


def test_the_wire(peers: Peers, prefix: str) -> None:
    server = peers.handler().socket
    channel = LoopChannel(peers.client(peers.handlers[0]))
    channel.setup(Algorithm(prefix, "user/guess_processor_sequential/1"), prefix)
    number = DataFormat(prefix, INTEGER).type
    requests: list[list[bytes]] = []

    def serve() -> None:
        requests.append(server.recv_multipart())
        server.send_multipart([b"False", number(value=numpy.int32(8)).pack()])

    thread = threading.Thread(target=serve)
    thread.start()
    accepted, answer = channel.validate({"value": numpy.int32(7)})
    thread.join()
    assert requests == [[b"val", number(value=numpy.int32(7)).pack()]]
    assert (accepted, answer.value) == (False, 8)
