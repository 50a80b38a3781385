"""Writes the indices of database views into the cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .arguments import Parser

if TYPE_CHECKING:
    from ..database import Database


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser("index", "Index the views of a database.")
    parser.add_argument("--uid", type=int, metavar="UID", help="user to run as")
    parser.add_argument("--db_root_folder", metavar="F", help="folder of the raw data")
    parser.add_argument("prefix", help="folder of the declarations")
    parser.add_argument("cache", help="folder of the cache")
    parser.add_argument("database", help="name/version")
    parser.add_argument("protocol", nargs="?", help="only this protocol")
    parser.add_argument("set", nargs="?", help="only this set of it")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``index``; return its exit status."""
    options = make_parser().parse_intermixed_args(arguments)

    from ..execution.failures import describe_failure
    from .privileges import become
    from .process import complain, log_to_stderr

    log_to_stderr(options.debug)
    try:
        become(options.uid)
        index_database(
            options.prefix,
            options.cache,
            options.database,
            options.protocol,
            options.set,
            options.db_root_folder,
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
        complain(describe_failure(error, options.prefix))
        return 1
    return 0


def index_database(
    prefix: str,
    cache: str,
    name: str,
    protocol: str | None = None,
    set_name: str | None = None,
    root_folder: str | None = None,
) -> None:
    """Write the indices of the views of a database.

    Parameters
    ----------
    prefix : str
        The folder of the declarations.
    cache : str
        The folder of the cache.
    name : str
        The database.
    protocol, set_name : str, optional
        Only this protocol, and only this set of it.
    root_folder : str, optional
        Where the raw data is, instead of where the database says.

    Raises
    ------
    KeyError
        If there is no such protocol or set.
    OSError
        If an index cannot be written.
    RuntimeError
        If the database is not valid.
    Exception
        What the views' code raises.
    """
    from ..data.cache_files import record_path
    from ..database import Database
    from ..hash import hashDataset, toPath

    database = Database(prefix, name)
    if not database.valid:
        raise RuntimeError(f"database `{name}' is not valid: " + "; ".join(database.errors))
    for protocol_name, one in _sets(database, protocol, set_name):
        view = database.view(protocol_name, one, root_folder=root_folder)
        path = toPath(hashDataset(name, protocol_name, one), ".db")
        view.index(os.path.join(cache, path))
        with suppress(OSError):  # what it says of an earlier index is not true of this one
            os.unlink(record_path(cache, path))


def _sets(
    database: Database, protocol: str | None, set_name: str | None
) -> Iterator[tuple[str, str]]:
    for protocol_name in database.protocol_names if protocol is None else [protocol]:
        for one in database.set_names(protocol_name) if set_name is None else [set_name]:
            yield protocol_name, one


if __name__ == "__main__":
    sys.exit(main())
