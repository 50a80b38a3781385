"""What user classes look like, for type checkers.

Write ``algorithm: SequentialAlgorithm = Algorithm()`` in a test, and mypy checks the methods of the
class against what the executors call. ``setup`` and ``prepare`` are optional: `WithParameters` and
`WithPreparation` describe them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..data_loaders import DataLoaderList
    from ..execution import LoopChannel
    from ..inputs import InputList
    from ..outputs import Output, OutputList


class WithParameters(Protocol):
    """An algorithm that takes parameters."""

    def setup(self, parameters: dict[str, Any]) -> bool:
        """Take the values of all declared parameters; return whether they are accepted."""


class WithPreparation(Protocol):
    """An algorithm that loads something before the first unit."""

    def prepare(self, data_loaders: DataLoaderList) -> bool:
        """Load what is needed; return whether all went well."""


class LegacyAlgorithm(Protocol):
    """An algorithm of API 1."""

    def process(self, inputs: InputList, outputs: OutputList) -> bool:
        """Process the current unit; return whether all went well."""


class SequentialAlgorithm(Protocol):
    """An algorithm that is called once for each unit of its main inputs."""

    def process(self, inputs: InputList, data_loaders: DataLoaderList, outputs: OutputList) -> bool:
        """Process the current unit; return whether all went well."""


class AutonomousAlgorithm(Protocol):
    """An algorithm that is called once and loads its data itself."""

    def process(self, data_loaders: DataLoaderList, outputs: OutputList) -> bool:
        """Process all data; return whether all went well."""


class SequentialAnalyzer(Protocol):
    """An analyzer that is called once for each unit of its main inputs."""

    def process(self, inputs: InputList, data_loaders: DataLoaderList, output: Output) -> bool:
        """Process the current unit; write the results with the last one."""


class AutonomousAnalyzer(Protocol):
    """An analyzer that is called once and loads its data itself."""

    def process(self, data_loaders: DataLoaderList, output: Output) -> bool:
        """Process all data and write the results."""


class SequentialLoopProcessor(Protocol):
    """The processor of a loop, called once for each unit of its main inputs."""

    def process(
        self,
        inputs: InputList,
        data_loaders: DataLoaderList,
        outputs: OutputList,
        loop_channel: LoopChannel,
    ) -> bool:
        """Process the current unit, asking the evaluator by the channel."""


class AutonomousLoopProcessor(Protocol):
    """The processor of a loop, called once."""

    def process(
        self, data_loaders: DataLoaderList, outputs: OutputList, loop_channel: LoopChannel
    ) -> bool:
        """Process all data, asking the evaluator by the channel."""


class AutonomousLoopEvaluator(Protocol):
    """The evaluator of a loop."""

    def validate(self, hypothesis: Any) -> tuple[bool, dict[str, Any]]:
        """Judge a hypothesis: whether it is accepted, and the answer."""

    def write(
        self, outputs: OutputList, processor_output_name: str, end_data_index: int | None
    ) -> None:
        """Write something, after the processor has written to that output of its own."""


class SequentialLoopEvaluator(AutonomousLoopEvaluator, Protocol):
    """The evaluator of a loop that reads at the pace of its processor."""

    def read(self, inputs: InputList) -> None:
        """Take notice of the current unit."""


class ViewLike(Protocol):
    """A view of a database."""

    def index(self, root_folder: str, parameters: dict[str, Any]) -> list[Any]:
        """Return one named tuple per entry."""

    def get(self, output: str, index: int) -> dict[str, Any]:
        """Return the content of an output at an entry."""
