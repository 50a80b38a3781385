"""Calls the methods of a user's algorithm, with the arguments its type is to get."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

from . import utils
from .loader import run

logger = logging.getLogger(__name__)


class Runner:
    """An instance of a user's class, and the order in which its methods may be called.

    Parameters
    ----------
    module : module
        The user's code, loaded.
    obj_name : str
        The name of the class.
    algorithm : Algorithm
        The declaration of the algorithm.
    exc : class, optional
        What every failure is raised as: ``exc(original)`` or ``exc(message)``. Without it,
        failures of user code leave unchanged.

    Attributes
    ----------
    obj : object
        The user's instance; attributes not found here are looked up there.
    name : str
        The name of the module.
    ready : bool
        Whether `setup` has been done, or is not needed.
    prepared : bool
        Whether `prepare` has been done, or is not needed.
    """

    def __init__(
        self,
        module: ModuleType,
        obj_name: str,
        algorithm: Any,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        self.name = module.__name__
        self.algorithm = algorithm
        self.exc = exc
        self.obj = run(run(getattr, "__new__", exc, module, obj_name), "__new__", exc)
        self.ready = not hasattr(self.obj, "setup")
        legacy = algorithm.api_version == 1
        self.prepared = legacy or not hasattr(self.obj, "prepare")
        if legacy and hasattr(self.obj, "prepare"):
            logger.warning(
                "%s: `prepare' is a reserved name; it is not called for algorithms of API 1",
                self.name,
            )

    def setup(self, parameters: Mapping[str, Any]) -> bool:
        """Hand the parameters to the algorithm; only the first successful call counts.

        Parameters
        ----------
        parameters : dict
            Values by name; those not given get their defaults.

        Returns
        -------
        bool
            Whether the algorithm accepts them.

        Raises
        ------
        KeyError
            If a parameter is not declared, or has neither value nor default.
        ValueError
            If a value cannot be converted, or breaks the declared restrictions.
        """
        if not self.ready:
            cleaned = self._clean_parameters(parameters or {})
            self.ready = bool(run(self.obj, "setup", self.exc, cleaned))
        return self.ready

    def _clean_parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        declared = self.algorithm.parameters or {}
        for name in given:
            if name not in declared:
                raise self._failure(KeyError, f"undeclared parameter `{name}' for `{self.name}'")
        cleaned = {}
        for name, declaration in declared.items():
            if name in given:
                try:
                    cleaned[name] = self.algorithm.clean_parameter(name, given[name])
                except ValueError as error:
                    raise self._failure(ValueError, str(error)) from None
            elif "default" in declaration:
                cleaned[name] = declaration["default"]
            else:
                raise self._failure(KeyError, f"parameter `{name}' has neither value nor default")
        return cleaned

    def prepare(self, data_loaders: Any) -> bool:
        """Let the algorithm load what it needs before the first `process`.

        Parameters
        ----------
        data_loaders : DataLoaderList
            All loaders; autonomous algorithms, which get the main one later, see the others only.

        Returns
        -------
        bool
            Whether the algorithm is prepared.

        Raises
        ------
        RuntimeError
            If it is not set up.
        """
        self._must_be_ready()
        if not self.prepared:
            if self.algorithm.type in (
                self.algorithm.AUTONOMOUS,
                self.algorithm.AUTONOMOUS_LOOP_PROCESSOR,
            ):
                data_loaders = data_loaders.secondaries()
            self.prepared = bool(run(self.obj, "prepare", self.exc, data_loaders))
        return self.prepared

    def process(
        self,
        inputs: Any = None,
        data_loaders: Any = None,
        outputs: Any = None,
        output: Any = None,
        loop_channel: Any = None,
    ) -> Any:
        """Call the algorithm's ``process`` with the arguments that are for its type.

        Parameters
        ----------
        inputs : inputs.InputList or inputs.InputGroup, optional
            The inputs, at the current unit; not for autonomous algorithms.
        data_loaders : data_loaders.DataLoaderList, optional
            The data loaders; not for algorithms of API 1.
        outputs : outputs.OutputList, optional
            The outputs; not for analyzers.
        output : outputs.Output, optional
            What an analyzer writes its results to.
        loop_channel : execution.LoopChannel, optional
            What the processor of a loop asks its evaluator by.

        Returns
        -------
        object
            What the algorithm returns: a false value means failure.

        Raises
        ------
        RuntimeError
            If an argument is missing, or the algorithm is not set up and prepared.
        """
        return self.bound_process(inputs, data_loaders, outputs, output, loop_channel)()

    def bound_process(
        self,
        inputs: Any = None,
        data_loaders: Any = None,
        outputs: Any = None,
        output: Any = None,
        loop_channel: Any = None,
    ) -> Callable[[], Any]:
        """Return what `process` would call, for loops that call it often.

        Everything is checked here, once; parameters and exceptions as in `process`.
        """
        self._must_be_prepared()
        kind = self.algorithm.type
        sink = ("output", output) if self.algorithm.isAnalyzer else ("outputs", outputs)
        if kind == self.algorithm.LEGACY:
            wanted = [("inputs", inputs), sink]
        elif self.algorithm.is_sequential:
            wanted = [("inputs", inputs), ("data_loaders", data_loaders), sink]
        else:
            wanted = [("data_loaders", data_loaders), sink]
        if kind != self.algorithm.LEGACY and self._wants_loop_channel(loop_channel):
            wanted.append(("loop_channel", loop_channel))
        for name, value in wanted:
            if value is None:
                raise self._failure(RuntimeError, f"`{self.name}' needs the argument `{name}'")
        return partial(run, self.obj, "process", self.exc, *(value for _, value in wanted))

    def _wants_loop_channel(self, loop_channel: Any) -> bool:
        declared = hasattr(self.obj, "process") and utils.has_argument(
            self.obj.process, "loop_channel"
        )
        processor = self.algorithm.type in (
            self.algorithm.SEQUENTIAL_LOOP_PROCESSOR,
            self.algorithm.AUTONOMOUS_LOOP_PROCESSOR,
        )
        if not declared and (processor or loop_channel is not None):
            raise self._failure(
                RuntimeError, f"`process' of `{self.name}' must declare the argument `loop_channel'"
            )
        return declared and (processor or loop_channel is not None)

    def validate(self, result: Any) -> tuple[Any, ...]:
        """Let an evaluator judge a hypothesis of its processor.

        Parameters
        ----------
        result : object
            The hypothesis, an object of the format of the loop's requests.

        Returns
        -------
        tuple
            (whether it is accepted, the answer).

        Raises
        ------
        RuntimeError
            If the algorithm is no evaluator, not set up and prepared, or returns no tuple.
        """
        self._must_be_evaluator("validate")
        answer = run(self.obj, "validate", self.exc, result)
        if not isinstance(answer, tuple):
            raise self._failure(
                RuntimeError,
                f"`validate' of `{self.name}' must return a tuple, got {type(answer).__name__}",
            )
        return answer

    def write(self, outputs: Any, processor_output_name: str, end_data_index: int | None) -> None:
        """Let an evaluator write, after its processor has; exceptions as in `validate`.

        Parameters
        ----------
        outputs : outputs.OutputList
            The outputs of the evaluator.
        processor_output_name : str
            The output that the processor has written to.
        end_data_index : int or None
            The last index of what it wrote; None if it did not say.
        """
        self._must_be_evaluator("write")
        run(self.obj, "write", self.exc, outputs, processor_output_name, end_data_index)

    def read(self, inputs: Any) -> None:
        """Let an evaluator read, after its inputs advanced; exceptions as in `validate`."""
        self._must_be_evaluator("read")
        run(self.obj, "read", self.exc, inputs)

    def _must_be_ready(self) -> None:
        if not self.ready:
            raise self._failure(RuntimeError, f"algorithm `{self.name}' is not set up yet")

    def _must_be_prepared(self) -> None:
        self._must_be_ready()
        if not self.prepared:
            raise self._failure(RuntimeError, f"algorithm `{self.name}' is not prepared yet")

    def _must_be_evaluator(self, method: str) -> None:
        if not self.algorithm.is_loop:
            raise self._failure(
                RuntimeError,
                f"`{method}' is for loop evaluators only: `{self.name}' is {self.algorithm.type}",
            )
        self._must_be_prepared()

    def _failure(self, builtin: type[Exception], message: str) -> Exception:
        return (self.exc or builtin)(message)

    def __getattr__(self, key: str) -> Any:
        if key == "obj":  # not there yet, when the user's class could not be instantiated
            raise AttributeError(key)
        return getattr(self.obj, key)
