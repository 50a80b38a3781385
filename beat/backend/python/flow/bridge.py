"""Between flows and the rest of BEAT: outputs in flow files, and algorithms as stages.

This is the only part of flows that knows of anything but files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy

from ..algorithm import Algorithm
from ..data import CachedDataSource, DataSink, DataSource
from ..data.indices import Intervals
from ..data_loaders import DataLoader, DataLoaderList
from ..dataformat import DataFormat
from ..inputs import Input, InputGroup, InputList
from ..outputs import Output, OutputList, SynchronizationListener
from .core import H5FlowStage
from .data import H5FlowDataManager
from .errors import FlowError, suggest
from .progress import progress_bar
from .requirements import load_requirement
from .units import UnitTable, intervals_of, overlaps

#: data, first index, last index
Unit = tuple[Any, int, int]

BATCH = 1024
INDEX_DTYPE = numpy.dtype([("start", "i8"), ("end", "i8"), ("missing", "?")])


class BridgeError(FlowError, RuntimeError):
    """Units or algorithms that cannot go into a flow, or out of it."""


# -- from data units to rows -----------------------------------------------------------------------


class UnitDataset:
    """A dataset of a flow file whose rows are data units.

    Parameters
    ----------
    flow : H5FlowDataManager
        The file.
    name : str
        The dataset.
    dataformat : DataFormat
        The format of the units.

    Raises
    ------
    BridgeError
        If the format is not valid.
    """

    def __init__(self, flow: H5FlowDataManager, name: str, dataformat: DataFormat) -> None:
        if not dataformat.valid:
            errors = "\n".join(dataformat.errors)
            raise BridgeError(f"dataformat `{dataformat.name}' is not valid:\n{errors}")
        self._flow = flow
        self._name = name
        self._type = dataformat.type
        self._format_name = dataformat.name
        self._table = UnitTable(name, dataformat)

    def create(self) -> None:
        """Create the dataset, which must not be there."""
        if self._flow.dset_exists(self._name):
            raise BridgeError(f"`{self._flow.filepath}' has a dataset `{self._name}' already")
        self._table.create(self._flow)
        self._flow.create_dset(f"{self._name}/index", INDEX_DTYPE)
        self._flow.set_attrs(self._name, dataformat=self._format_name)

    def append(self, units: list[Unit]) -> slice:
        """Append (data, first index, last index), and return the rows."""
        objects = [self._object(data) for data, _, _ in units]
        rows = self._table.append(self._flow, objects)
        index = numpy.zeros(len(units), INDEX_DTYPE)
        for number, (_, start, end) in enumerate(units):
            index[number] = start, end, objects[number] is None
        self._flow.reserve_data(f"{self._name}/index", rows)
        self._flow.write_data(f"{self._name}/index", rows, index)
        return rows

    def _object(self, data: Any) -> Any:
        if isinstance(data, (bytes, bytearray, memoryview)):
            return self._type().unpack(data) if len(data) else None
        if isinstance(data, dict):
            return self._type().from_dict(data, casting="safe", add_defaults=False)
        return data

    def read(self, rows: Any) -> list[Any]:
        """Return rows as objects of the format; None for units without data.

        Raises
        ------
        BridgeError
            If the rows do not have the fields of the format.
        """
        if not self._is_of_units():
            return [self._from_row(row) for row in self._flow.follow((self._name,), rows)]
        missing = self._flow.follow((f"{self._name}/index",), rows)["missing"]
        values = self._table.read(self._flow, rows)
        return [
            None if gone else self._type().from_dict(value, casting="safe")
            for value, gone in zip(values, missing, strict=True)
        ]

    def _is_of_units(self) -> bool:
        stored: bool = self._flow.get_dset(self._name).dtype == self._table.dtype
        return stored and self._flow.dset_exists(f"{self._name}/index")

    def _from_row(self, row: Any) -> Any:
        names = row.dtype.names
        fields = self._type._codec.by_name
        if names is None and len(fields) == 1:
            return self._type().from_dict({next(iter(fields)): row}, casting="safe")
        if set(names or ()) != set(fields):
            raise BridgeError(
                f"rows of `{self._name}' ({row.dtype}) do not have the fields of "
                f"`{self._format_name}': {', '.join(fields)}"
            )
        return self._type().from_dict({name: row[name] for name in names}, casting="safe")


def export_source(
    source: DataSource,
    dataformat: DataFormat,
    flow: H5FlowDataManager,
    name: str,
    progress: bool = False,
) -> None:
    """Write the units of a data source to a new dataset of a flow file.

    There is a row for each unit; see `units` for the fields. The dataset ``<name>/index`` has
    the indices of each: ``start``, ``end``, and whether its data is ``missing``.

    Parameters
    ----------
    source : data.DataSource
        The units, as objects, dictionaries or packed.
    dataformat : DataFormat
        Their format.
    flow : H5FlowDataManager
        The file.
    name : str
        The dataset.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    BridgeError
        If there is a dataset of that name, or if the format is not valid.
    """
    units = UnitDataset(flow, name, dataformat)
    units.create()
    batch: list[Unit] = []
    with progress_bar(source, name, progress) as bar:
        for unit in bar:
            batch.append(unit)
            if len(batch) == BATCH:
                units.append(batch)
                batch = []
    units.append(batch)


def export_cache(
    filename: str,
    prefix: str,
    flow: H5FlowDataManager,
    name: str,
    start_index: int | None = None,
    end_index: int | None = None,
) -> None:
    """Write an output in the cache to a new dataset of a flow file.

    Parameters
    ----------
    filename : str
        ``P.data`` for the output path ``P``.
    prefix : str
        The prefix folder, for the format.
    flow, name
        See `export_source`.
    start_index, end_index : int, optional
        The range to write.

    Raises
    ------
    BridgeError
        If there is no such output, or for the reasons of `export_source`.
    OSError
        If the files are damaged.
    """
    source = CachedDataSource()
    try:
        if not source.setup(filename, prefix, start_index, end_index):
            raise BridgeError(f"no such output in the cache: `{filename}'")
        export_source(source, source.dataformat, flow, name)
    finally:
        source.close()


def export_view(
    view: Any,
    flow: H5FlowDataManager,
    folder: str,
    outputs: Iterable[str] | None = None,
    progress: bool = False,
) -> None:
    """Write outputs of a database view to new datasets ``<folder>/<output>`` of a flow file.

    The output with the most units has references to those of the others that have an index in
    common with each.

    Parameters
    ----------
    view : database.Runner
        The view, set up.
    flow : H5FlowDataManager
        The file.
    folder : str
        The group of the datasets.
    outputs : iterable of str, optional
        Which outputs; by default all.
    progress : bool
        Whether to show progress bars.

    Raises
    ------
    BridgeError
        If there is no such output, or for the reasons of `export_source`.
    """
    sources: dict[str, DataSource] = view.data_sources
    chosen = list(sources) if outputs is None else list(outputs)
    for output in chosen:
        if output not in sources:
            raise BridgeError(f"the view has no output `{output}'{suggest(output, sources)}")
    for output in chosen:
        source: Any = sources[output]
        export_source(source, source.dataformat, flow, f"{folder}/{output}", progress)
    ordered = sorted(chosen, key=lambda output: len(sources[output]), reverse=True)
    for other in ordered[1:]:
        names = f"{folder}/{ordered[0]}", f"{folder}/{other}"
        flow.create_ref(*names)
        ones, others = (intervals_of(flow, name, slice(None)) for name in names)
        flow.write_ref(*names, overlaps(ones, others))


# -- from rows to data units -----------------------------------------------------------------------


class FlowDataSource(DataSource):
    """The rows of a dataset in a flow file, as data units.

    Rows that were made of data units have the indices of these; those of other datasets cover
    one index each, their number.

    Attributes
    ----------
    dataformat : DataFormat
        The format of the units.
    """

    dataformat: Any = None
    _flow: H5FlowDataManager | None = None
    _filename: str | None = None
    _name = ""
    _first_row = 0
    _batch: tuple[int, list[Any]] = (-1, [])

    def setup(
        self,
        flow: str | H5FlowDataManager,
        name: str,
        prefix: str,
        dataformat_name: str | None = None,
        start_index: int | None = None,
        end_index: int | None = None,
    ) -> bool:
        """Find the units.

        Parameters
        ----------
        flow : str or H5FlowDataManager
            The file. Only a source of a file name can be pickled.
        name : str
            The dataset.
        prefix : str
            The prefix folder, for the format.
        dataformat_name : str, optional
            The format of the units; by default what the dataset says. Rows must have its fields,
            or be the values of its only field.
        start_index, end_index : int, optional
            Units that overlap this range are delivered, their indices clipped to it.

        Returns
        -------
        bool
            True.

        Raises
        ------
        BridgeError
            If the format is not known or not valid.
        MissingData
            If there is no such dataset.
        """
        self.reset()
        self._filename = flow if isinstance(flow, str) else None
        self._flow = None if isinstance(flow, str) else flow
        self._name = name
        opened = self._open()
        opened.get_dset(name)
        format_name = dataformat_name or opened.get_attrs(name).get("dataformat")
        if format_name is None:
            raise BridgeError(f"dataset `{name}' does not say what dataformat its rows have")
        self.dataformat = DataFormat(prefix, format_name)
        UnitDataset(opened, name, self.dataformat)
        self._find(intervals_of(opened, name, slice(None)), start_index, end_index)
        self.ready = True
        return True

    def _find(self, found: Any, start_index: int | None, end_index: int | None) -> None:
        low = 0 if start_index is None else start_index
        high = found[:, 1].max(initial=0) if end_index is None else end_index
        kept = numpy.flatnonzero((found[:, 1] >= low) & (found[:, 0] <= high))
        self._first_row = int(kept[0]) if len(kept) else 0
        clipped = numpy.clip(found[kept], low, high)
        self.infos = Intervals(clipped[:, 0].tolist(), clipped[:, 1].tolist())

    def _open(self) -> H5FlowDataManager:
        if self._flow is None:
            assert self._filename is not None
            self._flow = H5FlowDataManager(self._filename, "r", mpi=False)
        return self._flow

    def __getitem__(self, index: int) -> Any:
        """Return (data, first index, last index) of a unit, three times None if there is none."""
        if not 0 <= index < len(self.infos):
            return (None, None, None)
        number = index // BATCH
        if number != self._batch[0]:
            stop = min((number + 1) * BATCH, len(self.infos))
            rows = range(self._first_row + number * BATCH, self._first_row + stop)
            units = UnitDataset(self._open(), self._name, self.dataformat)
            self._batch = number, units.read(rows)
        start, end = self.infos[index]
        return self._batch[1][index % BATCH], start, end

    def reset(self) -> None:
        """Close the file, if it was opened here; it is opened again when it is needed."""
        self._batch = (-1, [])
        if self._flow is not None and self._filename is not None:
            self._flow.close_file()
            self._flow = None

    def __getstate__(self) -> dict[str, Any]:
        if self._filename is None:
            raise BridgeError("only a source that was set up with a file name can be pickled")
        return {**self.__dict__, "_flow": None, "_batch": (-1, [])}


# -- algorithms as stages --------------------------------------------------------------------------


class _Feed(DataSource):
    """Units that become known slice by slice; each is read once."""

    def __init__(self) -> None:
        super().__init__()
        self.last_row = -1
        self._count = 0
        self._waiting: dict[int, Unit] = {}

    def extend(self, rows: Any, units: Iterable[Unit]) -> None:
        for row, unit in zip(rows, units, strict=True):
            self._waiting[self._count] = unit
            self._count += 1
            self.last_row = row

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        return self._waiting.pop(index, (None, None, None))


class _Collected(DataSink):
    """Units that an algorithm has written for a slice."""

    def __init__(self, dataformat: DataFormat) -> None:
        self.dataformat = dataformat
        self.units: list[Unit] = []

    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        self.units.append((data, start_data_index, end_data_index))

    def isConnected(self) -> bool:
        return True


class AlgorithmStage(H5FlowStage):
    """Runs a sequential algorithm of BEAT over the rows of the source.

    The inputs of the algorithm's first group are synchronised: one of them is the source, the
    others are datasets to which its rows have references. The inputs of other groups are given
    to it as data loaders, whole. Rows have the formats of the inputs, see `FlowDataSource`.

    Each output is a dataset ``<stage>/<output>``, with references from the rows of the source to
    the unit that covers their indices.

    With several processes, each runs the algorithm on its own slices, beginning anew after each
    gap: units that an algorithm makes of several rows must not go beyond a slice then.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    algorithm : str
        The algorithm, sequential or legacy.
    parameters : dict, optional
        Its parameters.
    inputs : dict, optional
        The dataset for each input. An algorithm with one input reads the source by default.
    outputs : dict, optional
        The dataset for each output, instead of the above.
    **params
        See `H5FlowStage`.

    Raises
    ------
    BridgeError
        If the algorithm is not valid, or of another type, or if inputs are missing or unknown.
    """

    class_version = "1.0.0"

    def __init__(
        self,
        prefix: str,
        algorithm: str,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._prefix = prefix
        self.algorithm = Algorithm(prefix, algorithm)
        self._check_algorithm(algorithm)
        self._main = self.algorithm.groups[0]
        self._inputs = dict(inputs or {})
        self._outputs = {
            name: (outputs or {}).get(name, f"{self.name}/{name}")
            for name in self.algorithm.output_map
        }
        self._check_names("output", outputs or {}, self.algorithm.output_map)
        self._runner = self.algorithm.runner()
        self._runner.setup(dict(parameters or {}))
        self._next_row: int | None = None

    def _check_algorithm(self, name: str) -> None:
        algorithm = self.algorithm
        if not algorithm.valid:
            errors = "\n".join(algorithm.errors)
            raise BridgeError(f"stage `{self.name}': algorithm `{name}' is not valid:\n{errors}")
        types = (algorithm.SEQUENTIAL, algorithm.LEGACY)
        if algorithm.isAnalyzer or algorithm.type not in types:
            kind = "an analyzer" if algorithm.isAnalyzer else algorithm.type
            raise BridgeError(
                f"stage `{self.name}': algorithm `{name}' is {kind}; only sequential and legacy "
                "algorithms with outputs run as stages"
            )
        if algorithm.type == algorithm.LEGACY and len(algorithm.groups) > 1:
            raise BridgeError(
                f"stage `{self.name}': the legacy algorithm `{name}' has inputs of several "
                "channels; as a stage it can have those of one"
            )

    def _check_names(self, what: str, given: Iterable[str], known: Iterable[str]) -> None:
        for name in given:
            if name not in known:
                raise BridgeError(
                    f"stage `{self.name}': algorithm `{self.algorithm.name}' has no {what} "
                    f"`{name}'{suggest(name, known)}"
                )

    def init(self, source_name: str) -> None:
        """Create the outputs, and let the algorithm prepare itself."""
        known = self.algorithm.input_map
        if len(self._main["inputs"]) == 1:
            self._inputs.setdefault(next(iter(self._main["inputs"])), source_name)
        self._check_names("input", self._inputs, known)
        missing = [name for name in known if name not in self._inputs]
        if missing or source_name not in map(self._inputs.get, self._main["inputs"]):
            raise BridgeError(
                f"stage `{self.name}': `inputs' must name a dataset for each input of "
                f"`{self.algorithm.name}', and `{source_name}' for one of the first group; "
                f"missing: {', '.join(missing) or source_name}"
            )
        self._datasets = {}
        for name, dataset in self._outputs.items():
            dataformat = self.algorithm.dataformats[self.algorithm.output_map[name]]
            self._datasets[name] = UnitDataset(self.data_manager, dataset, dataformat)
            self._datasets[name].create()
            self.data_manager.create_ref(source_name, dataset)
            self.data_manager.set_attrs(dataset, algorithm=self.algorithm.name)
        self._loaders = DataLoaderList()
        for group in self.algorithm.groups[1:]:
            self._loaders.add(self._loader(group))
        if not self._runner.prepare(self._loaders):
            raise BridgeError(f"stage `{self.name}': the algorithm could not be prepared")

    def _loader(self, group: Mapping[str, Any]) -> DataLoader:
        loader = DataLoader(group.get("name", "loaded"))
        for name in group["inputs"]:
            source = FlowDataSource()
            format_name = self.algorithm.input_map[name]
            source.setup(self.data_manager, self._inputs[name], self._prefix, format_name)
            loader.add(name, source)
        return loader

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        """Give some rows to the algorithm, and write what it makes of them."""
        length = len(self.data_manager.get_dset(source_name))
        rows = range(*source_slice.indices(length))
        if len(rows):
            if self._next_row != rows.start:
                self._begin(source_name, rows.start)
            self._next_row = rows.stop
            self._feed(source_name, source_slice, rows)
            self._drive()
        for name, dataset in self._datasets.items():
            units = self._sinks[name].units if len(rows) else []
            written = dataset.append(units)
            refs = self._references(name, units, written) if units else []
            self.data_manager.write_ref(source_name, self._outputs[name], refs)
            units.clear()

    def _begin(self, source_name: str, first_row: int) -> None:
        """Start inputs and outputs at a row, which does not follow those before."""
        self._check_complete()
        (first_index, _), *_ = intervals_of(self.data_manager, source_name, [first_row]).tolist()
        self._listener = SynchronizationListener()
        self._group = InputGroup(self._main.get("name", "main"), self._listener)
        self._feeds = {}
        for name in self._main["inputs"]:
            self._feeds[name] = _Feed()
            self._group.add(Input(name, self.algorithm.input_map[name], self._feeds[name]))
        self._input_list = InputList()
        self._input_list.add(self._group)
        self._output_list = OutputList()
        self._sinks = {}
        for name, format_name in self.algorithm.output_map.items():
            self._sinks[name] = _Collected(self.algorithm.dataformats[format_name])
            output = Output(name, self._sinks[name], self._listener, first_index)
            self._output_list.add(output)
        self._unwritten: dict[str, list[tuple[int, int]]] = {name: [] for name in self._sinks}

    def _feed(self, source_name: str, source_slice: slice, rows: range) -> None:
        intervals = intervals_of(self.data_manager, source_name, rows)
        for waiting in self._unwritten.values():
            waiting += zip(rows, intervals[:, 1].tolist(), strict=True)
        for name, feed in self._feeds.items():
            dataset = self._inputs[name]
            wanted: Any = numpy.arange(rows.start, rows.stop)
            if dataset != source_name:
                requirement = {"name": name, "path": [dataset], "index_only": True}
                found = load_requirement(
                    self.data_manager, requirement, source_name, source_slice, self.name
                )
                wanted = numpy.unique(numpy.ma.compressed(found)).astype("i8")
            wanted = wanted[wanted > feed.last_row]
            format_name = self.algorithm.input_map[name]
            dataformat = self.algorithm.dataformats[format_name]
            data = UnitDataset(self.data_manager, dataset, dataformat).read(wanted)
            limits = intervals_of(self.data_manager, dataset, wanted).tolist()
            units = [(item, *limit) for item, limit in zip(data, limits, strict=True)]
            feed.extend(wanted.tolist(), units)

    def _drive(self) -> None:
        group = self._group
        while group.hasMoreData():
            group.restricted_access = False
            group.next()
            group.restricted_access = True
            done = self._runner.process(self._input_list, self._loaders, self._output_list)
            if not done:
                raise BridgeError(
                    f"stage `{self.name}': algorithm `{self.algorithm.name}' failed at indices "
                    f"{group.first_data_index}:{group.last_data_index}"
                )

    def _references(self, name: str, units: list[Unit], written: slice) -> Any:
        """Return which rows of the source are covered by which of the units just written."""
        ends = numpy.array([end for _, _, end in units])
        waiting = self._unwritten[name]
        covered = [(row, end) for row, end in waiting if end <= ends[-1]]
        del waiting[: len(covered)]
        places = numpy.searchsorted(ends, [end for _, end in covered])
        return numpy.stack([[row for row, _ in covered], places + written.start], axis=1)

    def _check_complete(self) -> None:
        for output in getattr(self, "_output_list", ()):
            if output.isDataMissing():
                raise BridgeError(
                    f"stage `{self.name}': algorithm `{self.algorithm.name}' has written output "
                    f"`{output.name}' only up to index {output.last_written_data_index}"
                )

    def finish(self, source_name: str) -> None:
        """Check that the outputs are complete."""
        self._check_complete()
