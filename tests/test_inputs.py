from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.data import DataSource
from beat.backend.python.inputs import Input, InputGroup, InputList, first
from beat.backend.python.outputs import SynchronizationListener

Pair = tuple[int, int]


class Source(DataSource):
    """Units whose data is their interval."""

    def __init__(self, units: Sequence[Pair]) -> None:
        self.infos = list(units)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self.infos):
            return None, None, None
        return (self.infos[index], *self.infos[index])


IMAGES = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
LABELS = [(0, 2), (3, 5)]


def make_group(
    restricted_access: bool = False,
    listener: SynchronizationListener | None = None,
    channel: str = "channel",
    **units: Sequence[Pair],
) -> InputGroup:
    group = InputGroup(channel, listener, restricted_access)
    for name, pairs in units.items():
        group.add(Input(name, f"format/of/{name}", Source(pairs)))
    return group


def unit(input: Input | None) -> Any:
    assert input is not None
    assert input.data == (
        None if input.data_index == -1 else (input.data_index, input.data_index_end)
    )
    return input.data


@pytest.mark.parametrize(
    ("items", "default", "expected"),
    [([3, 4], None, 3), ([], None, None), ([], 5, 5), (iter("ab"), None, "a"), ((), None, None)],
)
def test_first(items: Any, default: Any, expected: Any) -> None:
    assert first(items, default) == expected


def test_a_new_input() -> None:
    source = Source(IMAGES)
    input = Input("images", "some/format/1", source)
    assert input.name == "images"
    assert input.data_format == "some/format/1"
    assert input.data_source is source
    assert input.group is None
    assert input.data is None
    assert (input.data_index, input.data_index_end) == (-1, -1)
    assert (input.next_data_index, input.nb_data_blocks_read) == (0, 0)
    assert input.data_same_as_previous is True
    assert input.hasDataChanged() is False
    assert input.hasMoreData()
    assert input.isDataUnitDone()


def test_the_format_is_kept_as_given() -> None:
    dataformat = object()
    assert Input("a", dataformat, Source([])).data_format is dataformat


def test_an_input_of_its_own() -> None:
    input = Input("labels", "f", Source(LABELS))
    for number, pair in enumerate(LABELS, 1):
        assert input.hasMoreData()
        input.next()
        assert unit(input) == pair
        assert input.next_data_index == input.nb_data_blocks_read == number
        assert input.hasDataChanged()
        assert input.isDataUnitDone()
    assert not input.hasMoreData()
    with pytest.raises(RuntimeError, match="`labels': no more data after index 5"):
        input.next()
    assert unit(input) == LABELS[-1]


def test_units_whose_data_is_none() -> None:
    class Empty(Source):
        def __getitem__(self, index: int) -> Any:
            return (None, *super().__getitem__(index)[1:])

    input = Input("a", "f", Empty(LABELS))
    input.next()
    assert input.data is None
    assert (input.data_index, input.data_index_end) == (0, 2)
    input.next()
    assert not input.hasMoreData()


def test_a_source_that_has_items_only() -> None:
    class Items(DataSource):
        def __getitem__(self, index: int) -> Any:
            return (index, index, index) if 0 <= index < 3 else (None, None, None)

    input = Input("a", "f", Items())
    seen = []
    while input.hasMoreData():
        input.next()
        seen.append(input.data)
    assert seen == [0, 1, 2]


