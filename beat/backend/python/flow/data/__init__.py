"""Flow files: datasets, the references between them, and how to follow these."""

from __future__ import annotations

from .h5flow_data_manager import H5FlowDataManager as H5FlowDataManager
from .lib import dereference as dereference
from .lib import dereference_chain as dereference_chain
from .lib import print_attr as print_attr
from .lib import print_data as print_data
from .lib import print_ref as print_ref
from .lib import ref_region_dtype as ref_region_dtype
