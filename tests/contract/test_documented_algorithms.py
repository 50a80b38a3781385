"""The examples of the users' documentation, word for word, run by the executors."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.blocks import INTEGER, MAIN, Workspace, side
from support.peers import Peers

from beat.backend.python.data import CachedDataSource
from beat.backend.python.execution import AlgorithmExecutor, LoopExecutor, LoopMessageHandler
from beat.backend.python.inputs import Input, InputGroup, InputList

#: what the documentation calls so, and leaves to its readers
PROCESSING = """
import numpy
import numpy as np

def magical_processing(*what):
    flat = [one for part in what for one in (part if isinstance(part, list) else [part])]
    return numpy.int32(sum(flat))

"""

#: inputs by name: channel, values, length of each unit
Inputs = dict[str, tuple[str, list[int], int]]

IN_AND_IN2: Inputs = {"in": (MAIN, [1, 2, 3, 4], 1), "in2": (MAIN, [10, 20], 2)}


class Block:
    """Runs algorithms on numbers, in this process."""

    def __init__(self, workspace: Workspace, peers: Peers) -> None:
        self.workspace = workspace
        self.peers = peers

    def make(
        self,
        code: str,
        inputs: Inputs,
        outputs: tuple[str, ...] = ("out",),
        values: dict[str, Any] | None = None,
        **declared: Any,
    ) -> AlgorithmExecutor:
        channels = dict.fromkeys([MAIN, *(channel for channel, _, _ in inputs.values())])
        groups: list[dict[str, Any]] = [
            {
                "inputs": {
                    name: {"type": INTEGER} for name, (c, _, _) in inputs.items() if c == channel
                }
            }
            for channel in channels
        ]
        groups[0]["outputs"] = {name: {"type": INTEGER} for name in outputs}
        name = self.workspace.write_algorithm(
            PROCESSING + textwrap.dedent(code), groups=groups, **declared
        )
        given = {
            name: {**self.workspace.write_input(name, numbers, width), "channel": channel}
            for name, (channel, numbers, width) in inputs.items()
        }
        self.workspace.configure(name, given, parameters=values or {})
        targets = {name: {"channel": MAIN, "path": name} for name in outputs}
        self.workspace.configuration["outputs"] = targets
        self.workspace.write_configuration()
        handler = self.peers.handler()
        handler.start()
        return AlgorithmExecutor(
            self.peers.client(handler),
            str(self.workspace.directory),
            cache_root=str(self.workspace.cache),
        )

    def run(self, *arguments: Any, **more: Any) -> list[tuple[Any, int, int]]:
        executor = self.make(*arguments, **more)
        assert executor.setup()
        assert executor.prepare()
        assert executor.process()
        return self.workspace.units(next(iter(executor.output_list)).name)


@pytest.fixture
def block(workspace: Workspace, peers: Peers) -> Block:
    return Block(workspace, peers)


# synchronisation


def test_one_to_one(block: Block) -> None:
    code = """
    class Algorithm:

        def process(self, inputs, data_loaders, outputs):

            # to read the field "value" on the "in" input, use "data"
            value = inputs['in'].data.value

            # do your processing and create the "output" value
            output = magical_processing(value)

            # to write "output" into the relevant endpoint use "write"
            outputs['out'].write({'value': output})

            # No error occurred, so return True
            return True
    """
    assert block.run(code, {"in": (MAIN, [5, 6, 7], 1)}) == [(5, 0, 0), (6, 1, 1), (7, 2, 2)]


def test_one_to_one_with_shared_labels(block: Block) -> None:
    code = """
    class Algorithm:

        def process(self, inputs, data_loaders, outputs):

            i1 = inputs['in'].data.value
            i2 = inputs['in2'].data.value

            out = magical_processing(i1, i2)

            outputs['out'].write({'value': out})

            return True
    """
    assert block.run(code, IN_AND_IN2) == [(11, 0, 0), (12, 1, 1), (23, 2, 2), (24, 3, 3)]


MANY_TO_ONE = """
class Algorithm:

    def __init__(self):
        self.objs = []

    def process(self, inputs, data_loaders, outputs):
        self.objs.append(inputs['in'].data.value) # accumulates

        if not (inputs['in2'].hasMoreData()):
            out = magical_processing(self.objs)
            outputs['out'].write({'value': out})
            self.objs = [] #reset accumulator for next label

        return True
