from __future__ import annotations

import pytest

from beat.backend.python.flow.checks import check_config, find_unused
from beat.backend.python.flow.config import folder_of, load_config, plain, where
from beat.backend.python.flow.errors import ConfigError

pytestmark = pytest.mark.serial


@pytest.fixture
def write(work):
    def write(name, text):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write


def test_values_know_their_places(write):
    text = "flow:\n  source: a\n\n  stages:\n  - x\n  - y\na: {n: 1}\n"
    config = load_config(write("c.yaml", text))
    assert plain(config) == {"flow": {"source": "a", "stages": ["x", "y"]}, "a": {"n": 1}}
    assert type(plain(config)["flow"]["stages"]) is list
    assert where(config) == "c.yaml:1: "
    assert where(config, "a") == "c.yaml:7: "
    assert where(config["flow"], "stages") == "c.yaml:4: "
    assert where(config["flow"]["stages"], 1) == "c.yaml:6: "
    assert where(config["a"], "n") == "c.yaml:7: "
    assert where({"a": 1}, "a") == ""
    assert folder_of(config) == [str(__import__("os").getcwd())]
    assert folder_of({}) == []


def test_what_is_shared_stays_shared(write):
    config = load_config(write("c.yaml", "a: &x {n: [1]}\nb: *x\nc:\n  <<: *x\n  m: 2\n"))
    copy = plain(config)
    assert copy == {"a": {"n": [1]}, "b": {"n": [1]}, "c": {"n": [1], "m": 2}}
    assert copy["a"] is copy["b"]


def test_a_merged_key_may_be_given_another_value(write):
    config = load_config(write("c.yaml", "a: &x {n: 1, k: 1}\nb:\n  n: 2\n  <<: *x\n"))
    assert plain(config)["b"] == {"n": 2, "k": 1}


def test_a_thousand_names_for_the_same_things_take_no_time(write):
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    assert len(plain(load_config(write("c.yaml", "\n".join(lines))))) == 60


def test_includes_are_looked_for_beside_the_file_first(write):
    write("x.yaml", "from: the working folder")
    write("sub/x.yaml", "from: beside")
    write("y.yaml", "n: 1")
    config = load_config(write("sub/c.yaml", "a: !include x.yaml\nb:\n  - !include y.yaml\n"))
    assert plain(config) == {"a": {"from": "beside"}, "b": [{"n": 1}]}
    assert where(config, "a") == "sub/x.yaml:1: "
    assert where(config["b"], 0) == "y.yaml:1: "
    assert where(config["a"], "from") == "sub/x.yaml:1: "


def test_includes_in_other_forms(write):
    for name, number in (("p/1.yaml", 1), ("p/2.yaml", 2), ("p/q/3.yaml", 3)):
        write(name, f"n: {number}")
    config = load_config(
        write(
            "c.yaml",
            "one: !include p/[1]*.yaml\n"
            "flat: !include p/*.yaml\n"
            "deep: !include [p/**/*.yaml, true]\n"
            "map: !include {pathname: p/2.yaml}\n"
            "deep_map: !include {pathname: 'p/**/3.yaml', recursive: true}\n"
            "none: !include q/*.yaml\n",
        )
    )
    assert plain(config) == {
        "one": [{"n": 1}],
        "flat": [{"n": 1}, {"n": 2}],
        "deep": [{"n": 1}, {"n": 2}, {"n": 3}],
        "map": {"n": 2},
        "deep_map": [{"n": 3}],
        "none": [],
    }


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a: [1\nb: 2", r"c.yaml:2:2: expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3", r"c.yaml:3:1: the key `a' stands here a second time"),
        ("a:\n  ? [1, 2]\n  : 3", r"c.yaml:2:5: "),
        ("a: !!python/name:os.system", r"c.yaml:1:4: could not determine a constructor"),
        ("a: !!python/object/apply:os.getcwd []", r"c.yaml:1:4: could not determine"),
        ("a: !other x", r"c.yaml:1:4: could not determine"),
        ("a: !include", r"c.yaml:1:4: an include needs the name of a file"),
        ("a: !include {path: x}", r"c.yaml:1:4: an include needs the name of a file"),
        ("a:\n  !include none.yaml", r"c.yaml:2: no file `none.yaml' to include, in "),
        ("a:\n  !include c.yaml", r"c.yaml: the file includes itself\n  included at c.yaml:2"),
        ("a: *b", r"c.yaml:1:4: found undefined alias"),
        ("a: \x01", r"c.yaml: .*special characters"),
        ("[" * 500, r"c.yaml: nested too deeply"),
    ],
)
def test_what_is_no_configuration(write, text, problem):
    with pytest.raises(ConfigError, match=problem):
        load_config(write("c.yaml", text))


