"""Indexing databases from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from beat.backend.python.hash import hashDataset, toPath
from beat.backend.python.runner import Dataset, index_set
from beat.backend.python.runner.indexing import index_problem
from beat.backend.python.scripts.index import main

EVERYTHING = {
    "simple/1": [
        ("numbers", "ten"),
        ("numbers", "some"),
        ("numbers", "none"),
        ("steps", "threes"),
    ],
    "people/1": [
        ("verification", "train"),
        ("verification", "test"),
        ("counting", "numbers"),
    ],
}


def indexed(cache: str) -> set[str]:
    """Return the index files in a cache."""
    return {str(path.relative_to(cache)) for path in Path(cache).rglob("*") if path.is_file()}


def path(database: str, protocol: str, set_name: str) -> str:
    return toPath(hashDataset(database, protocol, set_name), ".db")


@pytest.mark.parametrize("database", EVERYTHING)
def test_a_whole_database(prefix: str, cache: str, database: str) -> None:
    assert main([prefix, cache, database]) == 0
    assert indexed(cache) == {path(database, *names) for names in EVERYTHING[database]}


@pytest.mark.parametrize("database", EVERYTHING)
def test_a_protocol(prefix: str, cache: str, database: str) -> None:
    protocol = EVERYTHING[database][0][0]
    assert main([prefix, cache, database, protocol]) == 0
    expected = {path(database, p, s) for p, s in EVERYTHING[database] if p == protocol}
    assert indexed(cache) == expected


@pytest.mark.parametrize("database", EVERYTHING)
def test_a_set(prefix: str, cache: str, database: str) -> None:
    protocol, set_name = EVERYTHING[database][1]
    assert main(["--debug", prefix, cache, database, protocol, set_name]) == 0
    assert indexed(cache) == {path(database, protocol, set_name)}


def test_another_root_folder(prefix: str, cache: str) -> None:
    names = ("verification", "train")
    assert main(["--db_root_folder=/elsewhere", prefix, cache, "people/1", *names]) == 0
    entries = json.loads(Path(cache, path("people/1", *names)).read_text())
    assert entries[0]["image"] == "/elsewhere/1.pgm"


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (["absent/1"], "usr", "not found"),
        (["odd"], "usr", "invalid database name"),
        (["simple/1", "absent"], "sys", "no protocol `absent'"),
        (["simple/1", "numbers", "absent"], "sys", "no set `absent'"),
        (["syntax_error/1"], "usr", 'File "databases/syntax_error/1.py", line 1'),
        (["faulty/1", "faults", "index"], "usr", "# index fails"),
    ],
)
def test_failures(
    prefix: str,
    cache: str,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    kind: str,
    text: str,
) -> None:
    assert main([prefix, cache, *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"({kind}) ")
    assert text in error
    assert indexed(cache) == set()


def test_a_cache_that_cannot_be_written(
    prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert main([prefix, str(tmp_path / "cache"), "simple/1"]) == 1
    assert capsys.readouterr().err.startswith("(sys) ")


def test_it_is_indexed_anew(prefix: str, cache: str, tmp_path: Path) -> None:
    shutil.copytree(prefix, tmp_path / "prefix")
    names = ("numbers", "ten")
    assert main([prefix, cache, "simple/1", *names]) == 0
    code = tmp_path / "prefix" / "databases" / "simple" / "1.py"
    code.write_text(code.read_text().replace('get("size", 10)', 'get("size", 3)'))
    assert main([str(tmp_path / "prefix"), cache, "simple/1", *names]) == 0
    assert len(json.loads(Path(cache, path("simple/1", *names)).read_text())) == 3


def test_a_run_takes_it_though_it_differs_from_the_one_of_an_earlier_run(
    prefix: str, cache: str
) -> None:
    names = ("verification", "train")
    index = path("people/1", *names)
    dataset = Dataset("data", "people/1", *names)
    index_set(prefix, cache, dataset, "/somewhere")
    assert main(["--db_root_folder=/elsewhere", prefix, cache, "people/1", *names]) == 0
    assert index_problem(cache, index) is None
    Path(cache, index).write_text("[")
    assert "invalid" in str(index_problem(cache, index))
