"""The one who runs a flow: makes its components, leads the loop, and publishes the output."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from ...loader import run as call
from ..checks import check_config
from ..config import folder_of, plain, where
from ..data import H5FlowDataManager
from ..errors import ConfigError
from ..lookup import get_class
from ..modules.loop_generator import H5FlowDatasetLoopGenerator
from ..output import Output
from ..processes import H5FLOW_MPI, world
from ..progress import progress_bar
from ..requirements import Requirement, format_requirements, load_requirement
from .h5_flow_generator import H5FlowGenerator
from .h5_flow_resource import H5FlowResource, resources
from .h5_flow_stage import H5FlowStage

logger = logging.getLogger(__name__)


class H5FlowManager:
    """Makes the components of a flow and runs them.

    ::

        manager = H5FlowManager(config, "output.h5", "input.h5")
        manager.init()
        manager.run()
        manager.finish()

    The output appears when `finish` is through. Before that, and after an error, what was there
    under its name is still there.

    Parameters
    ----------
    config : dict
        The configuration, parsed; from `load_config`, so that errors can name file and line.
    output_filename : str
        The output.
    input_filename : str, optional
        The input.
    start_position, end_position : int, optional
        Where the generator is to begin and to end.
    compression : str, optional
        What new datasets are compressed with: "gzip" or "lzf".
    overwrite : bool
        Whether an output that is there already may be replaced.
    in_place : bool
        Whether to work on the output file itself.
    mpi : bool
        Whether the processes of MPI work together.
    progress : bool
        Whether to show a progress bar.
    output : Output, optional
        A file in the making to work on, which somebody else publishes.

    Attributes
    ----------
    comm, rank, size
        The processes, see `H5FlowDataManager`.
    drop_list : list of str
        What is not kept in the output.
    data_manager : H5FlowDataManager
        The way into the output.
    generator : H5FlowGenerator
        What the loop runs over.
    stages : list of H5FlowStage
        What it runs.

    Raises
    ------
    ConfigError
        With everything that is wrong with the configuration.
    """

    data_manager: H5FlowDataManager
    generator: H5FlowGenerator
    stages: list[H5FlowStage]

    def __init__(
        self,
        config: Any,
        output_filename: str,
        input_filename: str | None = None,
        start_position: int | None = None,
        end_position: int | None = None,
        compression: str | None = None,
        *,
        overwrite: bool = False,
        in_place: bool = False,
        mpi: bool = H5FLOW_MPI,
        progress: bool = False,
        output: Output | None = None,
    ) -> None:
        copies_input = copies_its_input(config)
        processes = world(mpi)
        self.comm, self.rank, self.size = processes.comm, processes.rank, processes.size
        self.drop_list = list(config["flow"].get("drop") or [])
        self._compression = compression
        self._mpi = mpi
        self._progress = progress and self.rank == 0
        self._output = output or Output(
            output_filename, input_filename, copies_input, overwrite, in_place, processes
        )
        self._publishes = output is None
        with self._guard():
            self.configure_data_manager(self._output.path, config)
            self.configure_resources(config, input_filename, start_position, end_position)
            self.configure_generator(input_filename, config, start_position, end_position)
            self.configure_flow(config)
            processes.barrier()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Leave nothing half-made behind when something fails."""
        try:
            yield
        except BaseException as error:
            if hasattr(self, "data_manager"):
                self.data_manager.abandon()
            self._output.discard()
            if self.size > 1 and isinstance(error, SystemExit):
                self.data_manager.processes.abort(error)  # the others would wait forever
            raise

    # -- making the components -----------------------------------------------------------------

    def configure_data_manager(self, output_filename: str, config: Any) -> None:
        """Make the way into a file: `data_manager`."""
        self.data_manager = H5FlowDataManager(
            output_filename,
            mpi=self._mpi,
            drop_list=self.drop_list,
            compression=self._compression,
            becomes=self._output.filename if self._output.is_temporary else None,
        )

    def configure_resources(
        self,
        config: Any,
        input_filename: str | None,
        start_position: int | None,
        end_position: int | None,
    ) -> None:
        """Make the resources, which are in `resources` then, and no others.

        Raises
        ------
        ConfigError
            If one is not derived from `H5FlowResource`.
        """
        resources.clear()
        for section in config.get("resources") or []:
            name = section["classname"]
            klass = _class_of(section, config)
            if not (isinstance(klass, type) and issubclass(klass, H5FlowResource)):
                raise NotAResource(
                    f"{where(section, 'classname')}`{name}' is not derived from H5FlowResource"
                )
            logger.info("making resource %s", name)
            resources[name] = klass(
                classname=name,
                data_manager=self.data_manager,
                input_filename=input_filename,
                start_position=start_position,
                end_position=end_position,
                **plain(section.get("params") or {}),
            )

    def configure_generator(
        self,
        input_filename: str | None,
        config: Any,
        start_position: int | None,
        end_position: int | None,
    ) -> None:
        """Make the generator; the default one if the source of the flow is a dataset."""
        source = config["flow"]["source"]
        section = config.get(source) or {"classname": "", "dset_name": source}
        klass = generator_class(config)
        logger.info("making generator %s of %s", klass.__name__, section["dset_name"])
        self.generator = klass(
            classname=section["classname"] or klass.__name__,
            dset_name=section["dset_name"],
            data_manager=self.data_manager,
            input_filename=input_filename,
            start_position=start_position,
            end_position=end_position,
            **plain(section.get("params") or {}),
        )

    def configure_flow(self, config: Any) -> None:
        """Make the stages, in their order."""
        self.stages = []
        for name in config["flow"].get("stages") or []:
            section = config[name]
            logger.info("making stage %s: %s", name, section["classname"])
            self.stages.append(
                _class_of(section, config)(
                    name=name,
                    classname=section["classname"],
                    data_manager=self.data_manager,
                    requires=self.format_requirements(section.get("requires")),
                    **plain(section.get("params") or {}),
                )
            )

    # -- running -------------------------------------------------------------------------------

    def init(self) -> None:
        """Prepare resources, generator and stages, in this order."""
        source = self.generator.dset_name
        with self._guard():
            for resource in resources.values():
                call(resource, "init", None, source)
            call(self.generator, "init")
            for stage in self.stages:
                call(stage, "init", None, source)
            self.data_manager.processes.barrier()

    def run(self) -> None:
        """Run the stages on all slices of the generator."""
        source = self.generator.dset_name
        steps = self._steps()
        with self._guard():
            with progress_bar(self.generator, source, self._progress) as slices:
                for rows in slices:
                    self._run_stages(steps, source, rows)
            self.data_manager.processes.barrier()

    def _steps(self) -> list[tuple[H5FlowStage, bool, list[Requirement]]]:
        """Return the stages, whether they take the cache, and what is to be in it by then."""
        steps = []
        wanted: dict[str, Requirement] = {}
        for stage in self.stages:
            for requirement in format_requirements(stage.requires):
                wanted.setdefault(requirement["name"], {**requirement, "stage": stage.name})
            steps.append((stage, _takes_cache(stage), list(wanted.values())))
        return steps

    def _run_stages(
        self, steps: Iterable[tuple[H5FlowStage, bool, list[Requirement]]], source: str, rows: slice
    ) -> None:
        cache: dict[str, Any] = {}
        for stage, takes_cache, wanted in steps:
            try:
                self.update_cache(cache, source, rows, wanted)
                call(stage, "run", None, source, rows, *([cache] if takes_cache else []))
            except Exception as error:
                error.add_note(
                    f"in stage `{stage.name}', rows {rows.start}:{rows.stop} of `{source}'"
                )
                raise

    def finish(self) -> None:
        """Clean up generator, stages and resources, close the output and give it its name."""
        source = self.generator.dset_name
        with self._guard():
            call(self.generator, "finish")
            self.data_manager.processes.barrier()
            for stage in self.stages:
                call(stage, "finish", None, source)
            for resource in resources.values():
                call(resource, "finish", None, source)
            self.data_manager.finish()
            if self._publishes:
                self._output.publish()
                logger.info("finished %s", self._output.filename)

    # -- the cache -----------------------------------------------------------------------------

    def format_requirements(self, requirements: Iterable[Any] | None) -> list[Requirement]:
        """Return what stages require in its full form; see `requirements.format_requirements`."""
        return format_requirements(requirements)

    def load_requirement(self, req: Requirement, source_name: str, source_slice: slice) -> Any:
        """Load what a stage requires; see `requirements.load_requirement`."""
        return load_requirement(
            self.data_manager, req, source_name, source_slice, req.get("stage", "")
        )

    def update_cache(
        self,
        cache: dict[str, Any],
        source_name: str,
        source_slice: slice,
        requirements: Iterable[Requirement],
    ) -> None:
        """Bring a cache up to what is required.

        What is in it and required stays as it is; what is not required is removed; what is
        missing is loaded.

        Parameters
        ----------
        cache : dict
            The cache, which is changed.
        source_name : str
            The dataset the flow loops over.
        source_slice : slice
            Its rows.
        requirements : list of dict
            See `format_requirements`.
        """
        wanted = {requirement["name"]: requirement for requirement in requirements}
        for name in [name for name in cache if name not in wanted and name != source_name]:
            del cache[name]
        if source_name not in cache:
            cache[source_name] = self.data_manager.follow((source_name,), source_slice)
        for name, requirement in wanted.items():
            if name not in cache:
                cache[name] = self.load_requirement(requirement, source_name, source_slice)


