from __future__ import annotations

import h5py
import numpy as np
import pytest
from support import flow_stages
from support.flow_files import (
    HITS,
    write_dset,
    write_example,
    write_refs,
    write_rows,
)

from beat.backend.python.flow import H5FlowDataManager, H5FlowManager, H5FlowStage, resources
from beat.backend.python.flow.errors import (
    ConfigError,
    MissingData,
    MissingFile,
    OtherProcessFailed,
    RequirementError,
)

STAGES = "support.flow_stages"


@pytest.fixture
def events():
    flow_stages.events.clear()
    return flow_stages.events


def section(classname, path=STAGES, **others):
    return {"classname": classname, "path": path, **others}


def numbers(**params):
    return section("Numbers", dset_name="numbers", params=params)


def loop(dset_name="A", **params):
    path = "beat.backend.python.flow.modules"
    return section("H5FlowDatasetLoopGenerator", path, dset_name=dset_name, params=params)


@pytest.fixture
def make(folder):
    """Return a manager of a flow; the stages are the sections given."""

    def make(source, *others, output="out.h5", input=None, resources=(), drop=(), **stages):
        options = stages.pop("options", {})
        config = {
            "flow": {"source": "source", "stages": list(stages), "drop": list(drop)},
            "resources": list(resources),
            "source": source,
            **stages,
        }
        input = None if input is None else str(folder / input)
        return H5FlowManager(config, str(folder / output), input, *others, **options)

    return make


@pytest.fixture
def run(make):
    """Run a flow, and return its output, opened."""
    opened = []

    def run(*args, **options):
        manager = make(*args, **options)
        manager.init()
        manager.run()
        manager.finish()
        place = (
            manager._output._work._place if manager._output.is_temporary else manager._output.path
        )
        opened.append(H5FlowDataManager(place, "r"))
        return opened[-1]

    yield run
    for flow in opened:
        flow.close_file()


@pytest.fixture
def rows(folder, together):
    """Return a file with a dataset of 25 rows."""
    together(write_rows, folder / "in.h5", np.arange(25))
    return "in.h5"


def runs(events):
    return [event for event in events if isinstance(event, tuple)]


# -- the life of a flow ------------------------------------------------------------------------


def test_the_order_of_everything(run, events):
    run(numbers(times=1), 5, resources=[section("Geometry")], a=section("Note"), b=section("Note"))
    slices = [event for event in events if isinstance(event, tuple)]
    assert [event if isinstance(event, str) else event[0] for event in events] == [
        "geometry made, start 5",
        "generator made",
        "a made",
        "b made",
        "geometry init numbers",
        "generator init",
        "a init numbers",
        "b init numbers",
        "a",
        "b",
        "generator finish",
        "a finish numbers",
        "b finish numbers",
        "geometry finish numbers",
    ]
    assert slices[0][1] == "numbers"
    assert slices[0][2].stop - slices[0][2].start == 4


def test_a_generator_makes_rows_and_stages_their_references(run):
    flow = run(
        numbers(),
        halves=section("Halves"),
        sums=section("Sums", requires=["halves"]),
    )
    n = 12 * flow.size
    assert flow["numbers", :].tolist() == list(range(n))
    assert flow["sums", :].tolist() == list(range(n))
    halves = flow["numbers", "halves", :]
    assert halves.shape == (n, 2)
    assert halves["side"].tolist() == [[0, 1]] * n
    parents = flow["halves", "numbers", :]
    assert sorted(parents.compressed().tolist()) == np.repeat(np.arange(n), 2).tolist()


def test_the_same_stage_may_stand_twice(folder, events):
    config = {
        "flow": {"source": "s", "stages": ["a", "a"]},
        "s": numbers(times=1),
        "a": section("Note"),
    }
    manager = H5FlowManager(config, str(folder / "out.h5"))
    assert len(manager.stages) == 2
    assert manager.stages[0] is not manager.stages[1]
    manager.init()
    manager.run()
    manager.finish()
    assert len(runs(events)) == 2


def test_no_stages_at_all(run, rows):
    assert len(run(loop(), input=rows).get_dset("A")) == 25


def test_attributes_of_the_manager(make, rows, processes):
    manager = make(loop(), input=rows, drop=["x"], a=section("Note"))
    assert (manager.comm, manager.rank, manager.size) == (
        processes.comm,
        processes.rank,
        processes.size,
    )
    assert manager.drop_list == ["x"]
    assert manager.data_manager.drop_list == ["x"]
    assert manager.generator.dset_name == "A"
    assert [stage.name for stage in manager.stages] == ["a"]
    manager.finish()


