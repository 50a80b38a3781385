"""What is wrong beyond the form, mistake by mistake: its place, and what was probably meant."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from support.declarations import POINT

WORK, BLOCK, REPORT = "user/work/1", "user/block/1", "user/report/1"
DB, DBT = "numbers/1", "templated/1"
TC, X = "user/chain/1", "user/user/chain/1/x"
ALL, NUMBER = "user/everything/1", "user/number/1"
SET = {"name": "train", "view": "All", "outputs": {"o": NUMBER}}
PROTOCOL = {"name": "p.1", "template": "t", "sets": [SET]}
DATASET = {"database": "numbers/1", "protocol": "p.1", "set": "train"}
RECTANGLE = {"col": 1, "row": 1, "width": 1, "height": 1}


class Mistake(NamedTuple):
    """A part of an object, its wrong value, what is said, what was meant, and where it is said."""

    name: str
    part: str
    value: Any
    text: str
    meant: str | None = None
    at: str | None = None


M = Mistake
ERRORS = [
    # references of all kinds
    M(ALL, "other", "user/numbr/1", "no dataformat `user/numbr/1'", NUMBER),
    M(ALL, "others/2", "user/x/1", "no dataformat `user/x/1'"),
    M(ALL, "inner/y/z", "user/x/1", "no dataformat `user/x/1'"),
    M(ALL, "#extends", "user/bas/1", "no dataformat `user/bas/1'", "user/base/1"),
    M(ALL, "objects/1/#extends", "user/x/1", "no dataformat `user/x/1'"),
    M(ALL, "integer", "int33", "no basic type or dataformat `int33'", "int32"),
    M(WORK, "groups/0/inputs/in/type", "user/number", "expected user/name/version", NUMBER),
    M(WORK, "uses", {"a": "user/lb/1"}, "no library `user/lb/1'", "user/lib/1", "uses/a"),
    M(REPORT, "results/curve/type", "plot/scater/1", "no dataformat", "plot/scatter/1"),
    M("user/processor/1", "groups/0/loop/answer/type", "a/b/1", "no dataformat `a/b/1'"),
    M("user/lib/1", "uses/other", "user/othr/1", "no library `user/othr/1'", "user/other/1"),
    M(DB, "protocols/0/sets/0/outputs/value", "user/nmber/1", "no dataformat", NUMBER),
    M(DBT, "protocols/0/template", "simpel/1", "no protocol template `simpel/1'", "simple/1"),
    M("user/plotter/1", "dataformat", "plot/x/1", "no dataformat `plot/x/1'"),
    M("user/values/1", "plotter", "user/ploter/1", "no plotter", "user/plotter/1"),
    M(X, "datasets/data/database", "nmbers/1", "no database `nmbers/1'", DB),
    M(X, "blocks/work/algorithm", "user/wrk/1", "no algorithm `user/wrk/1'", WORK),
    # dataformats
    M("user/derived/1", "value", "int8", "field `value' is already in `user/number/1'"),
    M(ALL, "objects/1/base", "int8", "field `base' is already in `user/base/1'"),
    M(ALL, "array/0", -1, "a negative size: nothing fits"),
    # algorithms, and all that has parameters
    M(BLOCK, "groups/1/inputs/in-1", POINT, "`in-1' is already in another group"),
    M(WORK, "language", "r", "code file not found: algorithms/user/work/1.r"),
    M(WORK, "parameters/plain/default", "x", "cannot convert default 'x' to float64"),
    M(WORK, "parameters/from-to/default", 11, "default 11 is not in the range [0, 10]"),
    M(WORK, "parameters/one_of/default", "d", "default d is not among the choices"),
    M(WORK, "parameters/from-to/range", [5, 5], "with start < end"),
    M(WORK, "parameters/from-to/range", [1], "with start < end"),
    M(WORK, "parameters/from-to/range", 7, "range must be a list, got int"),
    M(WORK, "parameters/from-to/range", [0, None], "cannot convert range None"),
    M(WORK, "parameters/one_of/choice", "abc", "choice must be a list"),
    M(WORK, "parameters/from-to/choice", ["a"], "cannot convert choice 'a'"),
    M("user/plotter/1", "parameters/plain/default", [1], "cannot convert default"),
    M("user/values/1", "data/plan", 1, "plotter `user/plotter/1' has no parameter", "plain"),
    M("user/values/1", "data/one_of", "z", "z is not among the choices"),
    # databases
    M(DB, "protocols/1", PROTOCOL, "`p.1' stands twice", at="protocols/1/name"),
    M(DB, "protocols/0/sets/1", SET, "`train' stands twice", at="protocols/0/sets/1/name"),
    M(DB, "protocols/0/sets/0/view", "Al", "no class `Al' in databases/numbers/1.py", "All"),
    M(DBT, "protocols/0/views/tran", {"view": "All"}, "no set `tran'", "train"),
    M(DBT, "protocols/0/views/a.b", {"view": "All"}, "the template has no set `a.b'"),
    M(DBT, "protocols/0/views/train/view", "Missing", "no class `Missing'"),
    # toolchains
    M(TC, "blocks/0/name", "data", "the name `data' stands for something else already"),
    M(TC, "blocks/0/synchronized_channel", "dat", "no dataset `dat'", "data"),
    M(TC, "connections/0/channel", "work", "no dataset `work'"),
    M(TC, "connections/0/from", "data.vlue", "no output `data.vlue'", "data.value"),
    M(TC, "connections/0/to", "work.inn", "no input `work.inn'", "work.in"),
    M(TC, "connections/0/to", "work.x", "`work.in' is not connected", at="blocks/0/inputs/0"),
    M(TC, "connections/0/to", "loop.a", "another connection ends at", at="connections/1/to"),
    M(TC, "connections/0/from", "work.out", "cycle: work -> work", at="connections/0"),
    M(TC, "connections/0/from", "loop.b", "cycle: work -> loop -> work", at="connections/1"),
    M(TC, "loops/0/evaluator_outputs/0", "b", "processor and evaluator both have `b'"),
    M(TC, "representation/blocks/wrk", RECTANGLE, "no dataset, block, loop or", "work"),
    M(TC, "representation/connections/a.b~1c.d", [], "no connection `a.b/c.d'"),
    M(TC, "representation/channel_colors/dta", "#000000", "no dataset `dta'", "data"),
    # experiments: datasets and names
    M(X, "datasets/data/protocol", "p.2", "database `numbers/1' has no protocol `p.2'"),
    M(X, "datasets/data/set", "tran", "protocol `p.1' has no set `tran'", "train"),
    M(X, "datasets/dta", DATASET, "the toolchain has no dataset `dta'"),
    M(X, "blocks/work", ..., "block `work' of the toolchain is missing", at="blocks"),
    M(X, "loops/loop", ..., "loop `loop' of the toolchain is missing", at="loops"),
    M(X, "loops", ..., "loop `loop' of the toolchain is missing", at=""),
    M(X, "analyzers/report", ..., "analyzer `report' of the toolchain is", at="analyzers"),
    # experiments: algorithms, their end points and parameters
    M(X, "blocks/work/algorithm", REPORT, "algorithm `user/report/1' is for an analyzer"),
    M(X, "analyzers/report/algorithm", WORK, "algorithm `user/work/1' is for a block"),
    M(X, "blocks/work/algorithm", "user/processor/1", "is for a processor"),
    M(X, "loops/loop/evaluator_algorithm", "user/processor/1", "is for a processor"),
    M(X, "loops/loop/processor_algorithm", WORK, "is for a block"),
    M(X, "blocks/work/inputs", {"inn": "in"}, "no input `inn'", "in", "blocks/work/inputs/inn"),
    M(X, "analyzers/report/inputs", {"in": "in"}, "`in2' of algorithm `user/report/1' is not"),
    M(X, "blocks/work/inputs/in", "image", "`work' has no input `image' in the toolchain"),
    M(X, "analyzers/report/inputs/in2", "in", "input `in' is mapped twice"),
    M(X, "loops/loop/processor_outputs/out", "d", "has no output `d' in the toolchain"),
    M(X, "blocks/work/outputs", {}, "output `out' of the toolchain is not mapped"),
    M(X, "blocks/work/parameters/plan", 1, "`user/work/1' has no parameter `plan'", "plain"),
    M(X, "blocks/work/parameters/one_of", "z", "z is not among the choices"),
    M(X, "blocks/work/parameters/from-to", 11, "11 is not in the range"),
    M(X, "loops/loop/processor_parameters/x", 1, "has no parameter `x'"),
    M(X, "loops/loop/evaluator_parameters/x", 1, "has no parameter `x'"),
    M(X, "analyzers/report/nb_slots", 2, "algorithm `user/report/1' cannot be split"),
    M(X, "loops/loop/nb_slots", 2, "algorithm `user/evaluator/1' cannot be split"),
    M(X, "globals/user~1block~11", {}, "algorithm `user/block/1' is not used here", WORK),
    M(X, "globals/user~1work~11/plan", 1, "has no parameter `plan'", "plain"),
    M(X, "globals/user~1work~11/plain", "x", "cannot convert 'x' to float64"),
]

#: what is questionable, but has always been accepted
WARNINGS = [
    M(ALL, "text", "str", "`str' is another word for `string'"),
    M(ALL, "__x__", "int8", "`__x__' is a reserved name: the field is left out"),
    M("user/lib/1", "licence", "x", "unknown key `licence'"),
    M("user/lib/1", "uses/my-lib", "user/other/1", "the code cannot use a library called"),
    M(WORK, "parameters/given/defalt", True, "unknown key `defalt'", "default"),
    M(WORK, "parameters/from-to/range", [0, 10, 20], "more than two values"),
    M(WORK, "parameters/given/choice", [], "nothing can be chosen"),
    M("simple/1", "sets/0/outputs/value", "user/numbr/1", "no dataformat", NUMBER),
    M("simple/1", "sets/1", {"name": "train", "outputs": {"x": NUMBER}}, "", at="sets/1/name"),
    M(DB, "protocols/0/sets/0/parameters/a b", [1], "`a b' is no name of a parameter"),
    M(DBT, "protocols/0/views/odd-2", None, "the template has no set `odd-2'"),
    M(DBT, "protocols/0/views/train/view", ..., "has no view", at="protocols/0/views/train"),
    M(DBT, "protocols/0/views/train", ..., "set `train' has no view", at="protocols/0/views"),
    M(TC, "blocks/0/outputs/1", "more", "nothing is connected to output `work.more'"),
    M(TC, "representation/channel_colors", {}, "no colour for dataset `data'"),
    M(X, "blocks/work/parameters/given", ..., "`given' has neither", at="blocks/work/algorithm"),
]


def tokens(part):
    """Return the way to a part, given as a JSON pointer without its first slash."""
    names = [name.replace("~1", "/") for name in part.split("/")]
    return [int(name) if name.isdigit() else name for name in names]


def found_at(mistake, findings):
    where = mistake.part if mistake.at is None else mistake.at
    pointer = f"/{where}" if where else ""
    return [f for f in findings if f.pointer == pointer and mistake.text in f]


@pytest.mark.parametrize("mistake", ERRORS, ids=lambda m: f"{m.name}:{m.part}")
def test_an_error_is_told_at_its_place(check, folder, mistake):
    findings = check(mistake.name, (tokens(mistake.part), mistake.value))
    found = found_at(mistake, findings)
    assert found, "\n".join(findings)
    assert found[0].is_error
    assert found[0].suggestion == mistake.meant
    line = (folder / found[0].path).read_text().split("\n")[found[0].line - 1]
    assert line[found[0].column - 1 :].strip()


@pytest.mark.parametrize("mistake", WARNINGS, ids=lambda m: f"{m.name}:{m.part}")
def test_what_is_questionable_is_a_warning(check, folder, mistake):
    findings = check(mistake.name, (tokens(mistake.part), mistake.value))
    assert [finding for finding in findings if finding.is_error] == []
    found = found_at(mistake, findings)
    assert found, "\n".join(findings)
    assert found[0].suggestion == mistake.meant


def test_api_1_is_always_legacy(check, folder):
    findings = check(WORK, (("api_version",), 1))
    assert [(f.path[-5:], f.severity) for f in findings] == [
        (".json", "warning"),
        ("/1.py", "error"),
    ]
    assert findings[0].message == "an algorithm of api_version 1 is legacy"
