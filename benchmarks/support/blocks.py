"""Working directories of blocks, for algorithms that pass on what they get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .kinds import INTEGER, Kind

JSON = dict[str, Any]

SEQUENTIAL = """\
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": inputs["in"].data.value})
        return True
"""

AUTONOMOUS = """\
class Algorithm:
    def process(self, data_loaders, outputs):
        output = outputs["out"]
        for data, _, end in data_loaders.loaderOf("in"):
            output.write({"value": data["in"].value}, end)
        return True
"""

PROCESSOR = """\
class Algorithm:
    def process(self, data_loaders, outputs, loop_channel):
        return True
"""

EVALUATOR = """\
class Algorithm:
    def validate(self, result):
        return True, {"value": result.value}

    def write(self, outputs, processor_output_name, end_data_index):
        pass
"""


class Block:
    """A working directory, whose prefix has one kind of data.

    Parameters
    ----------
    directory : Path
        The folder; it is the cache as well.
    kind : Kind
        What the input ``in`` gets and the output ``out`` takes.
    """

    def __init__(self, directory: Path, kind: Kind = INTEGER) -> None:
        self.directory = directory
        self.kind = kind
        self.prefix = directory / "prefix"
        self.dataformat = kind.write_format(self.prefix)

    def write_algorithm(self, type_name: str, code: str, loop: bool = False) -> str:
        """Write an algorithm of some type; return its name."""
        ends = {"type": self.kind.name}
        group: JSON = {"inputs": {"in": ends}, "outputs": {"out": ends}}
        if loop:
            group["loop"] = {"request": ends, "answer": ends}
        declaration = {
            "schema_version": 3,
            "language": "python",
            "api_version": 2,
            "type": type_name,
            "groups": [group],
        }
        path = self.prefix / "algorithms" / "user" / type_name / "1.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(declaration), encoding="utf-8")
        path.with_suffix(".py").write_text(code, encoding="utf-8")
        return f"user/{type_name}/1"

    def configure(self, algorithm: str, **more: Any) -> None:
        """Let the block read ``in`` and write ``out``."""
        configuration = self.side(algorithm, "out", **more)
        path = self.directory / "configuration.json"
        path.write_text(json.dumps(configuration), encoding="utf-8")

    @staticmethod
    def side(algorithm: str, output: str, source: JSON | None = None, **more: Any) -> JSON:
        """Return the configuration of the block, or of its loop."""
        return {
            "algorithm": algorithm,
            "channel": "main",
            "inputs": {"in": {"channel": "main", "path": "in", **(source or {})}},
            "outputs": {"out": {"channel": "main", "path": output}},
            **more,
        }
