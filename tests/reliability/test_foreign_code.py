"""Nothing that comes from a socket or a cache is ever run: no pickles, no `eval`, on any way."""

from __future__ import annotations

import ast
import pickle
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest
import zmq
from support.pairs import peer
from support.peers import Peers, ask

import beat.backend.python.loader
from beat.backend.python.data import CachedDataSource, RemoteDataSource, load_data_index
from beat.backend.python.data.viewindex import read_index
from beat.backend.python.data.wire import conversation
from beat.backend.python.exceptions import RemoteException

PACKAGE = Path(beat.backend.python.loader.__file__).parent

BUILTINS = {"eval", "exec", "compile", "__import__"}
MODULES = {"marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "code", "codeop"}
MEMBERS = {
    "pickle": {"load", "loads", "Unpickler"},
    "yaml": {
        "load",
        "load_all",
        "full_load",
        "unsafe_load",
        "Loader",
        "UnsafeLoader",
        "FullLoader",
    },
    "numpy": {"load", "loadtxt", "fromregex"},
    "builtins": BUILTINS,
}
METHODS = {"recv_pyobj", "send_pyobj", "recv_serialized"}
WORDS = {"allow_pickle"}

# Where else code may come from, or a pickle be read, and why
ALLOWED = {
    # the code of users, run in the processes that are there for it
    "loader.py": {"exec", "compile"},
    # code that is made here, of names that the grammar of dataformats lets pass
    "codec/source.py": {"exec", "compile"},
    # objects that users keep as pickles, refused unless the store is said to be trusted
    "stores/registry.py": {"pickle.load"},
    # old stores: plain values only, any class is refused unless the store is trusted
    "stores/load_info.py": {"pickle.Unpickler"},
    # what the processes of one program exchange through its own manager
    "stores/memory_store.py": {"pickle.loads"},
    # what the contract of stores has to show
    "testing/store_contract.py": {"pickle.loads"},
}


def uses_of(text: str) -> set[str]:
    """Return what a module uses of all that may run foreign code."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id in BUILTINS:
            found.add(node.id)
        elif isinstance(node, ast.Import):
            found |= {n.name for n in node.names if n.name.split(".")[0] in MODULES}
            found |= {
                f"{n.name} as {n.asname}" for n in node.names if n.name in MEMBERS and n.asname
            }
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if (node.module or "").split(".")[0] in MODULES:
                found.add(str(node.module))
            taken = {alias.name for alias in node.names}
            found |= {f"{node.module}.{n}" for n in taken & MEMBERS.get(str(node.module), set())}
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.attr in MEMBERS.get(node.value.id, ()):
                found.add(f"{node.value.id}.{node.attr}")
            elif node.attr in METHODS:
                found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg in WORDS:
            found.add(str(node.arg))
    return found


def test_no_module_reads_pickles_or_runs_code_except_those_that_are_named() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        uses = uses_of(path.read_text(encoding="utf-8"))
        if uses:
            found[path.relative_to(PACKAGE).as_posix()] = uses
    assert found == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)",
        "(lambda f: f)(exec)",
        "import marshal",
        "from shelve import open",
        "from pickle import loads as safe",
        "import pickle as p",
        "f = pickle.load if trusted else None",
        "class Own(pickle.Unpickler): pass",
        "socket.recv_pyobj()",
        "numpy.save(x, allow_pickle=True)",
        "numpy.load(x)",
        "yaml.load(x, yaml.CLoader)",
        "builtins.exec(x)",
        "from joblib import load",
    ],
)
def test_the_search_finds_what_it_is_looking_for(line: str) -> None:
    assert uses_of(line)
    assert not uses_of("import pickle\npickle.dumps(json.loads(re.compile(x)))")


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def bomb(tmp_path: Path) -> bytes:
    """Return a pickle that must never be loaded."""
    mark = tmp_path / "exploded"
    content = pickle.dumps(Bomb(mark))
    pickle.loads(content)
    mark.unlink()  # so it does work
    return content


@pytest.fixture(autouse=True)
def nothing_explodes(tmp_path: Path) -> object:
    yield
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("command", [b"get", b"ifo", b"val", b"don", b"wrt"])
def test_a_pickle_that_is_sent_is_a_malformed_request(
    peers: Peers, bomb: bytes, command: bytes
) -> None:
    handler = peers.handler()
    handler.start()
    assert ask(peers.client(handler), command, bomb)[:2] == [b"err", b"sys"]


def test_a_pickle_that_is_answered_is_a_malformed_answer(prefix: str, bomb: bytes) -> None:
    with peer(lambda frames: [bomb] * 3) as (_, socket):
        socket.setsockopt(zmq.LINGER, 0)
        with pytest.raises(RemoteException, match="malformed answer"):
            RemoteDataSource().setup(socket, "in", "user/single_integer/1", prefix)
        assert conversation(socket).request(b"ifo", b"in") == [bomb] * 3


@pytest.mark.parametrize("end", ["data", "index", "data.checksum", "index.checksum"])
def test_a_pickle_in_the_cache_is_damage(prefix: str, cache: str, bomb: bytes, end: str) -> None:
    from support.units import seal, write_integers

    filename = Path(cache, "out.data")
    write_integers(prefix, str(filename), 0, 3)
    path = Path(cache, f"out.0.3.{end}")
    path.write_bytes(bomb)
    if not end.endswith("checksum"):
        seal(path)
    with pytest.raises((OSError, RuntimeError), match=r"damaged|checksum"):
        CachedDataSource().setup(str(filename), prefix)
        load_data_index(cache, "out")


def test_a_pickle_in_place_of_a_view_index_is_damage(cache: str, bomb: bytes) -> None:
    path = Path(cache, "view.db")
    path.write_bytes(bomb)
    with pytest.raises((RuntimeError, ValueError)):
        read_index(str(path))


def test_code_in_the_names_of_a_format_is_not_run(tmp_path: Path) -> None:
    from beat.backend.python.dataformat import DataFormat

    mark = tmp_path / "exploded"
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    names = [code, f"x', {code}, '", f"x\n{textwrap.indent(code, '    ')}", f'"""\n{code}\n"""']
    for name in names:
        declared = DataFormat(str(tmp_path), {name: "int32", "x": [0, {name: "string"}]})
        if declared.valid:
            packed = declared.type().pack()
            declared.type().unpack(packed)
            declared.type().from_dict({name: 0, "x": []}, casting="unsafe", add_defaults=True)
