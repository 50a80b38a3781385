"""The example classes of the interface's documentation, as they stand there.

Set right are only slips of the pen: ``self`` is missing in a constructor, and ``size=`` in a call
of NumPy.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module

import numpy as np
import pytest

import beat.backend.python.flow as flow_package
from beat.backend.python.flow import H5FlowDataManager, H5FlowManager

EXAMPLES = """\
import numpy as np
from h5flow.core import H5FlowGenerator, H5FlowResource, H5FlowStage, resources

class ExampleGenerator(H5FlowGenerator):
    class_version = '0.0.0'

    default_max_value = 2**32-1
    default_chunk_size = 1024
    default_iterations = 100

    def __init__(self, **params):
        super(ExampleGenerator,self).__init__(**params)

        # get config parameters
        self.max_value = params.get('max_value', self.default_max_value)
        self.chunk_size = params.get('chunk_size', self.default_chunk_size)

        # prepare loop
        if self.end_position is None:
            self.end_position = self.default_iterations
        self.iteration = 0

    def init(self):
        # prepare output file
        self.data_manager.create_dset(self.dset_name, dtype=int)
        self.data_manager.set_attrs(self.obj_name,
            classname=self.classname,
            class_version=self.class_version,
            max_value=self.max_value,
            chunk_size=self.chunk_size,
            end_position=self.end_position,
            )

    def next(self):
        if self.iteration >= self.end_position:
            return H5FlowGenerator.EMPTY
        self.iteration += 1

        next_slice = self.data_manager.reserve_data(self.dset_name, self.chunk_size)
        self.data_manager.write_data(self.dset_name, next_slice, np.random.randint(self.max_value, size=self.chunk_size))

        return next_slice


class ExampleStage(H5FlowStage):
    class_version = '0.0.0' # keep track of a version number for each class

    default_custom_param = None
    default_obj_name = 'obj0'

    def __init__(self, **params):
        super(ExampleStage,self).__init__(**params)

        # grab parameters from configuration file here, e.g.
        self.custom_param = params.get('custom_param', self.default_custom_param)
        self.obj_name = self.name + '/' + params.get('obj_name', self.default_obj_name)

    def init(self, source_name):
        # declare any new datasets and set dataset metadata, e.g.

        self.data_manager.set_attrs(self.obj_name,
            classname=self.classname,
            class_version=self.class_version,
            custom_param=self.custom_param,
            )
        self.data_manager.create_dset(self.obj_name)

    def run(self, source_name, source_slice):
        # load, process, and save new data objects

        data = self.load(source_name, source_slice)


class ExampleResource(H5FlowResource):
    pass


class AfterExample(ExampleStage):
    def run(self, source_name, source_slice):
        assert isinstance(resources['ExampleResource'], ExampleResource)
        data = self.load(source_name, source_slice)
        rows = self.data_manager.reserve_data(self.obj_name, len(data[source_name]))
        self.data_manager.write_data(self.obj_name, rows, data[source_name] / 2)
"""  # noqa: E501


def test_the_example_classes_run_as_they_are_written(work, together, processes):
    together((work / "examples_of_classes.py").write_text, EXAMPLES)
    config = {
        "flow": {"source": "generator", "stages": ["stage", "after"]},
        "resources": [{"classname": "ExampleResource", "params": {"a_parameter": "example"}}],
        "generator": {"classname": "ExampleGenerator", "dset_name": "numbers"},
        "stage": {"classname": "ExampleStage"},
        "after": {"classname": "AfterExample", "params": {"custom_param": 3}},
    }
    manager = H5FlowManager(config, str(work / "out.h5"), end_position=7)
    manager.init()  # initialize components
    manager.run()  # execute workflow run loop
    manager.finish()  # clean up components
    with H5FlowDataManager(str(work / "out.h5"), "r") as flow:
        assert len(flow.get_dset("numbers")) == 7 * 1024 * processes.size
        assert flow.get_attrs("numbers")["max_value"] == 2**32 - 1
        assert flow.get_attrs("stage/obj0")["custom_param"] is None
        assert flow.get_attrs("after/obj0")["custom_param"] == 3
        assert len(flow.get_dset("stage/obj0")) == 0
        np.testing.assert_array_equal(
            np.sort(flow["after/obj0", :]), np.sort(flow["numbers", :]) / 2
        )
    for name in [name for name in sys.modules if name.startswith("examples_of_classes")]:
        del sys.modules[name]


NAMES = {
    "": ["run", "main", "H5FLOW_MPI", "H5FlowManager", "resources"],
    "core": ["H5FlowManager", "H5FlowGenerator", "H5FlowStage", "H5FlowResource", "resources"],
    "core.h5_flow_manager": ["H5FlowManager"],
    "core.h5_flow_generator": ["H5FlowGenerator"],
    "core.h5_flow_stage": ["H5FlowStage"],
    "core.h5_flow_resource": ["H5FlowResource"],
    "data": [
        "H5FlowDataManager",
        "dereference",
        "dereference_chain",
        "ref_region_dtype",
        "print_ref",
        "print_data",
        "print_attr",
    ],
    "data.lib": ["dereference", "dereference_chain", "ref_region_dtype"],
    "data.h5flow_data_manager": ["H5FlowDataManager"],
    "modules": ["H5FlowDatasetLoopGenerator", "H5FlowTestStage", "find_class", "get_class"],
}


@pytest.mark.parametrize("module", NAMES)
def test_where_everything_is(module):
    found = import_module(f"beat.backend.python.flow{'.' * bool(module)}{module}")
    for name in NAMES[module]:
        assert getattr(found, name) is getattr(flow_package, name)


POSITIONS = "input_filename start_position end_position"
FILES = f"output_filename {POSITIONS}"


@pytest.mark.parametrize(
    "name, parameters",
    [
        ("H5FlowManager", f"config {FILES} compression"),
        ("H5FlowGenerator", f"classname dset_name data_manager {POSITIONS} params"),
        ("H5FlowStage", "name classname data_manager requires params"),
        ("H5FlowResource", f"classname data_manager {POSITIONS} params"),
        ("H5FlowDataManager", "filepath mode mpi drop_list compression"),
        ("run", f"configs {FILES} verbose drop nompi compression"),
        ("dereference", "sel ref data region mask ref_direction indices_only as_masked"),
        ("dereference_chain", "sel refs data regions mask ref_directions indices_only"),
    ],
)
def test_how_everything_is_called(name, parameters):
    declared = inspect.signature(getattr(flow_package, name)).parameters.values()
    assert [p.name for p in declared if p.kind != p.KEYWORD_ONLY] == parameters.split()


def test_constants():
    assert slice(-1, -1) == flow_package.H5FlowGenerator.EMPTY
    for name in ("H5FlowGenerator", "H5FlowStage", "H5FlowResource"):
        assert getattr(flow_package, name).class_version == "0.0.0"
