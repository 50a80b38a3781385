"""Code is looked at, never run: whether it has what will be called."""

from __future__ import annotations

import pytest
from support.declared_prefix import VIEW
from support.objects import algorithm_declaration, write_object

from beat.backend.python.checks import open_catalog
from beat.backend.python.checks.code import Call
from beat.backend.python.checks.source import Source

GROUP = {"inputs": {"in": {"type": "user/number/1"}}}
BLOCK = {**GROUP, "outputs": {"out": {"type": "user/number/1"}}}
TALK = {"request": {"type": "user/number/1"}, "answer": {"type": "user/number/1"}}
RESULTS = {"x": {"type": "int32"}}

LEGACY = {"schema_version": None, "api_version": None, "type": None}
ANALYZER = {"groups": [GROUP], "results": RESULTS, "splittable": None}
LOOP = {"schema_version": 3, "groups": [{**BLOCK, "loop": TALK}]}


@pytest.fixture
def check(tmp_path):
    """Return what is found in the code of an algorithm."""

    def check(code, **changes):
        changes.setdefault("groups", [BLOCK])
        write_object(tmp_path, "dataformats", "user/number/1", {"value": "int32"})
        write_object(tmp_path, "algorithms", "user/a/1", algorithm_declaration(**changes), code)
        findings = open_catalog(str(tmp_path)).find("algorithm", "user/a/1").findings
        assert all(finding.path == "algorithms/user/a/1.py" for finding in findings), findings
        return [(finding.line, finding.column, finding.message) for finding in findings]

    return check


def method(name, arguments):
    return f"class Algorithm:\n    def {name}({arguments}):\n        return True\n"


def process(arguments):
    return method("process", arguments)


def type_of(name):
    """Return the changes to the declaration that make an algorithm of that type."""
    changes = {"legacy": LEGACY, "legacy analyzer": {**LEGACY, **ANALYZER}}.get(name)
    if changes is None:
        kind, _, what = name.partition(" ")
        changes = {"type": kind, **(ANALYZER if what else LOOP if "loop" in kind else {})}
    if name.endswith("_evaluator"):
        changes["splittable"] = None
    return changes


PROCESSING = {
    "legacy": "inputs, outputs",
    "legacy analyzer": "inputs, output",
    "sequential": "inputs, data_loaders, outputs",
    "sequential analyzer": "inputs, data_loaders, output",
    "autonomous": "data_loaders, outputs",
    "autonomous analyzer": "data_loaders, output",
    "sequential_loop_processor": "inputs, data_loaders, outputs, loop_channel",
    "autonomous_loop_processor": "data_loaders, outputs, loop_channel",
}


@pytest.mark.parametrize("kind", PROCESSING)
def test_process_takes_what_its_type_is_given(check, kind):
    arguments = PROCESSING[kind]
    count = arguments.count(",") + 1
    assert check(process(f"self, {arguments}"), **type_of(kind)) == []
    assert check(process(f"self, {arguments}, more=1"), **type_of(kind)) == []
    assert check(process(f"self, {arguments}, *, more=1, **others"), **type_of(kind)) == []
    assert check("@staticmethod\n".join([process(arguments)]), **type_of(kind)) != []
    told = [(2, 9, f"`process' will be called with ({arguments})")]
    assert check(process("self"), **type_of(kind)) == told
    assert check(process(f"self, {arguments}, more"), **type_of(kind)) == told
    assert check(process(f"self, {arguments.rpartition(',')[0] or 'x'}"), **type_of(kind)) == told
    assert check(process(f"self, {arguments}, *, more"), **type_of(kind)) == told
    if "loop" in kind:  # it is passed by position, but must be called so
        assert check(process("self, *arguments"), **type_of(kind)) == told
        assert check(process(f"self, {arguments.replace('_channel', '')}"), **type_of(kind)) == told
    else:
        assert check(process("self, *arguments"), **type_of(kind)) == []
        assert check(process("self, " + ", ".join("abc"[:count])), **type_of(kind)) == []