"""


def test_many_to_one_as_it_is_written(block: Block) -> None:
    """There is no more data from the last label's first image on: one output for each of those."""
    assert block.run(MANY_TO_ONE, IN_AND_IN2) == [(6, 0, 2), (4, 3, 3)]


def test_many_to_one_for_each_label(block: Block) -> None:
    code = MANY_TO_ONE.replace(
        "not (inputs['in2'].hasMoreData())", "inputs['in2'].isDataUnitDone()"
    )
    assert block.run(code, IN_AND_IN2) == [(3, 0, 1), (7, 2, 3)]


UNSYNCHRONISED = """
class Algorithm:

    def __init__(self):
        self.models = []

    def prepare(self, data_loaders):

        # Loads the "model" data at the beginning
        loader = data_loaders.loaderOf('in3')
        for i in range(loader.count()):
            view = loader.view('in3', i)
            data, _, _ = view[0]
            self.models.append(data['in3'].value)
        return True


    def process(self, inputs, data_loaders, outputs):
        # N.B.: this will be called for every unit in `in'

        # Processes the current input in `in' and `in2', apply the
        # model/models
        out = magical_processing(inputs['in'].data.value,
                                 inputs['in2'].data.value,
                                 self.models)

        # Writes the output
        outputs.write({'value': out})

        return True
"""


@pytest.mark.parametrize("width", [1, 7])
def test_unsynchronised_operation(block: Block, width: int) -> None:
    inputs = {**IN_AND_IN2, "in3": ("other", [100, 200, 300], width)}
    values = [value for value, _, _ in block.run(UNSYNCHRONISED, inputs)]
    assert values == [611, 612, 623, 624]


def test_preparation(block: Block) -> None:
    code = """
    class Algorithm:

        def prepare(self, data_loaders):
            # Retrieve and prepare some data.
            data_loader = data_loaders.loaderOf('in2')
            (data, _, _) = data_loader[0]
            self.offset = data['in2'].value
            return True

        def process(self, inputs, data_loaders, outputs):
            value = magical_processing(self.offset, inputs['in'].data.value)
            outputs['out'].write({'value': value})
            return True
    """
    inputs: Inputs = {"in": (MAIN, [1, 2], 1), "in2": ("other", [50, 60], 1)}
    assert [value for value, _, _ in block.run(code, inputs)] == [51, 52]


@pytest.mark.parametrize(("given", "expected"), [({}, 0.5), ({"threshold": 2}, 2.0)])
def test_parameters(block: Block, given: dict[str, Any], expected: float) -> None:
    code = """
    class Algorithm:

        def setup(self, parameters):
            # Retrieve the value of the parameters
            self.threshold = parameters['threshold']
            return True

        def process(self, inputs, data_loaders, outputs):
            outputs['out'].write({'value': inputs['in'].data.value})
            return True
    """
    declared = {"threshold": {"default": 0.5, "type": "float32"}}
    executor = block.make(code, {"in": (MAIN, [1], 1)}, values=given, parameters=declared)
    assert executor.setup()
    assert executor.runner.obj.threshold == expected
    assert isinstance(executor.runner.obj.threshold, numpy.float32)
    assert executor.prepare()
    assert executor.process()


# lists