# -- generators --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start, end, chunk, expected",
    [
        (None, None, 10, [(0, 10), (10, 20), (20, 25)]),
        (None, None, 25, [(0, 25)]),
        (None, None, 99, [(0, 25)]),
        (3, 12, 5, [(3, 8), (8, 12)]),
        (3, 99, 20, [(3, 23), (23, 25)]),
        (-5, 4, 3, [(0, 3), (3, 4)]),
        (25, None, 5, []),
        (99, None, 5, []),
        (0, 0, 5, []),
        (0, -4, 5, []),
    ],
)
def test_the_loop_gives_slices_in_turn(run, rows, events, start, end, chunk, expected, processes):
    flow = run(loop(chunk_size=chunk), start, end, input=rows, a=section("Note"))
    given = [(event[2].start, event[2].stop) for event in runs(events)]
    assert [pair for pair in given if pair != (-1, -1)] == expected[
        processes.rank :: processes.size
    ]
    everybody = processes.gather(len(given))
    assert len(set(everybody)) == 1  # all have taken part in the same number of steps
    assert flow["A", :].tolist() == list(range(25))


def test_the_length_of_the_loop(make, rows, processes):
    manager = make(loop(chunk_size=10), input=rows)
    manager.init()
    assert len(manager.generator) == len(range(processes.rank, 3, processes.size))
    manager.finish()


def test_auto_takes_the_chunks_of_the_dataset(run, folder, events, together, processes):
    def write():
        with h5py.File(folder / "in.h5", "w") as file:
            file.create_dataset("A/data", data=np.arange(25), chunks=(8,))
            file["B/data"] = np.arange(40_000)

    together(write)
    run(loop(), input="in.h5", a=section("Note"))
    stops = [event[2].stop for event in runs(events) if event[2].stop > 0]
    assert stops == [8, 16, 24, 25][processes.rank :: processes.size]
    events.clear()
    run(loop("B"), input="in.h5", output="out2.h5", a=section("Note"))
    starts = [event[2].start for event in runs(events) if event[2].stop > 0]
    assert starts == [0, 16384, 32768][processes.rank :: processes.size]


def test_a_source_that_is_no_section_is_a_dataset_to_loop_over(folder, rows, events):
    config = {"flow": {"source": "A"}}
    manager = H5FlowManager(config, str(folder / "out.h5"), str(folder / rows))
    assert manager.generator.classname == "H5FlowDatasetLoopGenerator"
    assert manager.generator.dset_name == "A"
    manager.finish()


@pytest.mark.parametrize("chunk", [0, -3, "all", 1.5, None])
def test_chunk_sizes_that_make_no_sense(make, rows, chunk):
    with pytest.raises(ValueError, match="chunk_size must be a positive number or 'auto'"):
        make(loop(chunk_size=chunk), input=rows)


def test_a_loop_needs_an_input_with_its_dataset(make, rows, folder, processes):
    with pytest.raises(RuntimeError, match="must specify an input filename!"):
        make(loop())
    if processes.size > 1:
        return
    with pytest.raises(MissingFile, match=r"no such file: .*im.h5' \(did you mean `in.h5'\?\)"):
        make(loop(), input="im.h5")
    with pytest.raises(MissingData, match=r"no dataset `AA' in .*in.h5' \(did you mean `A'\?\)"):
        make(loop("AA"), input=rows)
    assert [path.name for path in folder.iterdir()] == ["in.h5"]


def test_a_bad_input_is_an_error_for_all(make, folder, processes):
    error = MissingFile if processes.rank == 0 else OtherProcessFailed
    with pytest.raises(error, match="no such file"):
        make(loop(), input="none.h5")


def test_empty_slices_are_passed_on_and_only_the_last_one_ends_the_loop(run, rows, events):
    flow_slices = [[5, 5], [-1, -1, 1], [2, 4]]
    run(
        section("Fixed", dset_name="A", params={"slices": flow_slices}),
        input=rows,
        output="in.h5",
        a=section("Note"),
    )
    assert [event[2] for event in runs(events)] == [slice(5, 5), slice(-1, -1, 1), slice(2, 4)]
    assert [event[3]["A"].tolist() for event in runs(events)] == [[], [], [2, 3]]


def test_generators_that_are_not_as_they_must_be(make):
    manager = make(section("NoNext", dset_name="A"))
    with pytest.raises(NotImplementedError, match=r"NoNext must define next\(\)"):
        manager.run()
    manager = make(section("Fixed", dset_name="A", params={"slices": [7]}))
    with pytest.raises(TypeError, match=r"Fixed.next\(\) must return a slice, got int"):
        manager.run()


def test_processes_wait_for_those_that_have_more(run, events, processes):
    """Each has one slice more than the one before; those that are done go on with nothing."""
    flow = run(numbers(times=processes.rank + 1), halves=section("Halves"))
    assert len(flow.get_dset("numbers")) == 4 * sum(range(1, processes.size + 1))
    assert len(flow.get_dset("halves")) == 2 * len(flow.get_dset("numbers"))
    assert flow["numbers", "halves", :]["value"].count() == len(flow.get_dset("halves"))


