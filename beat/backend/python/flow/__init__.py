"""Workflows of a generator, stages and resources over one HDF5 file.

A flow loops over the rows of a dataset, the source, in slices. Its stages make further datasets
from them, and references: pairs of row numbers that say which rows belong together. One process
does this, or many, started by MPI.
"""

from __future__ import annotations

from ..exceptions import MissingExtra

try:
    import h5py as _h5py  # noqa: F401 - every part needs it
except ImportError as error:
    raise MissingExtra("flows", "h5py", "hdf5") from error

from .command import main as main
from .command import run as run
from .config import load_config as load_config
from .core import H5FlowGenerator as H5FlowGenerator
from .core import H5FlowManager as H5FlowManager
from .core import H5FlowResource as H5FlowResource
from .core import H5FlowStage as H5FlowStage
from .core import resources as resources
from .data import H5FlowDataManager as H5FlowDataManager
from .data import dereference as dereference
from .data import dereference_chain as dereference_chain
from .data import print_attr as print_attr
from .data import print_data as print_data
from .data import print_ref as print_ref
from .data import ref_region_dtype as ref_region_dtype
from .modules import H5FlowDatasetLoopGenerator as H5FlowDatasetLoopGenerator
from .modules import H5FlowTestStage as H5FlowTestStage
from .modules import find_class as find_class
from .modules import get_class as get_class
from .processes import H5FLOW_MPI as H5FLOW_MPI