def test_the_list_of_inputs_and_that_of_outputs(block: Block) -> None:
    code = """
    told = []

    def print(*what):
        told.append(what)

    class Algorithm:

        def process(self, inputs, data_loaders, outputs):
            print(inputs['labels'].data_format)

            for index in range(0, inputs.length):
                print(inputs[index].data_format)

            for input in inputs:
                print(input.name)

            for input in inputs[0:2]:
                print(input.name)

            print(outputs['features'].data_format)

            for index in range(0, outputs.length):
                outputs[index].write({'value': np.int32(index)})
            assert inputs.hasMoreData() == (inputs['images'].data_index < 3)
            assert inputs.current_data_index == 2 * (inputs['images'].data_index // 2)
            assert inputs.current_end_data_index == inputs.current_data_index + 1
            assert inputs['unknown'] is inputs[3] is outputs['unknown'] is outputs[2] is None
            return True
    """
    inputs: Inputs = {
        "images": (MAIN, [1, 2, 3, 4], 1),
        "labels": (MAIN, [7, 8], 2),
        "more": (MAIN, [0, 0], 2),
    }
    executor = block.make(code, inputs, outputs=("features", "others"))
    assert executor.prepare()
    assert executor.process()
    told = executor.runner.obj.process.__globals__["told"]
    assert told[:10] == [
        *4 * [(INTEGER,)],
        ("images",),
        ("labels",),
        ("more",),
        ("images",),
        ("labels",),
        (INTEGER,),
    ]
    assert block.workspace.values("features") == [0, 0, 0, 0]
    assert block.workspace.values("others") == [1, 1, 1, 1]


def test_writing_to_some_outputs(block: Block) -> None:
    code = """
    class Algorithm:

        def process(self, inputs, data_loaders, outputs):
            for output in outputs[0:2]:
                output.write({'value': inputs[0].data.value})
            for output in outputs:
                if output.name == 'third':
                    output.write(inputs['in'].data)
            return True
    """
    names = ("first", "second", "third")
    block.run(code, {"in": (MAIN, [4, 5], 1)}, outputs=names)
    assert [block.workspace.values(name) for name in names] == 3 * [[4, 5]]


def test_the_list_of_data_loaders(block: Block) -> None:
    code = """
    class Algorithm:

        def prepare(self, data_loaders):
            # Retrieve a data loader by name
            data_loader = data_loaders['labels']
            assert data_loader.input_names() == ['label']

            # Retrieve a data loader by index
            for index in range(0, len(data_loaders)):
                assert data_loaders[index] is data_loader

            # Iteration over all data loaders
            for data_loader in data_loaders:
                assert data_loader.channel == 'labels'

            # Retrieve the data loader an input belongs to, by input name
            assert data_loaders.loaderOf('label') is data_loader
            assert data_loaders.loaderOf('in') is data_loaders['x'] is data_loaders[1] is None
            return True

        def process(self, inputs, data_loaders, outputs):
            outputs['out'].write({'value': inputs['in'].data.value})
            return True
    """
    block.run(code, {"in": (MAIN, [1], 1), "label": ("labels", [7, 8], 2)})


SKIPPING = """
class Algorithm:

    def process(self, inputs, data_loaders, outputs):

        # Use a criterion on the image to determine if we can perform our
        # computation on it or not
        if self.can_compute(inputs['images'].data):
            # Write our data block on the output
            outputs['features'].write({'value': inputs['images'].data.value})
        else:
            # Tell the platform that no data is available for this image
            outputs['features'].write(None)

        return True

    def can_compute(self, image):
        return image is not None and image.value % 3 != 0
"""


