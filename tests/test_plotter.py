from __future__ import annotations

import numpy
import pytest
from support.declarations import PARAMETERS, PLOTTER, PLOTTER_PARAMETER, changed
from support.declared_prefix import write_everything
from support.objects import write_object

from beat.backend.python.plotter import Plotter
from beat.backend.python.plotter import Storage as PlotterStorage
from beat.backend.python.plotterparameter import PlotterParameter
from beat.backend.python.plotterparameter import Storage as ParameterStorage


@pytest.fixture
def prefix(tmp_path):
    write_everything(tmp_path / "prefix")
    return tmp_path / "prefix"


def test_a_plotter(prefix):
    formats, libraries = {}, {}
    plotter = Plotter(str(prefix), "user/plotter/1", formats, libraries)
    assert plotter.valid, plotter.errors
    assert plotter.name == "user/plotter/1"
    assert plotter.dataformat is formats["plot/scatter/1"]
    assert set(plotter.libraries) == {"user/lib/1"}
    assert set(libraries) == {"user/lib/1", "user/other/1"}
    assert plotter.uses_dict()["lib"]["path"].endswith("libraries/user/lib/1.py")
    assert plotter.code == b"class Plotter:\n    pass\n"
    assert plotter.language == "python"
    assert list(plotter.parameters) == list(PARAMETERS)
    assert plotter.clean_parameter("from-to", 3) == numpy.uint32(3)
    with pytest.raises(ValueError, match="not in the range"):
        plotter.clean_parameter("from-to", 11)
    with pytest.raises(KeyError):
        plotter.clean_parameter("none", 1)


def test_a_plotter_without_a_file(prefix):
    plotter = Plotter(str(prefix), changed(PLOTTER, "uses", to=...))
    assert plotter.valid
    assert plotter.name is None
    assert plotter.dataformat.name == "plot/scatter/1"
    plotter = Plotter(str(prefix), changed(PLOTTER, "dataformat", to="plot/none/1"))
    (error,) = plotter.errors
    assert error.startswith("error: no dataformat `plot/none/1'\n  at /dataformat")
    assert error.line == 5
    assert plotter.dataformat is None


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("dataformat",), "plot/none/1", "plotters/user/plotter/1.json:5:19: error: no dataformat"),
        (("language",), "fortran", "expected unknown, python, cxx, matlab or r"),
        (("parameters", "plain", "default"), "x", "cannot convert default 'x' to float64"),
        (("uses", "lib"), "user/none/1", "no library `user/none/1'"),
        (("more",), 1, "unknown key `more'"),
    ],
)
def test_all_that_is_wrong_with_a_plotter_is_told(prefix, path, value, text):
    write_object(prefix, "plotters", "user/plotter/1", changed(PLOTTER, *path, to=value))
    plotter = Plotter(str(prefix), "user/plotter/1")
    assert not plotter.valid
    assert text in "\n".join(plotter.errors)


def test_missing_and_broken_files(prefix):
    assert "file not found" in Plotter(str(prefix), "user/none/1").errors[0]
    assert "file not found" in PlotterParameter(str(prefix), "user/none/1").errors[0]
    (prefix / "plotters/user/plotter/1.py").unlink()
    assert "code file not found" in Plotter(str(prefix), "user/plotter/1").errors[0]
    write_object(prefix, "plotterparameters", "user/values/1", '{"data": {}, "data": {}}')
    error = PlotterParameter(str(prefix), "user/values/1").errors[0]
    assert error.startswith("Plotter parameter declaration file invalid")
    assert "data found several times" in error


def test_errors_of_used_libraries_and_formats_are_the_plotters(prefix):
    write_object(prefix, "dataformats", "plot/scatter/1", {"x": "int33"})
    (error,) = Plotter(str(prefix), "user/plotter/1").errors
    assert error.startswith("dataformats/plot/scatter/1.json:2:10: error: no basic type")


def test_plotter_parameters(prefix):
    values = PlotterParameter(str(prefix), "user/values/1")
    assert values.valid, values.errors
    assert values.plotter.name == "user/plotter/1"
    assert values.values == {"plain": 1.0, "one_of": "c", "given": False}
    assert isinstance(values.values["plain"], numpy.float64)
    assert PlotterParameter(str(prefix), PLOTTER_PARAMETER).valid


def test_all_wrong_values_are_told_at_once(prefix):
    wrong = changed(changed(PLOTTER_PARAMETER, "data", "plan", to=1), "data", "one_of", to="z")
    write_object(prefix, "plotterparameters", "user/values/1", wrong)
    values = PlotterParameter(str(prefix), "user/values/1")
    assert [error.pointer for error in values.errors] == ["/data/one_of", "/data/plan"]
    assert values.errors[1].suggestion == "plain"
    assert values.plotter is None
    assert values.values == {}


def test_errors_of_the_plotter_are_taken_over(prefix):
    write_object(prefix, "plotters", "user/plotter/1", changed(PLOTTER, "dataformat", to="x"))
    errors = PlotterParameter(str(prefix), "user/values/1").errors
    assert [error.path for error in errors] == ["plotters/user/plotter/1.json"]


def test_export(prefix, tmp_path):
    target = tmp_path / "target"
    PlotterParameter(str(prefix), "user/values/1").export(str(target))
    copy = PlotterParameter(str(target), "user/values/1")
    assert copy.valid, copy.errors
    assert copy.hash() == PlotterParameter(str(prefix), "user/values/1").hash()
    assert copy.plotter.hash() == Plotter(str(prefix), "user/plotter/1").hash()


def test_storages(tmp_path):
    storage = PlotterStorage(str(tmp_path), "user/name/2", "python")
    assert (storage.username, storage.name, storage.version) == ("user", "name", "2")
    assert storage.code.path == f"{tmp_path}/plotters/user/name/2.py"
    storage = ParameterStorage(str(tmp_path), "user/name/2")
    assert storage.json.path == f"{tmp_path}/plotterparameters/user/name/2.json"
    for kind in (PlotterStorage, ParameterStorage):
        with pytest.raises(RuntimeError, match="invalid plotter"):
            kind(str(tmp_path), "name/2")