@pytest.mark.parametrize(
    ("code", "line", "message"),
    [
        ("", 1, "no class `Algorithm'"),
        ("class Algoritm:\n    pass\n", 1, "no class `Algorithm'"),
        ("def Algorithm(): pass\n", None, None),
        ("from somewhere import Algorithm\n", None, None),
        ("from somewhere import *\n", None, None),
        ("import somewhere as Algorithm\n", None, None),
        ("Algorithm = 3\n", None, None),
        ("a, (Algorithm, b) = 1, (2, 3)\n", None, None),
        ("Algorithm: type = object\n", None, None),
        ("try:\n    x\nexcept KeyError:\n    class Algorithm:\n        pass\n", 4, "has no method"),
        ("if 1:\n    pass\nelse:\n    class Algorithm: pass\n", 4, "has no method `process'"),
        ("\n\nclass Algorithm:\n    pass\n", 3, "class `Algorithm' has no method `process'"),
        ("class Algorithm(object):\n    pass\n", 1, "has no method `process'"),
        ("class Algorithm(Other):\n    pass\n", None, None),
        ("class Algorithm(other.Base):\n    pass\n", None, None),
        ("class Algorithm(make()):\n    pass\n", None, None),
        ("class Algorithm(metaclass=M):\n    pass\n", None, None),
        ("@decorated\nclass Algorithm:\n    pass\n", None, None),
        ("class Algorithm:\n    def __getattr__(self, name): pass\n", None, None),
        ("class Algorithm:\n    process = other\n", None, None),
        ("class Algorithm:\n    async def process(self): pass\n", None, None),
        ("class Algorithm:\n    @decorated\n    def process(self): pass\n", None, None),
        ("class Algorithm:\n    @some.thing\n    def process(self): pass\n", None, None),
        ("class A:\n    pass\nclass Algorithm(A):\n    pass\n", 3, "has no method `process'"),
        ("class A(Algorithm): pass\nclass Algorithm(A): pass\n", 2, "has no method `process'"),
        ("class A(B): pass\nclass Algorithm(A): pass\n", None, None),
        (
            "class A:\n    def process(self): pass\nclass Algorithm(A):\n    pass\n",
            *(2, "`process' will be called with (inputs, data_loaders, outputs)"),
        ),
        ("class Algorithm:\n    def process(): pass\n", 2, "`process' will be called with"),
        ("class Algorithm:\n    @staticmethod\n    def process(a, b, c): pass\n", None, None),
        (
            "class Algorithm:\n    @classmethod\n    def process(c, a, b): pass\n",
            3,
            "will be called",
        ),
        (process("self, a, b, c") + "    def __init__(self, x): pass\n", 4, "called with ()"),
        (process("self, a, b, c") + "    def setup(self): pass\n", 4, "with (parameters)"),
        (process("self, a, b, c") + "    def prepare(self): pass\n", 4, "with (data_loaders)"),
        ("class Algorithm:\n  def process(self)\n", 2, "invalid Python code: expected ':'"),
        ("print 'x'\n", 1, "invalid Python code: Missing parentheses"),
        ("\tx\n  y\n", 1, "invalid Python code: unexpected indent"),
        ("x = '\\d'\n" + process("self, a, b, c"), None, None),
    ],
)
def test_what_can_be_known(check, code, line, message):
    found = check(code)
    if message is None:
        assert found == []
        return
    assert found
    assert found[0][0] == line
    assert message in found[0][2]


def test_prepare_is_not_called_for_api_1(check):
    code = process("self, inputs, outputs") + "    def prepare(self): pass\n"
    assert check(code, **type_of("legacy")) == []


EVALUATOR = """\
class Algorithm:
    def validate(self, hypothesis): pass
    def write(self, outputs, processor_output_name, end_data_index): pass
    def read(self, inputs): pass
"""


@pytest.mark.parametrize("kind", ["sequential_loop_evaluator", "autonomous_loop_evaluator"])
def test_evaluators(check, kind):
    lines = EVALUATOR.splitlines(keepends=True)
    changes = type_of(kind)
    assert check(EVALUATOR, **changes) == []
    assert check(lines[0] + lines[2] + lines[3], **changes) == [
        (1, 7, "class `Algorithm' has no method `validate'")
    ]
    assert check("".join(lines[:2]) + lines[3], **changes) == [
        (1, 7, "class `Algorithm' has no method `write'")
    ]
    read = [(1, 7, "class `Algorithm' has no method `read'")] if kind[0] == "s" else []
    assert check("".join(lines[:3]), **changes) == read
    assert check(EVALUATOR.replace(", end_data_index", ""), **changes) == [
        (3, 9, "`write' will be called with (outputs, processor_output_name, end_data_index)")
    ]