def test_skipping_some_blocks(block: Block) -> None:
    """What was skipped is there as None, also for the next block."""
    inputs: Inputs = {"images": (MAIN, [1, 3, 4, 6, 7, 8], 1)}
    executor = block.make(SKIPPING, inputs, outputs=("features",))
    assert executor.process()
    source = CachedDataSource()
    assert source.setup(str(block.workspace.cache / "features.data"), str(block.workspace.prefix))
    told = [(None if data is None else data.value, start, end) for data, start, end in source]
    source.close()
    expected = [1, None, 4, None, 7, 8]
    assert told == [(value, i, i) for i, value in enumerate(expected)]
    block.workspace.configuration["inputs"]["images"]["path"] = "features"
    block.workspace.configuration["outputs"]["features"]["path"] = "again"
    block.workspace.write_configuration()
    executor = AlgorithmExecutor(
        None, str(block.workspace.directory), cache_root=str(block.workspace.cache)
    )
    assert executor.process()
    names = [Path(block.workspace.cache, f"{name}.0.5.data") for name in ("features", "again")]
    assert names[0].read_bytes() == names[1].read_bytes()


# unsynchronised inputs of algorithms of the first API


def test_advancing_unsynchronised_inputs(block: Block) -> None:
    code = """
    class Algorithm:
        def __init__(self):
            self.sum = 0

        def process(self, inputs, outputs):
            other = inputs.groupOf('images')
            while other.hasMoreData():
                inputs.next()
                self.sum += inputs['images'].data.value * inputs['labels'].data.value
            outputs['out'].write({'value': np.int32(self.sum)})
            return True
    """
    inputs: Inputs = {
        "in": (MAIN, [0, 0], 1),
        "images": ("other", [1, 2, 3, 4], 1),
        "labels": ("other", [10, 100], 2),
    }
    legacy = {"api_version": 1, "type": None}
    assert [value for value, _, _ in block.run(code, inputs, **legacy)] == [730, 730]


def sources(workspace: Workspace, **values: tuple[list[int], int]) -> Iterator[Input]:
    for name, (numbers, width) in values.items():
        workspace.write_input(name, numbers, width)
        source = CachedDataSource()
        assert source.setup(str(workspace.cache / f"{name}.data"), workspace.source)
        yield Input(name, INTEGER, source)


def test_iterating_over_all_inputs(workspace: Workspace) -> None:
    group = InputGroup("other", restricted_access=False)
    for input in sources(workspace, images=([1, 2, 3, 4], 1), labels=([10, 20], 2)):
        group.add(input)
    inputs = InputList()
    inputs.add(group)
    seen = []
    # Iterate over all the unsynchronized data
    while inputs.hasMoreData():
        inputs.next()
        seen.append((inputs["images"].data.value, inputs["labels"].data.value))
    assert seen == [(1, 10), (2, 10), (3, 20), (4, 20)]


def test_an_input_that_was_desynchronised(workspace: Workspace) -> None:
    """The others are iterated over completely, in step."""
    group = InputGroup("other", restricted_access=False)
    given = {"images": ([1, 2, 3, 4], 1), "labels": ([10, 20], 2), "desynchronized": ([7], 4)}
    for input in sources(workspace, **given):
        group.add(input)
    inputs = InputList()
    inputs.add(group)
    inputs["desynchronized"].next()
    seen = []
    while inputs.hasMoreData():
        inputs.next()
        seen.append((inputs["images"].data.value, inputs["labels"].data.value))
        assert inputs["desynchronized"].data.value == 7
        assert inputs["desynchronized"].data_index == 0
    assert seen == [(1, 10), (2, 10), (3, 20), (4, 20)]


# from the first API to the second

SETUP = """
class Algorithm:

    def setup(self, parameters):
        self.sync = parameters['sync']
        return True

"""
STEP = """
        if inputs[self.sync].isDataUnitDone():
            outputs['out'].write({
                'value': inputs['in1'].data.value + inputs['in2'].data.value,
            })

        return True
"""
MIGRATION: dict[str, tuple[str, dict[str, Any]]] = {
    "v1": (
        SETUP + "\n    def process(self, inputs, outputs):" + STEP,
        {"api_version": 1, "type": None},
    ),
    "v2 sequential": (
        SETUP + "\n    def process(self, inputs, data_loaders, outputs):" + STEP,
        {"type": "sequential"},
    ),
    "v2 autonomous": (
        SETUP
        + """
    def process(self, data_loaders, outputs):
        data_loader = data_loaders.loaderOf('in1')

        for i in range(data_loader.count(self.sync)):
            view = data_loader.view(self.sync, i)

            (data, start, end) = view[view.count() - 1]

            outputs['out'].write({
                    'value': data['in1'].value + data['in2'].value,
                },
                end
            )

        return True
""",
        {"type": "autonomous"},
    ),
}