def test_files_that_cannot_be_read(write, work):
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read: .*No such file"):
        load_config("none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(str(work))
    (work / "b.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("b.yaml")
    (work / "big.yaml").write_bytes(b"#" * ((16 << 20) + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load_config("big.yaml")


def test_an_error_in_an_included_file_names_both(write):
    write("sub/x.yaml", "ok: 1\nbad: [")
    with pytest.raises(ConfigError) as caught:
        load_config(write("c.yaml", "\n\na: !include sub/x.yaml"))
    assert caught.value.problems[0].startswith("sub/x.yaml:2:")
    assert caught.value.problems[1] == "  included at c.yaml:3"


# -- the form of a configuration ---------------------------------------------------------------

GOOD = """\
flow:
  source: hits
  stages: [one, two, one]
  drop: []
  unknown: 3
resources:
  - classname: Geometry
    params: {file: x}
one:
  classname: One
  path: some.module
  requires:
    - charge
    - name: q
    - {name: r, path: charge, index_only: true}
    - {name: s, path: [charge, light], optional: true}
  params: {cut: 3, comment: null}
two: {classname: Two}
hits: {classname: Make, dset_name: charge/hits, params: {}}
"""


def test_a_configuration_without_errors(write):
    assert check_config(load_config(write("c.yaml", GOOD))) == []
    assert check_config({"flow": {"source": "x"}}) == []
    assert check_config({"flow": {"source": "x", "stages": None, "drop": None}}) == []


FORMS = r"""
flow: => flov: => 1: the key `flow' is missing (did you mean `flov'?)
source: hits => target: hits => 2: flow.source must be the name of a generator or of a dataset, got nothing
source: hits => source: [1] => 2: flow.source must be the name of a generator or of a dataset, got list [1]
[one, two, one] => [one, twoo] => 3: flow.stages: there is no section `twoo' (did you mean `two'?)
[one, two, one] => one => 3: flow.stages must be a list of names of stages, got str 'one'
[one, two, one] => [1] => 3: flow.stages: expected text, got 1
drop: [] => drop: [a, /] => 4: flow.drop: expected text, got '/'
drop: [] => drop: a => 4: flow.drop must be a list of paths of datasets, got str 'a'
- classname: Geometry => - klass: x => 7: resource `resources[0]' must have a `classname', text, got nothing
resources: => resources: {a: 1}\nx: => 6: resources must be a list, got mapping {'a': 1}
{file: x} => {input_filename: x} => 8: resource `resources[0]': no parameter can be called `input_filename'
{file: x} => [x] => 8: resource `resources[0]': params must be a mapping
classname: One => classname: 1 => 10: stage `one' must have a `classname', text, got int 1
path: some.module => path: [some] => 11: stage `one': path must be a module, as text
requires: => requires: 3\n  x: => 12: stage `one': requires must be a list
- charge => - 5 => 13: stage `one': Unrecognized requirement: 5
- charge => - {nam: 5} => 13: stage `one': Unrecognized requirement: {'nam': 5}
path: [charge, light] => path: 3 => 16: stage `one': Unrecognized path specification: 3 in requirement `s'
path: [charge, light] => path: [] => 16: stage `one': Unrecognized path specification: [] in requirement `s'
{cut: 3, => {name: 3, => 17: stage `one': no parameter can be called `name'
{cut: 3, => {4: 5, => 17: stage `one': a parameter's name must be text: 4
two: {classname: Two} => two: 7 => 18: stage `two' must be a mapping, got int 7
dset_name: => set_name: => 19: generator `hits' must have a `dset_name', text, got nothing
""".strip().splitlines()  # noqa: E501


@pytest.mark.parametrize("case", FORMS)
def test_errors_name_file_and_line(write, case):
    old, new, expected = case.replace("\\n", "\n").split(" => ")
    assert old in GOOD
    path = write("c.yaml", GOOD.replace(old, new, 1))
    (problem,) = check_config(load_config(path))
    assert problem.startswith(f"c.yaml:{expected}")


def test_all_errors_are_told_at_once(write):
    text = GOOD.replace("{cut: 3,", "{name: 3, 4: 5,").replace("classname: Two", "x: y")
    assert check_config(load_config(write("c.yaml", text))) == [
        "c.yaml:17: stage `one': no parameter can be called `name'",
        "c.yaml:17: stage `one': a parameter's name must be text: 4",
        "c.yaml:18: stage `two' must have a `classname', text, got nothing",
    ]


@pytest.mark.parametrize("content, shown", [("", "NoneType"), ("- a", "list"), ("x", "str")])
def test_a_configuration_must_be_a_mapping(write, content, shown):
    (problem,) = check_config(load_config(write("c.yaml", content)))
    assert "must be a mapping with the key `flow', got" in problem
    assert check_config({"flow": 3}) == ["`flow' must be a mapping, got int 3"]


def test_errors_of_included_sections_name_their_own_file(write):
    write("one.yaml", "params: 3\n\nclassname: 7\n")
    path = write("c.yaml", "flow: {source: a, stages: [one]}\none: !include one.yaml\n")
    assert check_config(load_config(path)) == [
        "one.yaml:3: stage `one' must have a `classname', text, got int 7",
        "one.yaml:1: stage `one': params must be a mapping",
    ]


def test_what_is_said_without_effect(write):
    text = GOOD.replace("drop: []", "drops: [x]").replace("two, one]", "one]")
    text = text.replace("index_only: true", "index_ony: true").replace("path: some", "paht: some")
    assert find_unused(load_config(write("c.yaml", text))) == [
        "c.yaml:18: the section `two' is not used",
        "c.yaml:4: the key `drops' of flow is not used (did you mean `drop'?)",
        "c.yaml:5: the key `unknown' of flow is not used (there are: drop, source, stages)",
        "c.yaml:11: the key `paht' of `One' is not used (did you mean `path'?)",
        "c.yaml:15: the key `index_ony' of requirement `r' is not used "
        "(did you mean `index_only'?)",
    ]


def test_all_errors_are_in_one_exception():
    error = ConfigError("a.yaml:1: one", "a.yaml:2: two")
    assert str(error) == "a.yaml:1: one\na.yaml:2: two"
    assert isinstance(error, KeyError)
    assert isinstance(error, ValueError)
