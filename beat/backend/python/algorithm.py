"""Algorithms: the declaration of what user code gets, gives and can be adjusted by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from . import loader, utils
from .algorithm_runner import Runner as Runner
from .asset import JSON, Asset
from .dataformat import BASIC_TYPES, DataFormat
from .library import Library, load_libraries, loader_uses, names_in
from .parameters import Parametrized, check_declarations


class Storage(utils.UserCodeStorage):
    """The files of an algorithm."""

    asset_type = "algorithm"
    asset_folder = "algorithms"


class Algorithm(Parametrized):
    """An algorithm.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    name : str
        The name, ``user/name/version``; any other form raises `RuntimeError`.
    dataformat_cache, library_cache : dict, optional
        Objects by full name, reused and added to.

    Attributes
    ----------
    groups : list of dict
        The groups of synchronised inputs and outputs.
    input_map, output_map, loop_map : dict
        Names of dataformats by the name of the end point.
    dataformats : dict
        The dataformats in use, by full name.
    libraries : dict
        The libraries in use, by full name.
    """

    kind = "Algorithm"
    storage_class = Storage
    dataformat_klass: ClassVar[type[DataFormat]] = DataFormat

    LEGACY = "legacy"
    SEQUENTIAL = "sequential"
    AUTONOMOUS = "autonomous"
    SEQUENTIAL_LOOP_EVALUATOR = "sequential_loop_evaluator"
    AUTONOMOUS_LOOP_EVALUATOR = "autonomous_loop_evaluator"
    SEQUENTIAL_LOOP_PROCESSOR = "sequential_loop_processor"
    AUTONOMOUS_LOOP_PROCESSOR = "autonomous_loop_processor"

    def __init__(
        self,
        prefix: str,
        name: str | JSON,
        dataformat_cache: dict[str, Any] | None = None,
        library_cache: dict[str, Any] | None = None,
    ) -> None:
        self._begin(prefix)
        self.groups: list[JSON] = []
        self.input_map: dict[str, str] = {}
        self.output_map: dict[str, str] = {}
        self.loop_map: dict[str, str] = {}
        self.dataformats: dict[str, Any] = {}
        self.libraries: dict[str, Library] = {}
        self._load(
            name,
            {} if dataformat_cache is None else dataformat_cache,
            {} if library_cache is None else library_cache,
        )

    def _load(
        self,
        data: str | JSON,
        dataformat_cache: dict[str, Any],
        library_cache: dict[str, Any],
    ) -> None:
        if not self._read(data):
            return
        self._read_code()
        self._read_groups()
        if self.parameters is not None:
            check_declarations(self.parameters, self.errors)
        self._load_dataformats(dataformat_cache)
        uses = names_in(self.uses, self.errors)
        self.libraries = load_libraries(self.prefix, uses, library_cache, self.errors)

    def _read_groups(self) -> None:
        """Fill the maps of end points; a group that is not of the right form is an error."""
        groups = self.data.get("groups")
        if not isinstance(groups, list):
            self.errors.append(f"`groups' must be a list, got {type(groups).__name__}")
            return
        self.groups = groups
        maps = {"inputs": self.input_map, "outputs": self.output_map, "loop": self.loop_map}
        for number, group in enumerate(groups):
            for part, names in maps.items():
                try:
                    endpoints = group.get(part, {})
                    names.update({name: point["type"] for name, point in endpoints.items()})
                except (AttributeError, KeyError, TypeError):
                    self.errors.append(
                        f"groups[{number}]: `{part}' must hold end points with a type"
                    )

    def _load_dataformats(self, cache: dict[str, Any]) -> None:
        """Load the formats of all end points and results; a missing one shows when it is used."""
        names = [*self.input_map.values(), *self.output_map.values(), *self.loop_map.values()]
        if self.isAnalyzer:
            names += self._result_types().values()
        for name in names:
            try:
                if name not in BASIC_TYPES:
                    self._update_dataformat_cache(name, cache)
            except (RuntimeError, TypeError) as error:
                self.errors.append(str(error))

    def _result_types(self) -> dict[str, str]:
        try:
            return {name: result["type"] for name, result in self.data["results"].items()}
        except (AttributeError, KeyError, TypeError):
            self.errors.append("`results' must be an object of results with a type")
            return {}

    def _update_dataformat_cache(self, type_name: str, dataformat_cache: dict[str, Any]) -> Any:
        """Return a dataformat, which is in `dataformats` and in the cache afterwards."""
        format = self.dataformats.get(type_name) or dataformat_cache.get(type_name)
        if format is None:
            format = self.dataformat_klass(
                self.prefix, type_name, dataformat_cache=dataformat_cache
            )
        self.dataformats[type_name] = dataformat_cache[type_name] = format
        return format

    @property
    def api_version(self) -> Any:
        """The version of the interface that the code implements."""
        return self.data.get("api_version", 1)

    @property
    def type(self) -> str:
        """When and with what the code is called; one of the constants if the value is known."""
        if self.api_version == 1:
            return self.LEGACY
        return self.data.get("type", self.SEQUENTIAL)  # type: ignore[no-any-return]

    @property
    def is_autonomous(self) -> bool:
        """Whether the code loads its data itself."""
        return self.type in (
            self.AUTONOMOUS,
            self.AUTONOMOUS_LOOP_EVALUATOR,
            self.AUTONOMOUS_LOOP_PROCESSOR,
        )

    @property
    def is_sequential(self) -> bool:
        """Whether the code is called once per unit of data."""
        return self.type in (
            self.SEQUENTIAL,
            self.SEQUENTIAL_LOOP_EVALUATOR,
            self.SEQUENTIAL_LOOP_PROCESSOR,
        )

    @property
    def is_loop(self) -> bool:
        """Whether the code is the evaluator of a loop."""
        return self.type in (self.SEQUENTIAL_LOOP_EVALUATOR, self.AUTONOMOUS_LOOP_EVALUATOR)

    @property
    def isAnalyzer(self) -> bool:
        """Whether the algorithm gives results instead of outputs."""
        return self.results is not None

    @property
    def results(self) -> JSON | None:
        """The declared results of an analyzer, else None."""
        return self.data.get("results")  # type: ignore[no-any-return]

    @results.setter
    def results(self, value: JSON) -> None:
        self.data["results"] = value

    @property
    def splittable(self) -> bool:
        """Whether ranges of the data may be processed separately."""
        return self.data.get("splittable", False)  # type: ignore[no-any-return]

    @splittable.setter
    def splittable(self, value: bool) -> None:
        self.data["splittable"] = value

    def result_dataformat(self) -> Any:
        """Return the dataformat of the results, ``analysis:<name>``; `TypeError` if no analyzer."""
        if not self.isAnalyzer:
            raise TypeError(f"algorithm `{self._name}' is a block algorithm, not an analyzer")
        fields = {name: result["type"] for name, result in self.data["results"].items()}
        dataformat = self.dataformat_klass(
            self.prefix, fields, dataformat_cache=dict(self.dataformats)
        )
        dataformat._name = f"analysis:{self._name}"
        return dataformat

    def uses_dict(self) -> JSON:
        """Return what `loader.load_module` needs to load the libraries in use."""
        return loader_uses(self.uses, self.libraries)

    def runner(
        self, klass: str = "Algorithm", exc: Callable[[Any], Exception] | None = None
    ) -> Runner:
        """Load the code and instantiate the user's class.

        Parameters
        ----------
        klass : str
            The name of the class in the code.
        exc : class, optional
            What failures are raised as, here and later.

        Raises
        ------
        RuntimeError
            If the code is not written in Python, or the algorithm has no name or is not valid.
        Exception
            What the user's code raises; `SyntaxError` and, for a missing class,
            `AttributeError` included.
        """
        loader.run(self._must_be_runnable, "__new__", exc)
        return Runner(self._load_module(self.uses_dict(), exc), klass, self, exc)

    def _must_be_runnable(self) -> None:
        self._named()
        self._must_be_valid()
        self._must_be_python()

    def _needs(self) -> Iterable[Asset]:
        return [*self.dataformats.values(), *self.libraries.values()]
