from __future__ import annotations

import os
import sys

import pytest

from beat.backend.python.flow import H5FlowStage, H5FlowTestStage, find_class, get_class
from beat.backend.python.flow.checks import check_classes
from beat.backend.python.flow.config import load_config
from beat.backend.python.flow.errors import ClassNotFound
from beat.backend.python.flow.lookup import locate_class

pytestmark = pytest.mark.serial

TRACE = "import builtins\nbuiltins.flow_trace.append(__file__)\n"


@pytest.fixture
def trace(monkeypatch):
    """The files that were run."""
    import builtins

    files = []
    monkeypatch.setattr(builtins, "flow_trace", files, raising=False)
    known = set(sys.modules)
    yield files
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.fixture
def write(work, trace):
    def write(name, text):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TRACE + text)
        return str(path)

    return write


def test_only_the_file_with_the_class_is_run_and_only_once(write, trace):
    write("other_stages.py", "class Other: pass")
    path = write("some_stages.py", "class Some: pass\nclass More: pass")
    first = get_class("Some")
    assert first.__module__ == "some_stages"
    assert get_class("Some") is first
    assert get_class("More").__module__ == "some_stages"
    assert trace == [path]


def test_the_order_of_places(write, work, trace):
    for name in (
        "zz_top.py",
        "h5flow_modules/a.py",
        "h5flow_modules/sub/b.py",
        "aa_sub/c.py",
        "config/d.py",
    ):
        write(name, "class Same: pass")
    expected = ["zz_top.py", "h5flow_modules/a.py", "h5flow_modules/sub/b.py", "aa_sub/c.py"]
    for name in [*expected, "config/d.py"]:
        found = locate_class("Same", [str(work / "config")])
        assert os.path.relpath(found, os.path.realpath(work)) == name
        os.unlink(found)
    assert trace == []


def test_the_folder_of_the_configuration(write, work, tmp_path, monkeypatch):
    write("config/near.py", "class Near: pass")
    monkeypatch.chdir(tmp_path)
    assert get_class("Near", folders=[str(work / "config")]).__name__ == "Near"
    with pytest.raises(ClassNotFound):
        get_class("Near")


@pytest.mark.parametrize(
    "text",
    [
        "class Wanted: pass",
        "from collections import OrderedDict as Wanted",
        "if True:\n    class Wanted: pass",
        "try:\n    import nothing_like_this\nexcept ImportError:\n    class Wanted: pass",
        "def make():\n    return int\nWanted = make()",
    ],
)
def test_what_counts_as_a_class_of_a_module(write, text):
    write("wanted_stage.py", text)
    assert isinstance(get_class("Wanted"), type)


@pytest.mark.parametrize(
    "text", ["x = 'Wanted'", "class Unwanted: pass", "def f():\n    class Wanted: pass"]
)
def test_what_does_not(write, trace, text):
    write("unwanted.py", text)
    with pytest.raises(ClassNotFound):
        get_class("Wanted")
    assert trace == []


def test_modules_of_others_keep_their_names(write):
    """A file called like a module of the standard library does not take its place."""
    import colorsys

    write("colorsys.py", "class Shadow: pass")
    write("never_imported_yet/wave.py", "class Sound: pass")
    assert get_class("Shadow").__module__ != "colorsys"
    assert sys.modules["colorsys"] is colorsys
    assert get_class("Sound").__module__ != "wave"
    import wave

    assert hasattr(wave, "Wave_read")


def test_modules_can_import_those_beside_them(write, trace):
    write("helping/geometry_of_flow.py", "SIZE = 3")
    write("helping/shaped.py", "from geometry_of_flow import SIZE\nclass Shaped: size = SIZE")
    assert get_class("Shaped").size == 3
    write("packed/__init__.py", "")
    write("packed/numbers_of_flow.py", "N = 4")
    write("packed/counting.py", "from .numbers_of_flow import N\nclass Counting: n = N")
    assert get_class("Counting").n == 4
    assert get_class("Counting").__module__ == "packed.counting"
    assert len(trace) == len(set(trace)) == 5


def test_dataclasses_work_in_modules_with_names_of_their_own(work, trace):
    (work / "colorsys.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Cut:\n    low: int = 3"
    )
    assert get_class("Cut")().low == 3


def test_links_in_circles_are_followed_once(write, work):
    write("deep/er/there.py", "class There: pass")
    for name in ("one", "two"):
        (work / "deep" / name).symlink_to(work, target_is_directory=True)
        (work / "deep" / "er" / name).symlink_to(work / "deep", target_is_directory=True)
    outside = work.parent / f"{work.name}_outside"
    outside.mkdir()
    try:
        (outside / "linked.py").write_text("class Linked: pass")
        (work / "link").symlink_to(outside, target_is_directory=True)
        assert get_class("There").__name__ == "There"
        assert get_class("Linked").__name__ == "Linked"
        with pytest.raises(ClassNotFound):
            get_class("Nowhere")
    finally:
        (outside / "linked.py").unlink()
        outside.rmdir()


