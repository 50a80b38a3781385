"""Views of databases: the users' classes that say what is in a database, and deliver it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from . import loader
from .asset import JSON
from .data import DatabaseOutputDataSource, viewindex

#: Views get so many entries as a list, and more of them as what reads them from the file
MOST_LISTED = 1 << 15


class View:
    """The base of the users' views.

    A view implements `index` and `get`. Everything here works also in a subclass whose
    constructor does not call this one's.

    Attributes
    ----------
    root_folder : str
        Where the raw data is.
    parameters : dict
        What the database declares for the view.
    objs : list of named tuples
        The entries to deliver: those of the index which are in the range, from `setup` on.
    start_index, end_index : int
        The range: the indices of the first and of the last of those entries in the whole index.
    output_member_map : dict
        The field of the entries by the name of the output, where they are not called the same
        (no field can be called ``class``, say).
    """

    root_folder: Any = None
    parameters: Any = None
    objs: Any = None
    start_index: int | None = None
    end_index: int | None = None
    output_member_map: Mapping[str, str] = MappingProxyType({})

    def __new__(cls, *args: Any, **kwargs: Any) -> View:
        """Give each view a map of its own, also where ``__init__`` is not that of this class."""
        view = super().__new__(cls)
        view.output_member_map = dict(cls.output_member_map)
        return view

    def index(self, root_folder: Any, parameters: Any) -> list[Any] | Iterator[Any]:
        """Return named tuples that describe the data, in a consistent order.

        Units of an output are made of consecutive entries that are equal in its field. What is
        in files should be there as a path, to be loaded by `get`. Where there are very many of
        them, ``yield`` one after the other: no list is kept then.
        """
        raise NotImplementedError(f"{type(self).__name__}.index() is not implemented")

    def setup(
        self,
        root_folder: Any,
        parameters: Any,
        objs: Sequence[Any],
        start_index: int | None = None,
        end_index: int | None = None,
    ) -> None:
        """Get ready to deliver the entries of a range.

        Parameters
        ----------
        root_folder : str
            Where the raw data is.
        parameters : dict
            What the database declares for the view.
        objs : list of named tuples
            All entries of the index: a list, or if there are more than `MOST_LISTED`, what can
            be used like one and reads them from the file as they are asked for.
        start_index, end_index : int, optional
            The first and the last entry to deliver; by default from the first, to the last.
        """
        self.root_folder = root_folder
        self.parameters = parameters
        self.start_index = 0 if start_index is None else start_index
        self.end_index = len(objs) - 1 if end_index is None else end_index
        self.objs = objs[self.start_index : self.end_index + 1]

    def get(self, output: str, index: int) -> Any:
        """Return the data of an output, as a dictionary, for the entry ``self.objs[index]``."""
        raise NotImplementedError(f"{type(self).__name__}.get() is not implemented")

    def get_output_mapping(self, output: str) -> str:
        """Return the field of the entries that belongs to an output."""
        return self.output_member_map.get(output, output)


class Runner:
    """An instance of a user's view, and what it delivers.

    Parameters
    ----------
    module : module
        The user's code, loaded.
    definition : dict
        The set: the name of the class (``view``), the names of the formats of its ``outputs``
        by name, and maybe ``parameters``.
    prefix : str
        The prefix folder, for the formats.
    root_folder : str
        Where the raw data is.
    exc : class, optional
        What every failure is raised as: ``exc(original)`` or ``exc(message)``. Without it,
        failures of user code leave unchanged.

    Attributes
    ----------
    obj : object
        The user's instance.
    ready : bool
        Whether `setup` has been done.
    start_index : int or None
        From `setup` on, the index of the first entry of the range in the whole index.
    data_sources : dict
        From `setup` on, a `data.DatabaseOutputDataSource` for each output, by name.
    """

    def __init__(
        self,
        module: Any,
        definition: JSON,
        prefix: Any,
        root_folder: Any,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        self.name = definition["view"]
        self.outputs: dict[str, str] = definition["outputs"]
        self.parameters = dict(definition.get("parameters") or {})
        self.prefix = prefix
        self.root_folder = root_folder
        self.exc = exc
        self.obj = loader.run(module, self.name, exc)
        self._forget()

    def _forget(self) -> None:
        self.ready = False
        self.start_index: int | None = None
        self.data_sources: dict[str, DatabaseOutputDataSource] = {}
        self._objs: Sequence[Any] | None = None

    def index(self, filename: str) -> None:
        """Write what the view provides to an index file, one JSON object per entry.

        Parameters
        ----------
        filename : str
            The file; its folder is made.

        Raises
        ------
        RuntimeError
            If the view's ``index`` gives no list, or entries that cannot be kept.
        OSError
            If the file cannot be written.
        Exception
            What the user's code raises.
        """
        entries = loader.run(self.obj, "index", self.exc, self.root_folder, self.parameters)
        if isinstance(entries, Generator):  # the user's code goes on with each entry
            entries = self._yielded(entries)
        self._checked(viewindex.write_index, filename, entries)

    def _yielded(self, entries: Generator[Any, None, None]) -> Generator[Any, None, None]:
        end = object()
        following = partial(next, entries, end)
        yield from iter(lambda: loader.run(following, "__new__", self.exc), end)

    def setup(
        self,
        filename: str,
        start_index: int | None = None,
        end_index: int | None = None,
        pack: bool = True,
    ) -> None:
        """Read the index and make the data sources.

        Parameters
        ----------
        filename : str
            The file that `index` has written.
        start_index, end_index : int, optional
            The first and the last entry to deliver; by default from the first, to the last.
            Data sources keep the indices of the whole index, clipped to this range.
        pack : bool
            Whether the data sources deliver bytes.

        Raises
        ------
        RuntimeError
            If the file is no index, or if a dataformat is not valid.
        OSError
            If the file cannot be read.
        Exception
            What the user's code raises.
        """
        self._forget()
        entries = self._checked(viewindex.read_index, filename)
        if len(entries) <= MOST_LISTED:
            entries = entries.copy()
        loader.run(
            self.obj,
            "setup",
            self.exc,
            self.root_folder,
            self.parameters,
            entries,
            start_index=start_index,
            end_index=end_index,
        )
        self._keep(entries, start_index or 0, end_index)
        self.data_sources = {
            output: self._source(output, name, start_index, end_index, pack)
            for output, name in self.outputs.items()
        }
        self.ready = True

    def _keep(self, entries: Sequence[Any], start: int, end: int | None) -> None:
        """Take the entries of the range from the view, if that has any.

        A view with a `setup` of its own may have kept all entries: its indices are not relative
        to the range then.
        """
        kept: Any = getattr(self.obj, "objs", None)
        # anything else is the view's own affair
        is_list = isinstance(kept, (list, tuple, viewindex.Entries))
        objs: Sequence[Any] = kept if is_list else entries
        whole = len(objs) == len(entries)
        self.start_index = start
        self._objs = objs[start : None if end is None else end + 1] if whole else objs
        self._offset = start if whole and is_list else 0

    def _source(
        self, output: str, format_name: str, start: int | None, end: int | None, pack: bool
    ) -> DatabaseOutputDataSource:
        field = self.get_output_mapping(output)
        for entry in self.objects()[:1]:
            if not hasattr(entry, field):
                raise self._failure(
                    f"output `{output}' belongs to the field `{field}', but an entry is "
                    f"{str(entry)[:200]}: `output_member_map' says what belongs together"
                )
        source = DatabaseOutputDataSource()
        source.setup(self, output, format_name, self.prefix, start, end, pack)
        return source

    def get(self, output: str, index: int) -> Any:
        """Return what the view gives for an output.

        Parameters
        ----------
        output : str
            The name of the output; the view may know more than are declared.
        index : int
            The entry, counted from the start of the range.

        Raises
        ------
        RuntimeError
            Before `setup`.
        Exception
            What the user's code raises.
        """
        if not self.ready:
            raise self._failure("is not set up")
        return loader.run(self.obj, "get", self.exc, output, index + self._offset)

    def reader(self, output: str) -> Callable[[int], Any]:
        """Return `get` for one output, for whoever calls it once per unit of data.

        Without `exc`, there is nothing for `loader.run` to do but to call the method.
        """
        if self.exc is not None or type(self).get is not Runner.get:
            return partial(self.get, output)
        obj, offset = self.obj, self._offset
        return lambda index: obj.get(output, index + offset)

    def get_output_mapping(self, output: str) -> str:
        """Return the field of the entries that belongs to an output."""
        if hasattr(self.obj, "get_output_mapping"):
            field: str = loader.run(self.obj, "get_output_mapping", self.exc, output)
            return field
        mapping: Mapping[str, str] = getattr(self.obj, "output_member_map", {})
        return mapping.get(output, output)

    def objects(self) -> Sequence[Any]:
        """Return the entries of the range; `RuntimeError` before `setup`."""
        if self._objs is None:
            raise self._failure("is not set up")
        return self._objs

    def _checked(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call what raises `RuntimeError` for an index that cannot be."""
        try:
            return function(*args)
        except RuntimeError as error:
            raise self._failure(str(error)) from None

    def _failure(self, text: str) -> Exception:
        return (self.exc or RuntimeError)(f"view `{self.name}': {text}")