# -- resources ---------------------------------------------------------------------------------


def test_resources_are_found_by_their_class(run, events):
    resources["Old"] = None
    run(
        numbers(times=1),
        resources=[section("Geometry", params={"width": 7})],
        a=section("UseGeometry"),
    )
    assert 7 in events
    assert list(resources) == ["Geometry"]


def test_what_is_no_resource(make):
    with pytest.raises(RuntimeError, match="`Note' is not derived from H5FlowResource"):
        make(numbers(), resources=[section("Note")])


# -- the cache ---------------------------------------------------------------------------------


def test_stages_share_what_is_loaded(run, events):
    run(
        numbers(times=1, rows=2),
        halves=section("Halves"),
        a=section("Note", requires=["halves"]),
        change=section("Change", params={"what": "replace"}),
        b=section("Note"),
        add=section("Change", params={"what": "add"}),
        write=section("Change", params={"what": "write"}),
        c=section("Note", requires=[{"name": "h", "path": "halves", "index_only": True}]),
        delete=section("Change", params={"what": "delete"}),
        d=section("Note"),
    )
    first, second, third, fourth = (event[3] for event in runs(events))
    start = runs(events)[0][2].start
    values = np.arange(start, start + 2)
    assert list(first) == ["numbers", "halves"]
    assert first["numbers"].tolist() == values.tolist()
    assert first["halves"]["value"].tolist() == [[v / 2, v / 2] for v in values]
    assert second["numbers"].tolist() == (100 * values).tolist()
    assert second["halves"] is first["halves"]
    assert sorted(third) == ["h", "halves", "numbers"]  # what was added is gone
    assert third["numbers"].tolist() == (100 * values).tolist()  # not loaded again
    assert third["h"].tolist() == [[2 * v, 2 * v + 1] for v in values]
    assert fourth["numbers"].tolist() == [-1, -1]  # loaded again after it was deleted


def test_the_cache_is_new_for_each_slice(run, rows, events):
    run(
        loop(chunk_size=5),
        input=rows,
        a=section("Change", params={"what": "add"}),
        b=section("Note"),
    )
    assert all(list(event[3]) == ["A"] for event in runs(events))


def test_what_a_stage_loads_by_itself(run, events, processes):
    run(
        numbers(times=1, rows=2),
        halves=section("Halves"),
        own=section(
            "WithoutCache",
            requires=["halves", {"name": "n", "path": "numbers", "index_only": True}],
        ),
    )
    loaded = next(event for event in events if isinstance(event, dict))
    assert list(loaded) == ["numbers", "halves", "n"]
    assert loaded["halves"].shape == (2, 2)
    assert loaded["n"].tolist() == [2 * processes.rank, 2 * processes.rank + 1]


def test_a_stage_of_its_own_loads_too(open_flow, fill):
    flow = open_flow()
    fill(flow, "A", np.arange(6))
    stage = H5FlowStage("s", "H5FlowStage", flow, requires=["A", "B"], anything=3)
    with pytest.raises(RequirementError, match=r"stage `s': cannot load requirement `B'"):
        stage.load("A", slice(0, 3))
    stage = H5FlowStage("s", "H5FlowStage", flow)
    assert stage.requires == []
    assert stage.load("A", slice(2, 4))["A"].tolist() == [2, 3]
    stage.init("A")
    stage.run("A", slice(0, 1), {})
    stage.finish("A")


# -- requirements ------------------------------------------------------------------------------


@pytest.fixture
def example(folder, together):
    def write():
        path = write_example(folder / "example.h5")
        with h5py.File(path, "a") as file:
            write_dset(file, "quality", np.array([5, 6, 7, 8]))
            write_dset(file, "short", np.array([5, 6, 7]))
            write_refs(file, "quality", "tracks", [(0, 2), (3, 1)])

    together(write)
    return "example.h5"


