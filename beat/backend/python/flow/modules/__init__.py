"""Generators and stages for everybody, and how classes are found by their names."""

from __future__ import annotations

from ..lookup import find_class as find_class
from ..lookup import get_class as get_class
from .copy_stage import H5FlowTestStage as H5FlowTestStage
from .loop_generator import H5FlowDatasetLoopGenerator as H5FlowDatasetLoopGenerator
