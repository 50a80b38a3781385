"""Whole blocks in processes of their own, driven as the platform does."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from support.blocks import Workspace, side
from support.processes import run_block


@pytest.mark.parametrize("algorithm", ["echo_sequential", "echo_legacy", "echo_autonomous"])
def test_cached_inputs(workspace: Workspace, algorithm: str) -> None:
    workspace.bring(f"user/{algorithm}/1")
    given = workspace.write_input("in", [5, 6, 7])
    workspace.configure(f"user/{algorithm}/1", {"in": given})
    result = run_block(workspace)
    assert (result.status, result.user_error, result.system_error) == (0, "", "")
    assert workspace.units() == [(5, 0, 0), (6, 1, 1), (7, 2, 2)]
    assert result.statistics["blocks"] == {"read": 3, "write": 3}


@pytest.mark.parametrize("algorithm", ["sum_sequential", "sum_autonomous"])
def test_analyzers(workspace: Workspace, algorithm: str) -> None:
    workspace.bring(f"user/{algorithm}/1")
    given = workspace.write_input("in", [5, 6, 7])
    workspace.configure(f"user/{algorithm}/1", {"in": given}, result=True)
    assert run_block(workspace).status == 0
    assert workspace.units(field="sum") == [(18, 0, 2)]


@pytest.mark.parametrize(
    ("indexed", "units"),
    [
        (("simple/1", "numbers", "some", "out"), [(100 + i, i, i) for i in range(4)]),
        (("simple/1", "steps", "threes", "coarse"), [(i, 3 * i, 3 * i + 2) for i in range(3)]),
        (("people/1", "verification", "train", "file_id"), [(i + 1, i, i) for i in range(6)]),
    ],
    ids=["schema 1", "wide units", "schema 2"],
)
@pytest.mark.parametrize("algorithm", ["echo_sequential", "echo_autonomous"])
def test_databases(workspace: Workspace, indexed: Any, units: list[Any], algorithm: str) -> None:
    workspace.bring(f"user/{algorithm}/1")
    workspace.bring_database(indexed[0])
    workspace.configure(f"user/{algorithm}/1", {"in": workspace.index(*indexed)})
    result = run_block(workspace)
    assert (result.status, result.user_error, result.system_error) == (0, "", "")
    assert workspace.units() == units
    assert result.statuses == {"provider": 0}
    assert result.statistics["network"]["wait_time"] > 0


def test_ranges(workspace: Workspace) -> None:
    workspace.bring("user/add_offsets/1")
    workspace.bring_database("simple/1")
    inputs = {
        "in": workspace.index("simple/1", "numbers", "ten", "out"),
        "offset": workspace.index("simple/1", "numbers", "some", "out", channel="other"),
    }
    for limits in ([0, 3], [4, 9]):
        workspace.configure("user/add_offsets/1", inputs, range=limits)
        assert run_block(workspace).status == 0
        shutil.rmtree(workspace.directory.with_name("provider"))
    assert workspace.units() == [(406 + i, i, i) for i in range(10)]


PAIRINGS = [
    ("autonomous", "autonomous"),
    ("sequential", "autonomous"),
    ("sequential", "sequential"),
]
GUESSED = {"autonomous": [5, 5, 5], "sequential": [30, 40, 50]}


@pytest.mark.parametrize(("processor", "evaluator"), PAIRINGS)
def test_loops(workspace: Workspace, processor: str, evaluator: str) -> None:
    names = [f"user/guess_processor_{processor}/1", f"user/guess_evaluator_{evaluator}/1"]
    for name in names:
        workspace.bring(name)
    given = {"in": workspace.write_input("in", [3, 4, 5])}
    workspace.configure(names[0], given, loop=side(names[1], given, output_path="evaluated"))
    result = run_block(workspace)
    assert (result.status, result.user_error, result.system_error) == (0, "", "")
    assert workspace.values() == GUESSED[evaluator]
    assert len(workspace.values("evaluated")) == 3
    assert result.statuses == {"evaluator": 0}


@pytest.mark.parametrize(("processor", "evaluator"), PAIRINGS)
def test_loops_on_databases(workspace: Workspace, processor: str, evaluator: str) -> None:
    names = [f"user/guess_processor_{processor}/1", f"user/guess_evaluator_{evaluator}/1"]
    for name in names:
        workspace.bring(name)
    workspace.bring_database("simple/1")
    given = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    workspace.configure(names[0], given, loop=side(names[1], given, output_path="evaluated"))
    result = run_block(workspace)
    assert (result.status, result.user_error, result.system_error) == (0, "", "")
    assert len(workspace.values()) == len(workspace.values("evaluated")) == 4
    assert result.statuses == {"provider": 0, "evaluator_provider": 0, "evaluator": 0}


def test_warnings_are_on_the_standard_error(workspace: Workspace) -> None:
    workspace.bring("user/echo_legacy/1")
    workspace.configure("user/echo_legacy/1", {"in": workspace.write_input("in", [1])})
    result = run_block(workspace)
    assert "API 1" in result.outputs["algorithm"][1]
