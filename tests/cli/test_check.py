from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.declared_prefix import write_everything
from support.example_prefix import PREFIX
from support.mistakes import MISTAKES, write_mistakes
from support.objects import write_object

GOLDEN = Path(__file__).parent / "golden"


def test_the_example_prefix_is_clean(call):
    assert call(PREFIX, "check").output == "43 objects checked: no errors\n"


def test_twelve_mistakes_are_told_at_once(call, tmp_path):
    write_mistakes(tmp_path / "prefix")
    shown = call(tmp_path / "prefix", "check", status=1)
    assert shown.output == (GOLDEN / "twelve_mistakes.txt").read_text(encoding="utf-8")


def test_each_mistake_is_told_at_its_line(call, tmp_path):
    prefix = tmp_path / "prefix"
    write_mistakes(prefix)
    report = json.loads(call(prefix, "check", "--json", status=1).output)
    assert (report["objects"], report["errors"], report["warnings"]) == (43, 13, 1)
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    for file, _, wrong in MISTAKES:
        lines = (prefix / file).read_text(encoding="utf-8").split("\n")
        places = [
            (finding["line"], line)
            for finding in errors
            for line in lines[finding["line"] - 1 : finding["line"]]
            if finding["path"] == file
        ]
        around = "".join(line for _, line in places)
        assert wrong in around or "def proces(" in wrong, (file, places)


def test_json(call, tmp_path):
    write_object(tmp_path, "dataformats", "a/b/1", {"x": "int33"})
    report = json.loads(call(tmp_path, "check", "--json", status=1).output)
    assert report == {
        "objects": 1,
        "errors": 1,
        "warnings": 0,
        "findings": [
            {
                "kind": "dataformat",
                "name": "a/b/1",
                "severity": "error",
                "path": "dataformats/a/b/1.json",
                "line": 2,
                "column": 10,
                "pointer": "/x",
                "message": "no basic type or dataformat `int33'",
                "expected": None,
                "found": '"int33"',
                "suggestion": "int32",
                "excerpt": '    1 | {\n    2 |     "x": "int33"\n      |          ^^^^^^^',
            }
        ],
    }


def test_warnings_are_no_errors(call, tmp_path):
    write_object(tmp_path, "dataformats", "a/b/1", {"x": "str"})
    write_object(tmp_path, "dataformats", "stray", {})
    shown = call(tmp_path, "check")
    assert (
        "dataformats/a/b/1.json:2:10: warning: `str' is another word for `string'" in shown.output
    )
    assert "dataformats/stray.json:1:1: warning: not the name of a dataformat" in shown.output
    assert shown.output.endswith("1 object checked: no errors and 2 warnings\n")
    report = json.loads(call(tmp_path, "check", "--json").output)
    assert [finding["name"] for finding in report["findings"]] == [None, "a/b/1"]


def test_an_empty_prefix(call, tmp_path):
    assert call(tmp_path, "check").output == "0 objects checked: no errors\n"


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("tutorial/lda/1", 6),
        ("tutorial/digits/1/pca", 19),
        ("tutorial/tutorial/digits/1/pca", 19),
        ("verification/1", 3),
        ("libraries", 4),
        ("library", 4),
        ("libraries/tutorial/linear/1", 1),
        ("libraries/tutorial/linear/1.json", 1),
        ("{prefix}/libraries/tutorial/linear/1.py", 1),
        ("{prefix}/libraries/tutorial/linear/1.rst", 1),
        ("{prefix}/libraries/tutorial/linear/1", 1),
        ("{prefix}/libraries/tutorial", 4),
        ("{prefix}/libraries", 4),
        ("{prefix}", 43),
        ("tutorial/digits/1", 1),
    ],
)
def test_what_to_check(call, word, count):
    shown = call(PREFIX, "check", word.format(prefix=PREFIX))
    assert shown.output.startswith(f"{count} object")


def test_several_names(call):
    assert call(PREFIX, "check", "system/text/1", "libraries").output.startswith("5 objects")


def test_what_an_object_needs_is_checked_with_it(call, tmp_path):
    write_everything(tmp_path)
    write_object(tmp_path, "dataformats", "user/number/1", {"value": "flot64"})
    shown = call(tmp_path, "check", "user/chain/1/x", status=1)
    assert "dataformats/user/number/1.json:2:14: error: no basic type" in shown.output
    call(tmp_path, "check", "user/chain/1")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("nothing/at/1", "nothing in the prefix is called `nothing/at/1'"),
        ("tutorial/ldaa/1", "did you mean `tutorial/lda/1'?"),
        ("algorthms", "did you mean `algorithms'?"),
        ("../../etc/passwd", "nothing in the prefix"),
        ("a/b\n/1", "nothing in the prefix"),
        ("a/" + "b" * 300 + "/1", "nothing in the prefix"),
        ("/etc/passwd", "nothing in the prefix"),
        ("libraries/../dataformats/system/text/1", "nothing in the prefix"),
        ("", "nothing in the prefix"),
    ],
)
def test_names_that_stand_for_nothing(call, word, hint):
    assert hint in call(PREFIX, "check", word, status=2).output


def test_no_prefix(call, tmp_path):
    assert "no such prefix folder" in call(tmp_path / "none", "check", status=2).output


def test_nothing_is_run_or_imported(call, tmp_path):
    prefix, marker = tmp_path / "prefix", tmp_path / "was_run"
    write_everything(prefix)
    for path in prefix.rglob("*.py"):
        path.write_text(f"open({str(marker)!r}, 'w').close()\n{path.read_text()}")
    assert "no errors" in call(prefix, "check").output
    assert "no errors" in call(prefix, "check", "user/chain/1/x").output
    assert not marker.exists()


def test_the_command_itself(tmp_path):
    """As a process: exit status, and no traceback whatever the encoding of the terminal."""
    shutil.copytree(PREFIX / "dataformats", tmp_path / "dataformats")
    write_object(
        tmp_path, "dataformats", "a/b/1", '{"ä\\ud800": "\u202e", "x": "' + "y" * 200 + '"}'
    )
    code = "from beat.backend.python.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "--prefix", str(tmp_path), "check"],
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "utf-8"},
    )
    assert ended.returncode == 1
    assert ended.stderr == b""
    assert b"a/b/1.json:1:13: error: no basic type or dataformat" in ended.stdout
