"""The contract of a results store as a class of tests, for every store that there is or will be.

Subclass it in a test module, and give a fixture::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)
"""

from __future__ import annotations

import contextlib
import logging
import math
import pickle
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from ..stores import (
    AmbiguousRun,
    ConfigurationError,
    InvalidName,
    ObjectNotFound,
    ResultsStore,
    StoreContext,
    UnknownType,
    UnserialisableObject,
)

TASK = "Train"
CONFIG = {"Train": {"rate": 0.1, "layers": [10, 20]}, "Data": {"seed": 1}}

VALUES = [
    None,
    True,
    0,
    -(2**70),
    1.5,
    "",
    "text with é, \r\n, \x00 and 🙂",
    [],
    [1, [2, [3]]],
    {},
    {"a.b": {"$c": None}, "": 1},
    {"nested": {"list": [{"x": 1}]}},
    "long " * 10_000,
]

NAMES = ["x", "with space", "a.b", ".hidden", "..x", "$x", "%2E", "é🙂", "0", "n" * 200, "_id"]

BAD_NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "../x",
    "/etc/passwd",
    "a\\b",
    "a\x00b",
    "a\n",
    "n" * 201,
    "é" * 101,
    None,
    1,
    b"x",
]

SAME = [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": (1, (2, 3))}, {"a": [1, [2, 3]]}),
    ({"a": {1: "x"}}, {"a": {"1": "x"}}),
    ({"a": math.nan}, {"a": float("nan")}),
    ({"a": math.inf}, {"a": float("inf")}),
    ({}, {}),
]

DIFFERENT = [
    ({"a": 1}, {"a": 1.0}),
    ({"a": 1}, {"a": True}),
    ({"a": 0}, {"a": False}),
    ({"a": 1}, {"a": "1"}),
    ({"a": None}, {"a": "null"}),
    ({"a": [1, 2]}, {"a": [2, 1]}),
    ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}),
    ({"a": "é"}, {"a": "e\u0301"}),
    ({"a": 0.1}, {"a": 0.1 + 2**-55}),
]

_circle: dict[str, Any] = {}
_circle["self"] = _circle
_deep: list[Any] = []
for _ in range(100_000):
    _deep = [_deep]

UNHASHABLE = [
    {"a": object()},
    {"a": {1, 2}},
    {"a": b"bytes"},
    {"a": 1j},
    {("a", 1): 2},
    {1: "x", "1": "y"},
    {"deep": _deep},
    _circle,
    ["a"],
    "a",
    None,
]


