"""What flows are made of: the manager, and the bases of generators, stages and resources."""

from __future__ import annotations

from .h5_flow_generator import H5FlowGenerator as H5FlowGenerator
from .h5_flow_manager import H5FlowManager as H5FlowManager
from .h5_flow_resource import H5FlowResource as H5FlowResource
from .h5_flow_resource import resources as resources
from .h5_flow_stage import H5FlowStage as H5FlowStage
