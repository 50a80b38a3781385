"""Caches made by others stay usable: by every earlier version, and by existing installations."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.small_experiment import COPY, NAME, write_small_experiment

from beat.backend.python.cli import main
from beat.backend.python.runner import Runner
from beat.backend.python.runner.outputs import list_outputs, verify

STORE = Path(__file__).resolve().parent.parent / "data" / "store"
VERSIONS = sorted(path.name for path in STORE.iterdir() if path.is_dir())


@pytest.fixture(params=VERSIONS)
def runner(request, tmp_path):
    """Return a runner of a copy of what an earlier version has left."""
    shutil.copytree(STORE / request.param, tmp_path / "store")
    return Runner(str(tmp_path / "store" / "prefix"), str(tmp_path / "store" / "cache"))


@pytest.mark.parametrize("strict", [False, True])
def test_outputs_and_records_of_earlier_versions_are_used(runner, strict):
    runner.strict = strict
    run = runner.run(NAME)
    assert run.states == {"work": "cached", "sum": "cached"}
    found = {name: result.value for name, result in run.results["sum"].items()}
    assert found == {"total": 10, "count": 5}
    outputs = [*list_outputs(runner.cache)]
    assert len(outputs) == 2
    assert [verify(runner.cache, runner.prefix, output) for output in outputs] == [None, None]


def test_records_of_earlier_versions_tell_what_changed(runner):
    write_small_experiment(Path(runner.prefix), COPY + "\n", count=5, splittable=True, nb_slots=2)
    decisions = runner.decide(NAME)
    assert decisions["work"].reasons == ("algorithm `user/work/1' changed",)
    arguments = ["--prefix", runner.prefix, "--cache", runner.cache]
    shown = CliRunner().invoke(main, [*arguments, "logs", NAME, "work"])
    assert shown.exit_code == 0, shown.output


def digest(text):
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def as_text(dictionary):
    return "{" + ",".join(f'"{key}":{dictionary[key]}' for key in sorted(dictionary)) + "}"


class Installation:
    """Does what existing installations do, in plain Python."""

    def __init__(self, prefix, cache):
        self.prefix = prefix
        self.cache = cache
        self.dataset = digest('{"database":"numbers/1","protocol":"protocol","set":"all"}')
        common = {"parameters": "{}", "environment": as_text({"name": "test", "version": "1"})}
        self.block = self._hash(
            ("algorithm", self.algorithm("user/work/1")), common, {"in": self.dataset}, "out"
        )
        self.result = self._hash(
            ("algorithm_name", "user/sum/1"),
            {"algorithm": f'"{self.algorithm("user/sum/1")}"', **common},
            {"in": self.block},
        )

    def _hash(self, first, middle, inputs, output=None):
        parts = {first[0]: f'"{first[1]}"', **middle, "inputs": as_text(inputs)}
        if output is not None:
            parts["output"] = f'"{output}"'
        return digest("{" + ",".join(f'"{key}":{value}' for key, value in parts.items()) + "}")

    def algorithm(self, name):
        path = self.prefix / "algorithms" / f"{name}.json"
        declaration = json.loads(path.read_text())
        declaration.pop("description", None)
        code = path.with_suffix(".py").read_bytes()
        return digest(
            as_text(
                {
                    "declaration": digest(json.dumps(declaration, sort_keys=True)),
                    "code": digest(code),
                }
            )
        )

    def path(self, hash_):
        path = Path(self.cache, hash_[:2], hash_[2:4], hash_[4:6], hash_[6:])
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_index(self, values):
        path = self.path(self.dataset)
        Path(f"{path}.db").write_text(json.dumps([{"value": value} for value in values], indent=4))

    def write(self, hash_, format_name, units):
        data, index = f"binary\n{format_name}\n".encode(), b""
        for start, end, packed in units:
            data += f"{start} {end} {len(packed) + 1}\n".encode() + packed + b"\n"
            index += f"{start} {end}\n".encode()
        for kind, content in (("data", data), ("index", index)):
            path = Path(f"{self.path(hash_)}.{units[0][0]}.{units[-1][1]}.{kind}")
            path.write_bytes(content)
            Path(f"{path}.checksum").write_text(digest(content))


def run(prefix, cache, *options):
    arguments = ["--prefix", str(prefix), "--cache", cache, "run", "--json", *options, NAME]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    (done,) = json.loads(shown.stdout)
    values = {name: result["value"] for name, result in done["results"]["sum"].items()}
    return done["blocks"], values


@pytest.fixture
def installation(tmp_path, cache):
    write_small_experiment(tmp_path / "prefix", count=4)
    installation = Installation(tmp_path / "prefix", cache)
    installation.write_index(range(4))
    return installation


def test_outputs_of_existing_installations_are_used(installation, cache):
    """They say what would not come out if they were computed again."""
    units = [(i, i, struct.pack("<q", 100 + i)) for i in range(4)]
    installation.write(installation.block, "user/number/1", units[:3])
    installation.write(installation.block, "user/number/1", units[3:])
    before = {name: os.stat(name).st_mtime_ns for name in Path(cache).rglob("*.*")}
    states, values = run(installation.prefix, cache)
    assert states == {"work": "cached", "sum": "done"}
    assert values == {"total": 406, "count": 4}
    assert {name: os.stat(name).st_mtime_ns for name in before} == before
    states, values = run(installation.prefix, cache, "--strict-cache", "--force=sum")
    assert states == {"work": "done", "sum": "done"}
    assert values == {"total": 6, "count": 4}


def test_results_of_existing_installations_are_used(installation, cache):
    units = [(0, 3, struct.pack("<q", 7))]
    installation.write(installation.block, "user/number/1", units)
    result = struct.pack("<i", 4) + struct.pack("<i", 77)  # sorted: count, total
    installation.write(installation.result, "analysis:user/sum/1", [(0, 3, result)])
    states, values = run(installation.prefix, cache)
    assert states == {"work": "cached", "sum": "cached"}
    assert values == {"total": 77, "count": 4}