def test_how_it_should_be_is_told(tmp_path, check):
    check(process("self"))
    (finding,) = open_catalog(str(tmp_path)).find("algorithm", "user/a/1").findings
    assert finding == (
        "algorithms/user/a/1.py:2:9: error: `process' will be called with "
        "(inputs, data_loaders, outputs)\n"
        "  expected def process(self, inputs, data_loaders, outputs)\n"
        "    1 | class Algorithm:\n"
        "    2 |     def process(self):\n"
        "      |         ^^^^^^^"
    )
    assert finding.pointer is None
    check("class Algoritm:\n    pass\n")
    (finding,) = open_catalog(str(tmp_path)).find("algorithm", "user/a/1").findings
    assert finding.suggestion == "Algoritm"
    assert finding.expected == "class Algorithm:"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x\0y", "invalid Python code: source code"),
        (b"\xff\xfe", "invalid Python code"),
        (b"# coding: dings\n", "invalid Python code"),
        (b"(" * 5000, "invalid Python code: too many nested parentheses"),
        (b"-" * 100_000 + b"1", "invalid Python code"),
        (b"#" * (2**20 + 1), "too large: 1,048,577 bytes"),
    ],
)
def test_hostile_code(check, tmp_path, content, message):
    check("")
    (tmp_path / "algorithms/user/a/1.py").write_bytes(content)
    (finding,) = open_catalog(str(tmp_path)).find("algorithm", "user/a/1").findings
    assert message in finding.message
    assert finding.line == 1


def view(replaced="", by=""):
    return VIEW.replace(replaced, by)


@pytest.mark.parametrize(
    ("code", "path", "line", "message"),
    [
        (VIEW, None, None, None),
        (
            VIEW + "    def setup(self, root_folder, parameters, objs, **k): pass\n",
            None,
            None,
            None,
        ),
        (
            VIEW + "    def setup(self, r, p, o, start_index, end_index=None): pass\n",
            *(None, None, None),
        ),
        (VIEW + "    def setup(self, r, p, o): pass\n", "py", 10, "with (root_folder, parameters"),
        (VIEW + "    def setup(self, r, p, o, start, end): pass\n", "py", 10, "`setup' will be"),
        (view("class All", "class Al"), "json", 10, "no class `All' in databases/numbers/1.py"),
        (view("def index", "def indx"), "py", 4, "class `All' has no method `index'"),
        (view("def get", "def gt"), "py", 4, "class `All' has no method `get'"),
        (view("output, index", "output"), "py", 8, "`get' will be called with (output, index)"),
        (view("(View)", "(database.View)").replace("def get", "def x"), "py", 4, "no method `get'"),
        (view("(View)", "(Other)").replace("def get", "def x"), None, None, None),
        (view("class", "clss"), "py", 4, "invalid Python code"),
    ],
)
def test_views(tmp_path, code, path, line, message):
    write_object(tmp_path, "dataformats", "user/number/1", {"value": "int32"})
    sets = [{"name": "s", "view": "All", "outputs": {"o": "user/number/1"}}] * 2
    sets[1] = {**sets[1], "name": "t"}
    declaration = {
        "root_folder": "/x",
        "protocols": [{"name": "p", "template": "t", "sets": sets}],
    }
    write_object(tmp_path, "databases", "numbers/1", declaration, code)
    findings = open_catalog(str(tmp_path)).find("database", "numbers/1").findings
    if message is None:
        assert findings == []
        return
    (finding,) = findings
    assert (finding.path, finding.line) == (f"databases/numbers/1.{path}", line)
    assert message in finding


def test_nothing_is_imported_or_run(tmp_path, check):
    marker = tmp_path / "was_run"
    code = f"open({str(marker)!r}, 'w').close()\n{process('self, a, b, c')}"
    assert check(code) == []
    assert not marker.exists()


def test_code_that_cannot_be_read(tmp_path):
    (finding,) = Source.read(str(tmp_path / "none.py"), "x/none.py").findings
    assert finding.startswith("x/none.py:1:1: error: cannot be read: No such file")


def test_signatures():
    assert Call("get", ("output", "index")).signature == "def get(self, output, index)"
    assert Call("f", ("a",), ("b",)).signature == "def f(self, a, b=None)"