def test_folders_that_are_not_looked_into(write, work):
    for name in (".hidden/a.py", "venv/lib/b.py", "__pycache__/c.py", "setup.py", "h5flow.py"):
        write(name, "class Hidden: pass")
    (work / "venv" / "pyvenv.cfg").touch()
    with pytest.raises(ClassNotFound):
        get_class("Hidden")


def test_a_copy_of_our_own_sources_is_not_looked_into(write, trace):
    write("clone/beat/backend/python/flow/modules/stages.py", "class H5FlowTestStage: pass")
    assert get_class("H5FlowTestStage") is H5FlowTestStage
    assert trace == []


def test_errors_of_the_module_are_shown(write):
    write("broken.py", "import nothing_like_this\nclass Broken: pass")
    with pytest.raises(ModuleNotFoundError, match="nothing_like_this"):
        get_class("Broken")
    write("unfinished.py", "class Unfinished:\n  def f(:\n")
    with pytest.raises(SyntaxError):
        get_class("Unfinished")
    assert not [name for name in sys.modules if name.startswith("_flow_")]


def test_near_matches(write):
    write("stages_near.py", "class HitBuilder: pass")
    with pytest.raises(ClassNotFound, match=r"no class `HitBuilde' .*did you mean `HitBuilder'\?"):
        get_class("HitBuilde")
    with pytest.raises(RuntimeError, match="did you mean `H5FlowTestStage'"):
        get_class("H5FlowTestStag")


def test_paths(write):
    write("named.py", "class Named: pass")
    assert get_class("H5FlowTestStage") is H5FlowTestStage
    assert get_class("H5FlowTestStage", path="h5flow.modules") is H5FlowTestStage
    own = "beat.backend.python.flow.modules"
    assert get_class("H5FlowTestStage", path=own) is H5FlowTestStage
    assert get_class("OrderedDict", path="collections").__name__ == "OrderedDict"
    with pytest.raises(ModuleNotFoundError):
        get_class("X", path="nothing_like_this.x")
    with pytest.raises(
        AttributeError, match=r"no class `OrderedDic' in module `collections' .*OrderedDict"
    ):
        get_class("OrderedDic", path="collections")


def test_find_class_looks_into_one_folder(write, work):
    write("folder/inside.py", "class Inside: pass")
    assert find_class("Inside", str(work / "folder")).__name__ == "Inside"
    assert find_class("Inside", str(work)) is None
    assert find_class("Inside", str(work / "none")) is None


def test_modules_written_for_the_other_name(write):
    write(
        "for_h5flow.py",
        "import h5flow\n"
        "from h5flow.core import H5FlowStage, resources\n"
        "from h5flow.core.h5_flow_generator import H5FlowGenerator\n"
        "from h5flow.core.h5_flow_manager import H5FlowManager\n"
        "from h5flow.core.h5_flow_resource import H5FlowResource\n"
        "from h5flow.data import dereference, ref_region_dtype\n"
        "import h5flow.data.lib as lib\n"
        "from h5flow.data.h5flow_data_manager import H5FlowDataManager\n"
        "from h5flow import H5FLOW_MPI, H5FlowManager as M, run, main\n"
        "class Foreign(H5FlowStage):\n"
        "    everything = resources, dereference, lib.dereference, M, H5FlowManager\n",
    )
    import beat.backend.python.flow as own

    klass = get_class("Foreign")
    assert issubclass(klass, H5FlowStage)
    assert klass.everything == (
        own.resources,
        own.dereference,
        own.dereference,
        own.H5FlowManager,
        own.H5FlowManager,
    )
    assert klass.everything[0] is own.resources
    with pytest.raises(ModuleNotFoundError):
        __import__("h5flow.nothing")


def test_classes_are_checked_without_running_anything(write, work, trace):
    write("checked.py", "class Checked: pass")
    write("pack/__init__.py", "from .inner import Inner")
    write("pack/inner.py", "class Inner: pass\n")
    write("starry.py", "from os import *")
    (work / "c.yaml").write_text(
        "flow: {source: a, stages: [b, c, d, e, f, g, h]}\n"
        "a: {classname: H5FlowDatasetLoopGenerator, dset_name: x}\n"
        "b: {classname: Checked}\n"
        "c: {classname: Cheked}\n"
        "d: {classname: Inner, path: pack.inner}\n"
        "e: {classname: Iner, path: pack.inner}\n"
        "f: {classname: X, path: pack.none}\n"
        "g: {classname: Anything, path: starry}\n"
        "h: {classname: H5FlowTestStage, path: h5flow.modules}\n"
        "resources:\n- {classname: Nowhere, path: nothing_like_this}\n"
    )
    sys.path.insert(0, str(work))
    try:
        problems = check_classes(load_config("c.yaml"))
    finally:
        sys.path.remove(str(work))
    assert trace == []
    assert len(problems) == 4
    assert problems[0] == "c.yaml:11: no module `nothing_like_this'"
    assert problems[1].startswith("c.yaml:4: no class `Cheked' in the Python files of ")
    assert problems[1].endswith("(did you mean `Checked'?)")
    assert problems[2] == "c.yaml:6: no class `Iner' in module `pack.inner' (did you mean `Inner'?)"
    assert problems[3] == "c.yaml:7: no module `pack.none'"