@pytest.mark.parametrize("sync", ["in1", "in2"])
def test_migrating(block: Block, sync: str) -> None:
    inputs: Inputs = {"in1": (MAIN, [1, 2, 3, 4, 5, 6], 1), "in2": (MAIN, [10, 20], 3)}
    parameter = {"sync": {"type": "string", "default": sync}}
    files = set()
    for code, declared in MIGRATION.values():
        block.run(code, inputs, parameters=parameter, **declared)
        files.add((block.workspace.cache / "out.0.5.data").read_bytes())
    assert len(files) == 1
    expected = {"in1": [11, 12, 13, 24, 25, 26], "in2": [13, 26]}[sync]
    assert block.workspace.values() == expected


# loops


def test_autonomous_processor_and_evaluator(workspace: Workspace, peers: Peers) -> None:
    processor = """
    class Algorithm:

        def process(self, data_loaders, outputs, loop_channel):
            # Read data from data_loaders, compute something, and validates the
            # hypothesis
            loader = data_loaders.loaderOf('in')
            for i in range(loader.count()):
                data, _, end = loader[i]
                some_value = float(data['in'].value)
                while True:
                    is_valid, feedback = loop_channel.validate({"value": np.float64(some_value)})
                    if is_valid:
                        break
                    some_value += feedback.value
                outputs['out'].write({'value': np.int32(some_value)}, end)
            return True
    """
    evaluator = """
    class Algorithm:

        def __init__(self):
            self.output = 0

        def validate(self, hypothesis):
            # compute if hypothesis makes sense and returns a tuple with a
            # boolean value and some feedback
            delta = 10 - hypothesis.value
            result = delta == 0
            self.output += 1
            return (result, {"value": np.float32(delta)})

        def write(self, outputs, processor_output_name, end_data_index):
            # write something on its output, it is called in sync with processor
            # algorithm write
            outputs["out"].write({"value": np.int32(self.output)}, end_data_index)
    """
    formats = {"user/double/1": {"value": "float64"}, "user/single/1": {"value": "float32"}}
    for name, declaration in formats.items():
        path = workspace.prefix / f"dataformats/{name}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(declaration))
    group = {
        "inputs": {"in": {"type": INTEGER}},
        "outputs": {"out": {"type": INTEGER}},
        "loop": {"request": {"type": "user/double/1"}, "answer": {"type": "user/single/1"}},
    }
    names = []
    for role, code in {"processor": processor, "evaluator": evaluator}.items():
        names.append(f"user/{role}/1")
        workspace.write_algorithm(
            PROCESSING + textwrap.dedent(code),
            names[-1],
            type=f"autonomous_loop_{role}",
            schema_version=3,
            groups=[group],
        )
    given = {"in": workspace.write_input("in", [3, 10, 12])}
    workspace.configure(names[0], given, loop=side(names[1], given, output_path="evaluated"))
    handler = LoopMessageHandler("127.0.0.1")
    peers.keep(handler)
    places = {"cache_root": str(workspace.cache)}
    evaluation = LoopExecutor(handler, str(workspace.directory), **places)
    assert evaluation.setup()
    assert evaluation.prepare()
    assert evaluation.process()
    processing = AlgorithmExecutor(
        None, str(workspace.directory), **places, loop_socket=peers.connect(evaluation.address)
    )
    assert processing.setup()
    assert processing.prepare()
    assert processing.process()
    evaluation.wait()
    evaluation.close()
    assert workspace.values() == [10, 10, 10]
    assert workspace.values("evaluated") == [2, 3, 5]