@pytest.mark.parametrize(
    "requirement, expected",
    [
        ("charge/hits", [[HITS[1], HITS[3]], [None, None], [HITS[2], HITS[5]], [HITS[0], None]]),
        ({"name": "charge/hits", "index_only": True}, [[1, 3], [None] * 2, [2, 5], [0, None]]),
        (
            {"name": "t", "path": ["charge/hits", "tracks"]},
            [[[300, None], [100, 300]], None, [None, [200, None]], None],
        ),
        ({"name": "q", "path": "quality"}, [5, 6, 7, 8]),
        ({"name": "q", "path": ["quality"], "index_only": True}, [0, 1, 2, 3]),
        ({"name": "t", "path": ["quality", "tracks"]}, [[300], [None], [None], [200]]),
        (
            {"name": "t", "path": ["quality", "tracks"], "index_only": True},
            [[2], [None], [None], [1]],
        ),
        ({"name": "n", "path": "nothing", "optional": True}, None),
        ({"name": "n", "path": "short", "optional": True}, None),
    ],
)
def test_what_can_be_required(run, example, events, requirement, expected, processes):
    run(loop("charge/events"), input=example, a=section("Note", requires=[requirement]))
    name = requirement if isinstance(requirement, str) else requirement["name"]
    found = runs(events)[0][3][name]
    if processes.rank:
        return  # it had no rows
    if expected is None:
        assert found is None
    else:
        as_lists = found.tolist() if isinstance(found, np.ndarray) else found
        assert simplify(as_lists) == simplify(expected)


def simplify(value):
    """Return nested lists, in which a row that is all padding is None."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        value = [simplify(item) for item in value]
        return None if value and all(item is None for item in value) else value
    return value


@pytest.mark.serial
@pytest.mark.parametrize(
    "requirement, text",
    [
        (
            "charge/hit",
            r"requirement `charge/hit' \(path: charge/hit\) for rows 0:4 of `charge/events': "
            r"no dataset `charge/hit' .*did you mean `charge/hits'",
        ),
        (
            {"name": "t", "path": ["charge/hits", "trucks"]},
            r"`t' \(path: charge/hits -> trucks\).* no dataset `trucks' .*did you mean `tracks'",
        ),
        (
            {"name": "t", "path": ["charge/hits", "quality"]},
            r"no references between `charge/hits' and `quality'",
        ),
        ("short", r"`short' has only 3 of these 4 rows, and no references to `charge/events'"),
    ],
)
def test_what_cannot_be_loaded_is_an_error_at_the_first_slice(make, example, requirement, text):
    manager = make(
        loop("charge/events"),
        input=example,
        b=section("Note"),
        a=section("Note", requires=[requirement]),
    )
    manager.init()
    with pytest.raises(RequirementError, match=f"stage `a': cannot load .*{text}") as caught:
        manager.run()
    assert caught.value.__notes__ == ["in stage `a', rows 0:4 of `charge/events'"]


def test_requirements_in_full_form(make):
    manager = make(numbers())
    assert manager.format_requirements(
        ["a/b", {"name": "c"}, {"name": "d", "path": "e", "index_only": 1, "optional": True}]
    ) == [
        {"name": "a/b", "path": ["a/b"], "index_only": False},
        {"name": "c", "path": ["c"], "index_only": False},
        {"name": "d", "path": ["e"], "index_only": True, "optional": True},
    ]
    assert manager.format_requirements(None) == []
    for bad in (3, {"path": "x"}, None, {"name": 3}):
        with pytest.raises(ValueError, match="Unrecognized requirement"):
            manager.format_requirements([bad])
    for bad in (3, [], [3], {}):
        with pytest.raises(ValueError, match="Unrecognized path specification"):
            manager.format_requirements([{"name": "x", "path": bad}])
    manager.finish()


def test_the_cache_by_hand(make, rows):
    manager = make(loop(), input=rows)
    cache = {"other": 1, "kept": 2}
    wanted = manager.format_requirements(
        [{"name": "kept"}, {"name": "n", "path": "A", "index_only": True}]
    )
    manager.update_cache(cache, "A", slice(1, 3), wanted)
    assert sorted(cache) == ["A", "kept", "n"]
    assert cache["kept"] == 2
    assert cache["n"].tolist() == [1, 2]
    assert manager.load_requirement(wanted[1], "A", slice(4, 6)).tolist() == [4, 5]
    manager.finish()


# -- configurations that cannot be run ---------------------------------------------------------


@pytest.mark.parametrize(
    "config, text",
    [
        ({}, "the key `flow' is missing"),
        ({"flow": {"source": "x", "stages": ["a"]}}, "there is no section `a'"),
        (
            {"flow": {"source": "x", "stages": [3]}, "resources": 5},
            "(?s)expected text, got 3.*resources must",
        ),
        (None, "must be a mapping"),
    ],
)
def test_errors_of_the_configuration(folder, config, text):
    with pytest.raises(ConfigError, match=text):
        H5FlowManager(config, str(folder / "out.h5"))
    with pytest.raises((KeyError, ValueError)):
        H5FlowManager(config, str(folder / "out.h5"))


def test_a_missing_class_names_its_place(make):
    with pytest.raises(ModuleNotFoundError, match="nothing_like_this"):
        make(numbers(), a=section("X", "nothing_like_this"))
    with pytest.raises(AttributeError, match=r"no class `Halfs' .*did you mean `Halves'"):
        make(numbers(), a=section("Halfs"))
