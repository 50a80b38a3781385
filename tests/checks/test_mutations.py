"""Whatever is done to a declaration: findings with places in the file, never an exception."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.declared_prefix import KIND_OF, OBJECTS, write_everything

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.checks import check, open_catalog
from beat.backend.python.database import Database
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.experiment import Experiment
from beat.backend.python.library import Library
from beat.backend.python.plotter import Plotter
from beat.backend.python.plotterparameter import PlotterParameter
from beat.backend.python.protocoltemplate import ProtocolTemplate
from beat.backend.python.toolchain import Toolchain

CLASSES = {
    "dataformats": DataFormat,
    "libraries": Library,
    "algorithms": Algorithm,
    "protocoltemplates": ProtocolTemplate,
    "databases": Database,
    "toolchains": Toolchain,
    "experiments": Experiment,
    "plotters": Plotter,
    "plotterparameters": PlotterParameter,
}

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([1.5, 10**30, "", "x", "a/b/1", "user/number/1", "user/work/1", "data", "in"]),
    st.text(max_size=3),
    st.sampled_from([[], {}, [1], {"x": 1}, [[]], {"type": 3}, [{"name": "x"}], [None, {}]]),
)


def places(data, pointer=()):
    """Return the ways to all parts of a declaration."""
    if isinstance(data, list):
        data = dict(enumerate(data))
    found = [pointer] if pointer else []
    for token, part in data.items() if isinstance(data, dict) else ():
        found += places(part, (*pointer, token))
    return found


@st.composite
def mutated(draw, declaration):
    """Return a declaration with some parts replaced, taken away, doubled or called otherwise."""
    made = json.loads(json.dumps(declaration))
    for _ in range(draw(st.integers(1, 3))):
        known = places(made)
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        part = made
        for token in way:
            part = part[token]
        what = draw(st.sampled_from(["replace", "remove", "double", "rename"]))
        if what == "replace":
            part[last] = copy.deepcopy(draw(JUNK))
        elif what == "remove":
            del part[last]
        elif isinstance(part, list):
            part.append(copy.deepcopy(part[last]))
        elif what == "double":
            part[draw(st.text(max_size=3))] = copy.deepcopy(part[last])
        else:
            part[last[:-1] + draw(st.sampled_from("x-/.\n"))] = part.pop(last)
    return made


@st.composite
def garbled(draw, declaration):
    """Return the text of a declaration with some characters changed."""
    text = json.dumps(declaration, indent=draw(st.sampled_from([None, 2])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        inserted = draw(
            st.sampled_from(["", "", '"', "{", "}", "[", "]", ",", ":", "1e999", "NaN", "\\"])
        )
        text = text[:at] + inserted + text[at + draw(st.integers(0, 2)) :]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("everything")
    write_everything(made)
    return made


def examine(folder: Path, where: str, name: str, text: str) -> None:
    """Check an object of the prefix, whose declaration is that text."""
    path = folder / where / f"{name}.json"
    original = path.read_text()
    path.write_text(text, encoding="utf-8")
    try:
        catalog = open_catalog(str(folder))
        entry = catalog.find(KIND_OF[where], name)
        catalog.closure([entry])
        for finding in entry.findings:
            lines = (folder / finding.path).read_text().split("\n")
            assert 1 <= finding.line <= len(lines)
            assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1
            assert finding.message
            assert len(finding) < 3000
            json.dumps(finding.as_dict())
        asset = CLASSES[where](str(folder), name)
        findings = check(asset)
        assert asset.valid or any(finding.is_error for finding in findings), asset.errors
    finally:
        path.write_text(original)


NAMED = {name: (folder, declaration) for folder, name, declaration, _ in OBJECTS}


@pytest.mark.parametrize("name", NAMED)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_declarations(folder, name, data):
    where, declaration = NAMED[name]
    examine(folder, where, name, json.dumps(data.draw(mutated(declaration)), indent=2))


@pytest.mark.parametrize("name", ["user/everything/1", "user/block/1", "user/user/chain/1/x"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_garbled_declarations(folder, name, data):
    where, declaration = NAMED[name]
    examine(folder, where, name, data.draw(garbled(declaration)))
