from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.units import IMAGE, open_source, write_integers, write_units

from beat.backend.python.data import DataSource, mixDataIndices
from beat.backend.python.data_loaders import DataLoader, DataLoaderList, DataView

Pair = tuple[int, int]


class Source(DataSource):
    """Units whose data is their interval; counts the reads."""

    def __init__(self, units: Sequence[Pair]) -> None:
        self.infos = list(units)
        self.reads = 0
        self.resets = 0

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self.infos):
            return None, None, None
        self.reads += 1
        return (self.infos[index], *self.infos[index])

    def reset(self) -> None:
        self.resets += 1


IMAGES = [(i, i) for i in range(12)]
CLIENTS = [(0, 3), (4, 5), (6, 11)]
GROUPS = [(0, 5), (6, 11)]


def make_loader(**inputs: Sequence[Pair]) -> DataLoader:
    loader = DataLoader("channel")
    for name, units in inputs.items():
        loader.add(name, Source(units))
    return loader


@pytest.fixture
def loader() -> DataLoader:
    return make_loader(image=IMAGES, client=CLIENTS, group=GROUPS)


def test_a_new_loader() -> None:
    loader = DataLoader("channel")
    assert loader.channel == "channel"
    assert loader.count() == loader.nb_data_units == 0
    assert (loader.data_index_start, loader.data_index_end) == (-1, -1)
    assert loader.mixed_data_indices == []
    assert loader.input_names() == [*loader] == []
    assert loader.infos == {}
    assert loader[0] == (None, None, None)
    assert loader.view("image", 0) is None


def test_what_a_loader_knows(loader: DataLoader) -> None:
    assert loader.input_names() == ["image", "client", "group"]
    assert loader.count() == loader.nb_data_units == 12
    assert (loader.count("image"), loader.count("client"), loader.count("group")) == (12, 3, 2)
    assert loader.count("unknown") == 0
    assert (loader.data_index_start, loader.data_index_end) == (0, 11)
    assert loader.mixed_data_indices == IMAGES
    assert loader.infos["client"]["data_source"].infos == CLIENTS