def test_two_inputs_in_step() -> None:
    listener = SynchronizationListener()
    group = make_group(False, listener, images=IMAGES, labels=LABELS)
    images, labels = group["images"], group["labels"]
    assert images is not None
    assert labels is not None
    assert images.group is labels.group is group
    indices = (group.data_index, group.data_index_end, group.first_data_index)
    assert (*indices, group.last_data_index) == (-1, -1, -1, -1)
    assert images.isDataUnitDone()
    for i in range(6):
        assert group.hasMoreData()
        group.next()
        start, end = LABELS[i // 3]
        assert (unit(images), unit(labels)) == ((i, i), (start, end))
        assert (group.data_index, group.data_index_end) == (start, end)
        assert (group.first_data_index, group.last_data_index) == (i, i)
        assert (listener.data_index_start, listener.data_index_end) == (i, i)
        assert images.hasDataChanged()
        assert labels.hasDataChanged() == (i % 3 == 0)
        assert labels.data_same_as_previous == (i % 3 != 0)
        assert images.isDataUnitDone()
        assert labels.isDataUnitDone() == (i % 3 == 2)
        assert labels.hasMoreData() == (i < 3)
    assert not group.hasMoreData()
    with pytest.raises(RuntimeError, match="no more data"):
        group.next()
    assert images.nb_data_blocks_read == 6
    assert labels.nb_data_blocks_read == 2


def test_a_step_that_cannot_be_made_changes_nothing() -> None:
    group = make_group(a=[(0, 1)], b=[(0, 0), (1, 1), (2, 2)])
    group.next()
    group.next()
    with pytest.raises(RuntimeError, match="input `a': no more data after index 1"):
        group.next()
    assert (unit(group["a"]), unit(group["b"])) == ((0, 1), (1, 1))
    assert group.hasMoreData()
    assert (group.first_data_index, group.last_data_index) == (1, 1)


def test_a_group_without_inputs() -> None:
    group = make_group()
    assert len(group) == 0
    assert not group.hasMoreData()
    with pytest.raises(RuntimeError, match="no more data: the channel `channel' has no inputs"):
        group.next()


def test_an_input_advanced_alone() -> None:
    group = make_group(a=IMAGES, b=IMAGES)
    a, b = group["a"], group["b"]
    assert a is not None
    assert b is not None
    a.next()
    assert a.isDataUnitDone()
    assert b.isDataUnitDone()
    a.next()
    group.next()  # b ends first
    assert (unit(a), unit(b)) == ((1, 1), (0, 0))
    assert a.data_same_as_previous
    assert (group.data_index, group.data_index_end) == (0, 1)
    assert (group.first_data_index, group.last_data_index) == (1, 0)
    assert not a.isDataUnitDone()
    assert b.isDataUnitDone()


@st.composite
def partitions(draw: st.DrawFn, length: int = 24) -> list[Pair]:
    cuts = sorted(draw(st.sets(st.integers(1, length - 1))))
    starts = [0, *cuts]
    return list(zip(starts, [*(c - 1 for c in cuts), length - 1], strict=True))


@given(st.lists(partitions(), min_size=1, max_size=4))
def test_steps_are_what_looking_at_each_index_gives(lists: list[list[Pair]]) -> None:
    group = make_group(**{f"input{i}": units for i, units in enumerate(lists)})
    ends = sorted({end for units in lists for _, end in units})
    before = [-1] * len(lists)
    for end in ends:
        group.next()
        now = [unit(input) for input in group]
        assert now == [next(u for u in units if u[0] <= end <= u[1]) for units in lists]
        assert group.last_data_index == end == min(e for _, e in now)
        assert group.first_data_index == max(s for s, _ in now)
        assert group.data_index == min(s for s, _ in now)
        assert group.data_index_end == max(e for _, e in now)
        changed = [input.hasDataChanged() for input in group]
        assert changed == [s != b for (s, _), b in zip(now, before, strict=True)]
        before = [s for s, _ in now]
    assert not group.hasMoreData()


def test_a_restricted_group() -> None:
    group = make_group(restricted_access=True, images=IMAGES)
    [images] = group
    for advance in (group.next, images.next):
        with pytest.raises(RuntimeError, match=r"Not authorized.*channel `channel'"):
            advance()
    assert images.data is None
    group.restricted_access = False
    group.next()
    group.restricted_access = True
    assert unit(images) == (0, 0)
    with pytest.raises(RuntimeError, match="Not authorized"):
        group.next()


def test_groups_are_restricted_by_default() -> None:
    assert InputGroup("channel").restricted_access is True
    assert InputGroup("channel").synchronization_listener is None


def test_access_to_the_inputs_of_a_group() -> None:
    group = make_group(a=IMAGES, b=LABELS)
    a, b = group
    assert len(group) == 2
    assert (group["a"], group["b"], group[0], group[1], group[-1]) == (a, b, a, b, b)
    assert group["c"] is group[2] is group[-3] is None
    assert group.channel == "channel"


@pytest.fixture
def inputs() -> InputList:
    """A group that the platform advances, and another one."""
    inputs = InputList()
    inputs.add(make_group(channel="free", c=LABELS, d=IMAGES))
    inputs.add(make_group(True, channel="main", a=IMAGES, b=LABELS))
    inputs.add(make_group(True, channel="late", e=IMAGES))
    return inputs


def test_access_to_the_inputs_of_a_list(inputs: InputList) -> None:
    assert [input.name for input in inputs] == ["c", "d", "a", "b", "e"]
    assert len(inputs) == inputs.length == 5
    assert [input.name for input in inputs[1:3]] == ["d", "a"]
    for i, name in enumerate("cdabe"):
        found = inputs[name]
        assert found is not None
        assert found.name == name
        assert inputs[i] is found
    assert inputs[-1] is inputs["e"]
    assert inputs["unknown"] is inputs[5] is inputs[-6] is None


def test_access_to_the_groups(inputs: InputList) -> None:
    free, main = inputs.group(0), inputs.group("main")
    assert free is not None
    assert main is not None
    assert inputs.nbGroups() == 3
    assert inputs.main_group is main is inputs.group(1) is inputs.groupOf("b")
    assert inputs.groupOf("d") is inputs.group("free") is free
    assert inputs.groupOf("unknown") is inputs.group("unknown") is inputs.group(3) is None


def test_an_empty_list() -> None:
    inputs = InputList()
    assert len(inputs) == inputs.length == inputs.nbGroups() == 0
    assert inputs.main_group is None
    assert not inputs.hasMoreData()
    assert inputs[0:3] == [*inputs] == []
    assert (inputs.current_data_index, inputs.current_end_data_index) == (-1, -1)
    with pytest.raises(RuntimeError, match="no more data"):
        inputs.next()


def test_advancing_all_that_the_algorithm_may_advance(inputs: InputList) -> None:
    seen = []
    for _ in range(6):
        inputs.next()
        seen.append((unit(inputs["c"]), unit(inputs["d"]), unit(inputs["a"])))
    assert seen == [(LABELS[i // 3], IMAGES[i], None) for i in range(6)]
    assert inputs.hasMoreData()  # on the main group
    with pytest.raises(RuntimeError, match="no more data"):
        inputs.next()


def test_nothing_that_the_algorithm_may_advance() -> None:
    inputs = InputList()
    inputs.add(make_group(True, channel="main", a=IMAGES))
    with pytest.raises(RuntimeError, match=r"Not authorized.*`main'"):
        inputs.next()


def test_the_loop_of_the_user_documentation() -> None:
    inputs = InputList()
    inputs.add(make_group(images=IMAGES, labels=LABELS))
    seen = []
    while inputs.hasMoreData():
        inputs.next()
        seen.append((unit(inputs["images"]), unit(inputs["labels"])))
    assert seen == [(IMAGES[i], LABELS[i // 3]) for i in range(6)]


def test_the_current_indices(inputs: InputList) -> None:
    main = inputs.main_group
    assert main is not None
    assert (inputs.current_data_index, inputs.current_end_data_index) == (-1, -1)
    main.restricted_access = False
    main.next()
    assert (inputs.current_data_index, inputs.current_end_data_index) == (0, 2)
    free = InputList()
    free.add(make_group(a=[(3, 4)]))
    free.next()
    assert (free.current_data_index, free.current_end_data_index) == (3, 4)