class StoreContract:
    """Tests of a results store.

    Attributes
    ----------
    serialises : bool
        Whether the store refuses objects that do not fit their type, and unknown types.
    keeps_references : bool
        Whether what is loaded is what was saved, not a copy.
    """

    serialises: ClassVar[bool] = True
    keeps_references: ClassVar[bool] = False

    @pytest.fixture
    def store(self) -> Any:
        """Give an empty store, one that may load pickles."""
        raise NotImplementedError("a subclass gives the fixture `store`")

    @pytest.fixture
    def other(self, store: ResultsStore) -> ResultsStore:
        """Give a second store on the same data, by default what travels to another process."""
        copy: ResultsStore = pickle.loads(pickle.dumps(store))
        return copy

    def save(
        self,
        store: ResultsStore,
        obj: Any,
        name: str = "x",
        config: Mapping[Any, Any] = CONFIG,
        type_: str = "json",
        task: str = TASK,
        **kwargs: Any,
    ) -> None:
        """Save as engines do, with everything given by keyword."""
        run = {"task_name": task, "task_unique_config": config}
        store.save(obj=obj, name=name, type_=type_, **run, **kwargs)  # type: ignore[arg-type]

    def load(
        self,
        store: ResultsStore,
        name: str = "x",
        config: Mapping[Any, Any] = CONFIG,
        task: str = TASK,
        **kwargs: Any,
    ) -> Any:
        """Load as engines do; a missing object raises."""
        kwargs = {"strict": True, **kwargs}
        return store.load(name=name, task_name=task, task_unique_config=config, **kwargs)

    # What is saved is loaded

    @pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
    def test_value_comes_back(self, store: ResultsStore, value: Any) -> None:
        """JSON values come back as they are, and so does None."""
        self.save(store, value)
        assert self.load(store) == value

    def test_nan_comes_back(self, store: ResultsStore) -> None:
        """Neither NaN nor infinity are lost."""
        self.save(store, [math.nan, math.inf, -math.inf])
        nan, *rest = self.load(store)
        assert math.isnan(nan)
        assert rest == [math.inf, -math.inf]

    @pytest.mark.parametrize(
        ("type_", "value"),
        [("text", "a\r\nb\n"), ("event", "é"), ("pickle", {1, 2}), ("pickle", b"\x00" * 100_000)],
        ids=["text", "event", "set", "bytes"],
    )
    def test_types(self, store: ResultsStore, type_: str, value: Any) -> None:
        """The other types keep what JSON cannot."""
        self.save(store, value, type_=type_)
        assert self.load(store) == value

    def test_value_of_20_megabytes(self, store: ResultsStore) -> None:
        """Objects may be larger than any document."""
        value = bytes(range(256)) * (20 * 4096)
        self.save(store, value, type_="pickle")
        assert self.load(store) == value
        store.delete("x", TASK, CONFIG)
        assert self.load(store, default="gone") == "gone"

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, store: ResultsStore, name: str) -> None:
        """Names of objects and tasks may hold everything but slashes and control characters."""
        self.save(store, "mine", name=name, task=name)
        self.save(store, "other", name="y", task=name)
        assert self.load(store, name=name, task=name) == "mine"
        assert self.load(store, name="y", task=name) == "other"
        store.delete(name, name, CONFIG)
        assert self.load(store, name=name, task=name, default=0) == 0
        assert self.load(store, name="y", task=name) == "other"

    def test_names_do_not_mix(self, store: ResultsStore) -> None:
        """Every name is an object of its own, however alike they look."""
        names = ["hid", ".hid", "..hid", "hid.json", "a.b", "a%2Eb", "a$b", "HID"]
        for number, name in enumerate(names):
            self.save(store, number, name=name)
        assert [self.load(store, name=name) for name in names] == list(range(len(names)))

    def test_tasks_do_not_mix(self, store: ResultsStore) -> None:
        """The same name in two tasks is two objects."""
        self.save(store, 1, task="A")
        self.save(store, 2, task="B")
        assert self.load(store, task="A") == 1
        assert self.load(store, task="B") == 2

    def test_saving_again_replaces(self, store: ResultsStore) -> None:
        """The last saved object counts, whatever its type and size."""
        for value, type_ in [
            ([1], "json"),
            ("x" * 50_000, "json"),
            ({3}, "pickle"),
            ("text", "text"),
            ([2], "json"),
        ]:
            self.save(store, value, type_=type_)
            assert self.load(store) == value

    def test_other_handle_sees_it(self, store: ResultsStore, other: ResultsStore) -> None:
        """What one store saves another one on the same data loads and deletes."""
        self.save(store, [1])
        assert self.load(other) == [1]
        self.save(other, [2])
        assert self.load(store) == [2]
        other.delete_run(TASK, CONFIG)
        assert self.load(store, default="gone") == "gone"

    def test_what_is_saved_is_not_what_changes_later(self, store: ResultsStore) -> None:
        """To change the object or the configuration afterwards does not change the store."""
        value, config = [1], {"a": [1]}
        self.save(store, value, config=config)
        value.append(2)
        config["a"].append(2)
        assert self.load(store, config={"a": [1]}) == ([1, 2] if self.keeps_references else [1])
        assert self.load(store, config=config, default="none") == "none"

    def test_positional_load_and_delete(self, store: ResultsStore) -> None:
        """Everything but save takes its arguments in one order in all stores."""
        self.save(store, [1])
        assert store.load("x", TASK, CONFIG) == [1]
        store.delete("x", TASK, CONFIG)
        store.delete_run(TASK, CONFIG)
        assert isinstance(store.get_context(TASK, CONFIG), StoreContext)
        assert store.get_results(TASK, CONFIG) is None
        assert store.is_finished(TASK, CONFIG) is False

    def test_keywords_of_engines(self, store: ResultsStore) -> None:
        """What engines give for files does not disturb stores without files."""
        self.save(store, {"a": 1}, sub_dir=".fluidml", indent=4)
        assert self.load(store, lazy=False) == {"a": 1}

    # Missing objects

    def test_missing_object_is_none_with_a_warning(
        self, store: ResultsStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The warning names object, task and configuration."""
        self.save(store, 1, name="there")
        with caplog.at_level(logging.WARNING):
            assert self.load(store, name="gone", strict=False) is None
        assert "'gone'" in caplog.text
        assert "'Train'" in caplog.text
        assert '"seed":1' in caplog.text

    @pytest.mark.parametrize("config", [CONFIG, {"none": 1}], ids=["no object", "no run"])
    def test_missing_object_raises_when_strict(
        self, store: ResultsStore, config: Mapping[str, Any]
    ) -> None:
        """It is a KeyError that names object, task and configuration."""
        self.save(store, 1, name="there")
        with pytest.raises(ObjectNotFound, match=r"'gone' of task 'Train' with .*\{"):
            self.load(store, name="gone", config=config)
        with pytest.raises(KeyError):
            self.load(store, name="gone", config=config)

    def test_default(self, store: ResultsStore, caplog: pytest.LogCaptureFixture) -> None:
        """A default is given for what is missing, without a warning, and not for a saved None."""
        self.save(store, None)
        with caplog.at_level(logging.WARNING):
            assert self.load(store, default=5) is None
            assert self.load(store, name="gone", default=5) == 5
            assert self.load(store, name="gone", default=None) is None
        assert not caplog.records

    def test_looking_makes_nothing(self, store: ResultsStore) -> None:
        """Whoever only asks leaves no run that would answer later questions."""
        bigger = {**CONFIG, "more": 1}
        assert self.load(store, config=bigger, default=0) == 0
        context = store.get_context(TASK, bigger, create=False)  # type: ignore[call-arg]
        assert context.run_dir is None
        assert store.get_results(TASK, bigger) is None
        assert not store.is_finished(TASK, bigger)
        self.save(store, "mine")
        assert self.load(store, config=bigger) == "mine"

    # Configurations

    @pytest.mark.parametrize(("first", "second"), SAME, ids=repr)
    def test_same_configurations(
        self, store: ResultsStore, first: dict[Any, Any], second: dict[Any, Any]
    ) -> None:
        """Configurations are the same if their JSON is."""
        self.save(store, 1, config=first)
        self.save(store, 2, config=second)
        assert self.load(store, config=first) == 2

    @pytest.mark.parametrize(("first", "second"), DIFFERENT, ids=repr)
    def test_different_configurations(
        self, store: ResultsStore, first: dict[Any, Any], second: dict[Any, Any]
    ) -> None:
        """Whatever makes a difference in JSON makes two runs."""
        self.save(store, 1, config=first)
        assert self.load(store, config=second, default="none") == "none"
        self.save(store, 2, config=second)
        assert self.load(store, config=first) == 1
        assert self.load(store, config=second) == 2

    @pytest.mark.parametrize("key", ["a.b", "$a", "", ".", "_id", "\x00", "é", "x" * 2000])
    def test_any_key(self, store: ResultsStore, key: str) -> None:
        """Keys may be any text."""
        self.save(store, 1, config={key: {key: 1}})
        self.save(store, 2, config={key: {key: 2}})
        assert self.load(store, config={key: {key: 1}}) == 1

    def test_large_configuration(self, store: ResultsStore) -> None:
        """Configurations may be long; errors show a part of them only."""
        config = {"rows": [{"number": n, "text": "x" * 50} for n in range(2000)]}
        self.save(store, 1, config=config)
        assert self.load(store, config=config) == 1
        with pytest.raises(ObjectNotFound) as caught:
            self.load(store, name="gone", config=config)
        assert len(str(caught.value)) < 2000

    @pytest.mark.parametrize("config", UNHASHABLE, ids=lambda config: type(config).__name__)
    def test_unhashable_configuration(self, store: ResultsStore, config: Any) -> None:
        """What has no JSON form is refused by every method; object and task are named."""
        calls: list[Callable[[], object]] = [
            lambda: self.save(store, 1, config=config),
            lambda: self.load(store, config=config),
            lambda: store.delete("x", TASK, config),
            lambda: store.delete_run(TASK, config),
            lambda: store.get_context(TASK, config),
        ]
        for call in calls:
            with pytest.raises(ConfigurationError, match=r"'Train' .* has no JSON form"):
                call()
        self.save(store, 1)
        assert self.load(store) == 1

    # Which run answers

    def test_part_of_the_configuration_answers(self, store: ResultsStore) -> None:
        """A task finds the runs of the tasks before it by its own, larger configuration."""
        self.save(store, "data", config={"Data": {"seed": 1}})
        self.save(store, "other", config={"Data": {"seed": 2}})
        assert self.load(store, config=CONFIG) == "data"
        assert self.load(store, config={"Data": {"seed": 3}}, default=0) == 0
        assert self.load(store, config={"Train": CONFIG["Train"]}, default=0) == 0

    def test_exact_run_comes_first(self, store: ResultsStore) -> None:
        """A run of a part of the configuration never hides the exact one."""
        for first, second in [({"a": 1}, {"a": 1, "b": 2}), ({"c": 1, "d": 2}, {"c": 1})]:
            self.save(store, len(first), config=first)
            self.save(store, len(second), config=second)
            assert self.load(store, config=first) == len(first)
            assert self.load(store, config=second) == len(second)

    def test_largest_part_answers(self, store: ResultsStore) -> None:
        """Of several parts the largest one answers, the empty one last."""
        parts: list[dict[str, int]] = [{}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}]
        for part in parts:
            self.save(store, len(part), config=part)
        assert self.load(store, config={"a": 1, "b": 2, "d": 5}) == 2
        assert self.load(store, config={"a": 1, "b": 4}) == 1
        assert self.load(store, config={"z": 1}) == 0

    def test_two_parts_of_one_size(self, store: ResultsStore) -> None:
        """The error lists both, and only reads look at parts at all."""
        self.save(store, 1, config={"a": 1})
        self.save(store, 2, config={"b": 2})
        both = {"a": 1, "b": 2}
        with pytest.raises(AmbiguousRun, match=r"'Train'.*'a'.*'b'"):
            self.load(store, config=both)
        self.save(store, 3, config=both)
        assert self.load(store, config=both) == 3

    def test_writes_are_exact(self, store: ResultsStore) -> None:
        """Saving and deleting never touch the run of a part of the configuration."""
        self.save(store, "small", config={"a": 1})
        bigger = {"a": 1, "b": 2}
        store.delete("x", TASK, bigger)
        store.delete_run(TASK, bigger)
        assert self.load(store, config=bigger) == "small"
        self.save(store, "big", config=bigger)
        store.delete_run(TASK, bigger)
        assert self.load(store, config={"a": 1}) == "small"

    # Deleting

    def test_delete(self, store: ResultsStore) -> None:
        """One object goes, the others stay."""
        for value, type_ in [([1], "json"), ({1}, "pickle")]:
            self.save(store, value, type_=type_)
            self.save(store, "stays", name="y")
            store.delete(name="x", task_name=TASK, task_unique_config=CONFIG)
            with pytest.raises(ObjectNotFound):
                self.load(store)
            assert self.load(store, name="y") == "stays"

    def test_delete_run(self, store: ResultsStore) -> None:
        """One run goes with everything in it, the others stay; the next save makes it anew."""
        self.save(store, 1, config={"a": 1})
        self.save(store, {1}, name="p", config={"a": 1}, type_="pickle")
        self.save(store, 2, config={"a": 2})
        store.delete_run(task_name=TASK, task_unique_config={"a": 1})
        for name in ("x", "p"):
            assert self.load(store, name=name, config={"a": 1}, default="gone") == "gone"
        assert self.load(store, config={"a": 2}) == 2
        self.save(store, 3, name="y", config={"a": 1})
        assert self.load(store, name="y", config={"a": 1}) == 3
        assert self.load(store, config={"a": 1}, default="gone") == "gone"

    def test_deleting_nothing_warns(
        self, store: ResultsStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What is missing cannot be deleted; that is no error."""
        self.save(store, 1, config={"a": 1})
        calls: list[Callable[[], object]] = [
            lambda: store.delete("x", "None", {"a": 1}),
            lambda: store.delete("x", TASK, {"a": 2}),
            lambda: store.delete("y", TASK, {"a": 1}),
            lambda: store.delete_run("None", {"a": 1}),
            lambda: store.delete_run(TASK, {"a": 2}),
        ]
        for call in calls:
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                call()
            assert "nothing to delete" in caplog.text
        assert self.load(store, config={"a": 1}) == 1

    # Bad input

    @pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:12])
    def test_bad_names(self, store: ResultsStore, name: Any) -> None:
        """A name that could lead anywhere else is refused as object and as task."""
        calls: list[Callable[[], object]] = [
            lambda: self.save(store, 1, task=name),
            lambda: self.load(store, task=name),
        ]
        if name is not None:
            calls += [lambda: self.save(store, 1, name=name), lambda: self.load(store, name=name)]
        for call in calls:
            with pytest.raises(InvalidName, match="expected printable text"):
                call()

    @pytest.mark.parametrize("type_", ["jsn", None, 5, ""])
    def test_unknown_type(self, store: ResultsStore, type_: Any) -> None:
        """The error lists what there is; nothing is made."""
        if not self.serialises:
            pytest.skip("this store does not look at types")
        with pytest.raises(UnknownType, match=r"'x' of task 'Train' .*supported: event, json"):
            self.save(store, 1, config={"a": 1}, type_=type_)
        with pytest.raises(KeyError):
            self.save(store, 1, config={"a": 1}, type_=type_)
        self.save(store, "bigger", config={})
        assert self.load(store, config={"a": 1}) == "bigger"

    @pytest.mark.parametrize(
        ("value", "type_"),
        [
            (object(), "json"),
            (_circle, "json"),
            (_deep, "json"),
            ({"ok": 1, "bad": {1, 2}}, "json"),
            (threading.Lock(), "pickle"),
            ((lambda: None), "pickle"),
            (b"bytes", "text"),
            (5, "text"),
            ("\ud800", "text"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_unserialisable_object(self, store: ResultsStore, value: Any, type_: str) -> None:
        """The error names everything; what was there before still is."""
        if not self.serialises:
            pytest.skip("this store keeps every object")
        with pytest.raises(UnserialisableObject, match=f"'x' of task 'Train' with .*{type_}"):
            self.save(store, value, config={"a": 1}, type_=type_)
        self.save(store, "from the part", config={})
        assert self.load(store, config={"a": 1}) == "from the part"
        self.save(store, [1], config={"a": 1})
        with pytest.raises(TypeError):
            self.save(store, value, config={"a": 1}, type_=type_)
        assert self.load(store, config={"a": 1}) == [1]

    # What engines use

    def test_list_runs(self, store: ResultsStore) -> None:
        """The configurations of a task's runs are told, as JSON has them; of no other task."""
        assert list(store.list_runs(TASK)) == []
        configurations = [{"a": 1, "b": "x"}, {"a": 2, "b": [1, {"c": None}]}, {}]
        for configuration in configurations:
            self.save(store, 1, config=configuration)
        store.save(obj=1, name="x", type_="json", task_name="Other", task_unique_config={"z": 1})
        found = list(store.list_runs(TASK))
        assert sorted(map(str, found)) == sorted(map(str, configurations))
        store.delete_run(task_name=TASK, task_unique_config=configurations[0])
        assert configurations[0] not in list(store.list_runs(TASK))

    def test_get_results(self, store: ResultsStore) -> None:
        """All listed objects are there, the saved None too; no list, and an empty one, is None."""
        assert store.get_results(TASK, CONFIG) is None
        self.save(store, [], name=".saved_results", sub_dir=".fluidml")
        assert store.get_results(TASK, CONFIG) is None
        self.save(store, 1, name="one")
        self.save(store, None, name="none")
        names = ["one", "none", "gone"]
        self.save(store, names, name=".saved_results", sub_dir=".fluidml")
        results = store.get_results(task_name=TASK, task_unique_config=CONFIG)
        assert results == {"one": 1, "none": None, "gone": None}

    @pytest.mark.parametrize(
        ("info", "expected"),
        [
            ({"state": "finished", "id": "1"}, True),
            ({"state": "running"}, False),
            ({"state": None}, False),
            ({}, False),
            (None, False),
        ],
        ids=repr,
    )
    def test_is_finished(
        self,
        store: ResultsStore,
        info: Any,
        expected: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The state decides; to ask is nothing to warn of."""
        with caplog.at_level(logging.WARNING):
            assert store.is_finished(task_name=TASK, task_unique_config=CONFIG) is False
        assert not caplog.records
        self.save(store, info, name="fluidml_info", indent=4)
        assert store.is_finished(TASK, CONFIG) is expected

    def test_is_finished_without_state(self, store: ResultsStore) -> None:
        """An info without state is none."""
        self.save(store, {"id": 1}, name="fluidml_info")
        with pytest.raises(KeyError, match="'fluidml_info' of task 'Train' holds no 'state'"):
            store.is_finished(TASK, CONFIG)

    def test_lock_and_run_info_can_be_set(self, store: ResultsStore) -> None:
        """Unset, the lock does nothing; set, it is given back."""
        with store.lock, store.lock:
            self.save(store, 1)
        lock = threading.RLock()
        store.lock = lock
        store.run_info = SimpleNamespace(run_name="brave-fox", sweep_counter=None)
        assert store.lock is lock
        with store.lock:
            self.save(store, 2, config={"a": 1})
        assert self.load(store, config={"a": 1}) == 2

    def test_store_travels(self, store: ResultsStore, other: ResultsStore) -> None:
        """A store can be pickled with a lock that cannot, and works as before."""
        store.lock = threading.RLock()
        store.run_info = SimpleNamespace(run_name="brave-fox", sweep_counter="007")
        copy = pickle.loads(pickle.dumps(store))
        assert copy.run_info == store.run_info
        with copy.lock:
            self.save(copy, [5], config={"a": 5})
            assert self.load(copy, config={"a": 5}) == [5]
        with contextlib.suppress(AttributeError):
            copy.close()

    def test_create_run(self, store: ResultsStore) -> None:
        """To create a run that is there changes nothing; a new one hides that of its part."""
        self.save(store, "part", config={})
        self.save(store, "whole", config={"a": 1})
        assert store.create_run(TASK, {"a": 1}) == store.get_context(TASK, {"a": 1})
        assert self.load(store, config={"a": 1}) == "whole"
        store.create_run(task_name=TASK, task_unique_config={"a": 2})
        assert self.load(store, config={"a": 2}, default="empty") == "empty"

    def test_threads(self, store: ResultsStore) -> None:
        """Threads share one store; no object is lost, whether of one run or of several."""
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for i in range(10):
                    self.save(store, [number, i], name=f"{number}-{i}", config={"run": i})
            except BaseException as error:  # noqa: BLE001 - reported by the test
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        for number in range(4):
            for i in range(10):
                assert self.load(store, name=f"{number}-{i}", config={"run": i}) == [number, i]