def test_units(loader: DataLoader) -> None:
    units = [
        (
            {
                "image": (i, i),
                "client": next(c for c in CLIENTS if c[0] <= i <= c[1]),
                "group": GROUPS[i // 6],
            },
            i,
            i,
        )
        for i in range(12)
    ]
    assert [loader[i] for i in range(12)] == units
    assert [*loader] == units
    assert loader[7] == units[7]
    for index in (-1, -12, 12, 100):
        assert loader[index] == (None, None, None)


def test_units_of_inputs_that_cross() -> None:
    loader = make_loader(a=[(0, 4), (5, 9)], b=[(0, 1), (2, 6), (7, 9)])
    assert loader.mixed_data_indices == [(0, 1), (2, 4), (5, 6), (7, 9)]
    assert [*loader] == [
        ({"a": (0, 4), "b": (0, 1)}, 0, 1),
        ({"a": (0, 4), "b": (2, 6)}, 2, 4),
        ({"a": (5, 9), "b": (2, 6)}, 5, 6),
        ({"a": (5, 9), "b": (7, 9)}, 7, 9),
    ]


def test_inputs_that_begin_and_end_elsewhere() -> None:
    loader = make_loader(a=[(2, 4), (5, 9)], b=[(0, 3), (4, 7)])
    assert (loader.data_index_start, loader.data_index_end) == (2, 7)
    assert [*loader] == [
        ({"a": (2, 4), "b": (0, 3)}, 2, 3),
        ({"a": (2, 4), "b": (4, 7)}, 4, 4),
        ({"a": (5, 9), "b": (4, 7)}, 5, 7),
    ]
    assert loader.count("a") == 2
    view = loader.view("a", 1)
    assert view is not None
    assert [*view] == [({"a": (5, 9), "b": (4, 7)}, 5, 7)]


def test_adding_after_reading(loader: DataLoader) -> None:
    assert loader[3][0]["client"] == (0, 3)
    loader.add("half", Source([(0, 7), (8, 8)]))
    assert loader.count() == 9
    assert loader[8] == (
        {"image": (8, 8), "client": (6, 11), "group": (6, 11), "half": (8, 8)},
        8,
        8,
    )


def test_units_are_read_once_as_long_as_they_last(loader: DataLoader) -> None:
    assert len([*loader]) == 12
    sources = [info["data_source"] for info in loader.infos.values()]
    assert [source.reads for source in sources] == [12, 3, 2]
    assert [blocks for _, blocks in loader.blocks_read()] == [12, 3, 2]
    loader[11]
    assert loader.infos["client"]["data_source"].reads == 3
    loader.reset()
    assert loader.infos["client"]["data_source"].resets == 1
    loader[11]
    assert loader.infos["client"]["data_source"].reads == 4


def test_views(loader: DataLoader) -> None:
    for number, (start, end) in enumerate(CLIENTS):
        view = loader.view("client", number)
        assert isinstance(view, DataView)
        assert view.count() == view.nb_data_units == end - start + 1
        assert (view.data_index_start, view.data_index_end) == (start, end)
        assert [*view] == [view[i] for i in range(view.count())] == [*loader][start : end + 1]
        assert view.count("image") == end - start + 1
        assert view.count("client") == view.count("group") == 1
        assert view.count("unknown") is None
        assert view.input_names() == loader.input_names()
        assert view.infos is loader.infos
        assert view.data_indices == IMAGES[start : end + 1]
        for index in (-1, view.count(), 100):
            assert view[index] == (None, None, None)
        view.reset()


@pytest.mark.parametrize(
    ("name", "index"),
    [("client", 3), ("client", -1), ("client", 100), ("unknown", 0), ("unknown", -1)],
)
def test_no_view(loader: DataLoader, name: str, index: int) -> None:
    assert loader.view(name, index) is None


def test_a_view_of_a_unit_that_the_others_do_not_have() -> None:
    loader = make_loader(a=[(0, 0), (1, 1)], b=[(1, 1)])
    view = loader.view("a", 0)
    assert view is not None
    assert view.count() == 0
    assert view.count("a") == 0
    assert [*view] == []
    assert view[0] == (None, None, None)
    assert (view.data_index_start, view.data_index_end) == (-1, -1)


def test_a_view_made_of_pairs(loader: DataLoader) -> None:
    view = DataView(loader, [(4, 4), (5, 5)])
    assert [*view] == [*loader][4:6]


def test_the_autonomous_algorithm_of_the_user_documentation(loader: DataLoader) -> None:
    loaders = DataLoaderList()
    loaders.add(loader)
    found = loaders.loaderOf("image")
    assert found is not None
    results = []
    for i in range(found.count("client")):
        view = found.view("client", i)
        assert view is not None
        (data, _, end) = view[view.count() - 1]
        results.append((data["image"], data["client"], end))
    assert results == [((end, end), (start, end), end) for start, end in CLIENTS]


def test_a_source_that_has_items_only() -> None:
    class Items(DataSource):
        def __getitem__(self, index: int) -> Any:
            return (f"data {index}", *CLIENTS[index]) if 0 <= index < 3 else (None, None, None)

    loader = make_loader(image=IMAGES)
    loader.add("client", Items())
    assert [loader[i][0]["client"] for i in (0, 4, 11)] == ["data 0", "data 1", "data 2"]


def test_a_source_with_indices_of_its_own() -> None:
    class Shifted(Source):
        def data_indices(self) -> list[Pair]:
            return [(start + 6, end + 6) for start, end in self.infos]

    loader = make_loader(image=IMAGES)
    loader.add("late", Shifted([(0, 2), (3, 5)]))
    assert loader.mixed_data_indices == IMAGES[6:]
    assert loader[4] == ({"image": (10, 10), "late": (3, 5)}, 10, 10)


@st.composite
def unit_lists(draw: st.DrawFn) -> list[Pair]:
    position = draw(st.integers(0, 4))
    units = []
    for length in draw(st.lists(st.integers(1, 4), max_size=7)):
        units.append((position, position + length - 1))
        position += length
    return units


@given(st.lists(unit_lists(), min_size=1, max_size=4))
def test_any_inputs(lists: list[list[Pair]]) -> None:
    names = [f"input{i}" for i in range(len(lists))]
    loader = make_loader(**dict(zip(names, lists, strict=True)))
    mixed = mixDataIndices(lists)

    def expected(pair: Pair) -> Any:
        at = pair[0]
        data = {
            name: next(u for u in units if u[0] <= at <= u[1])
            for name, units in zip(names, lists, strict=True)
        }
        return data, *pair

    assert [*loader] == [expected(pair) for pair in mixed]
    for name, units in zip(names, lists, strict=True):
        for i, (start, end) in enumerate(units):
            view = loader.view(name, i)
            assert view is not None
            inside = [pair for pair in mixed if start <= pair[0] and pair[1] <= end]
            assert [*view] == [expected(pair) for pair in inside]
            if inside:
                low, high = inside[0][0], inside[-1][1]
                for other, others in zip(names, lists, strict=True):
                    here = [u for u in others if u[1] >= low and u[0] <= high]
                    assert view.count(other) == len(here)


# in other processes


def read_all(loader: DataLoader | DataView) -> list[Any]:
    return [({n: d.value for n, d in data.items()}, start, end) for data, start, end in loader]


@pytest.fixture
def cached_loader(prefix: str, tmp_path: Path) -> DataLoader:
    loader = DataLoader("channel")
    for name, length in (("image", 1), ("client", 4)):
        filename = str(tmp_path / f"{name}.data")
        write_integers(prefix, filename, 0, 11, length)
        loader.add(name, open_source(prefix, filename))
    return loader


def test_pickling(cached_loader: DataLoader) -> None:
    expected = read_all(cached_loader)
    copy = pickle.loads(pickle.dumps(cached_loader))
    assert read_all(copy) == expected
    view = cached_loader.view("client", 1)
    assert view is not None
    copied_view = pickle.loads(pickle.dumps(view))
    assert read_all(copied_view) == expected[4:8]


def test_no_data_travels(prefix: str, tmp_path: Path) -> None:
    filename = str(tmp_path / "image.data")
    image = {"value": numpy.zeros((100, 1000), dtype=numpy.uint8)}
    write_units(prefix, filename, [(image, 0, 0)], IMAGE)
    loader = DataLoader("channel")
    loader.add("image", open_source(prefix, filename))
    loader[0]
    assert len(pickle.dumps(loader)) < 5000


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads of other tests
def test_in_worker_processes(cached_loader: DataLoader, method: str) -> None:
    expected = read_all(cached_loader)  # files are open now
    view = cached_loader.view("client", 2)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(read_all, [cached_loader] * 3) == [expected] * 3
        assert pool.map(read_all, [view]) == [expected[8:]]
        pool.close()
        pool.join()


# lists


@pytest.fixture
def loaders() -> DataLoaderList:
    loaders = DataLoaderList()
    for channel, name in (("main", "a"), ("models", "b"), ("extra", "c")):
        loader = DataLoader(channel)
        loader.add(name, Source(IMAGES))
        loaders.add(loader)
    return loaders


def test_a_list_of_loaders(loaders: DataLoaderList) -> None:
    main, models, extra = loaders
    assert len(loaders) == 3
    assert loaders["main"] is loaders[0] is loaders.main_loader is main
    assert loaders["models"] is loaders[1] is loaders.loaderOf("b") is models
    assert loaders[-1] is extra
    assert loaders[1:] == [models, extra]
    assert loaders["unknown"] is loaders[3] is loaders[-4] is loaders.loaderOf("unknown") is None


def test_secondary_loaders(loaders: DataLoaderList) -> None:
    _, models, extra = loaders
    secondaries = loaders.secondaries()
    assert isinstance(secondaries, DataLoaderList)
    assert [*secondaries] == [models, extra]
    assert secondaries.main_loader is None
    assert secondaries.loaderOf("a") is None
    again = secondaries.secondaries()
    assert [*again] == [models, extra]
    assert again.main_loader is None
    assert len(loaders) == 3


def test_an_empty_list_of_loaders() -> None:
    loaders = DataLoaderList()
    assert loaders.main_loader is None
    assert loaders["main"] is loaders[0] is loaders.loaderOf("a") is None
    assert [*loaders.secondaries()] == [*loaders] == []