class NotAResource(ConfigError, RuntimeError):
    """A class among the resources that is none."""


def generator_class(config: Any) -> type[Any]:
    """Return the class of the generator of a configuration.

    Raises
    ------
    ConfigError
        With everything that is wrong with the configuration.
    """
    problems = check_config(config)
    if problems:
        raise ConfigError(*problems)
    section = config.get(config["flow"]["source"])
    return H5FlowDatasetLoopGenerator if section is None else _class_of(section, config)


def copies_its_input(config: Any) -> bool:
    """Tell whether the output of a flow begins as a copy of its input."""
    return bool(getattr(generator_class(config), "copies_input", False))


def _class_of(section: Any, config: Any) -> type[Any]:
    """Return the class that a section names; an error says where it does."""
    folders = [*folder_of(section), *folder_of(config)]
    try:
        return get_class(section["classname"], section.get("path"), folders)
    except Exception as error:
        place = where(section, "classname")
        if place:
            error.add_note(f"for {place.rstrip(': ')}")
        raise


def _takes_cache(stage: H5FlowStage) -> bool:
    """Tell whether a stage's ``run`` has a place for the cache; it may do without."""
    parameters = signature(stage.run).parameters.values()
    if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
        return True
    positional = (0, 1)  # POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD
    return sum(parameter.kind in positional for parameter in parameters) > 2
