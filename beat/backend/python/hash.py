"""Content hashes: they name cache files and tell whether anything has changed.

All hashes are SHA-256 hex digests. The texts they are computed from are shared with every
existing cache, so none of them may ever change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _sha256(s: str | bytes) -> str:
    """Return the digest of a text (as UTF-8) or of bytes."""
    if isinstance(s, str):
        s = s.encode("utf-8")
    import hashlib  # loads a library of several MB, and not every block needs it

    return hashlib.sha256(s).hexdigest()


def _compact(text: str) -> str:
    """Return ``text`` without blanks and newlines."""
    return text.replace(" ", "").replace("\n", "")


def _stringify(dictionary: Mapping[str, Any]) -> str:
    """Return ``{"k1":v1,"k2":v2}``: keys sorted and quoted, values as ``str`` gives them."""
    return "{" + ",".join(f'"{key}":{dictionary[key]}' for key in sorted(dictionary)) + "}"


def toPath(hash: str, suffix: str = ".data") -> str:
    """Return where the cache keeps the object of this hash: ``aa/bb/cc/<rest><suffix>``."""
    return f"{hash[0:2]}/{hash[2:4]}/{hash[4:6]}/{hash[6:]}{suffix}"


def toUserPath(username: str) -> str:
    """Return the folder of a user: two pairs of digits of the name's hash, then the name."""
    digest = _sha256(username)
    return f"{digest[0:2]}/{digest[2:4]}/{username}"


def hash(dictionary_or_string: str | Mapping[str, Any]) -> str:
    """Return the hash of a text, or of a dictionary's text form."""
    if isinstance(dictionary_or_string, Mapping):
        return _sha256(_stringify(dictionary_or_string))
    return _sha256(dictionary_or_string)


def hashJSON(contents: Any, description_key: str) -> str:
    """Return the hash of a declaration, in which the key of the description does not count."""
    if isinstance(contents, Mapping):
        contents = {key: value for key, value in contents.items() if key != description_key}
    import simplejson

    return _sha256(simplejson.dumps(contents, sort_keys=True))


def hashJSONFile(path: str, key: str) -> str:
    """Return :func:`hashJSON` of a file, or the hash of its bytes when it holds no JSON."""
    import simplejson

    try:
        with open(path, encoding="utf-8") as f:
            contents = simplejson.load(f)
    except (ValueError, RecursionError):
        return hashFileContents(path)
    return hashJSON(contents, key)


def hashFileContents(path: str) -> str:
    """Return the hash of a file's bytes, read in pieces."""
    import hashlib

    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def hashDataset(database: str, protocol: str, set: str) -> str:
    """Return the hash that names the index of one set of a database's protocol.

    Parameters
    ----------
    database, protocol, set : str
        The names; that of the database with its version.
    """
    return _sha256(f'{{"database":"{database}","protocol":"{protocol}","set":"{set}"}}')


def hashBlockOutput(
    block_name: str,
    algorithm_name: str,
    algorithm_hash: str,
    parameters: Mapping[str, Any],
    environment: Mapping[str, Any],
    input_hashes: Mapping[str, str],
    output_name: str,
) -> str:
    """Return the hash that names one output of a block.

    Parameters
    ----------
    block_name, algorithm_name : str
        Who makes it; these do not count.
    algorithm_hash : str
        The hash of declaration and code.
    parameters : dict
        The values that the experiment gives, without defaults.
    environment : dict
        ``name`` and ``version``.
    input_hashes : dict
        By name of the input, the hash of what it reads.
    output_name : str
        The output, as the algorithm calls it.
    """
    return _sha256(
        f'{{"algorithm":"{algorithm_hash}","parameters":{_stringify(parameters)},'
        f'"environment":{_stringify(environment)},"inputs":{_stringify(input_hashes)},'
        f'"output":"{output_name}"}}'
    )


def hashAnalyzer(
    analyzer_name: str,
    algorithm_name: str,
    algorithm_hash: str,
    parameters: Mapping[str, Any],
    environment: Mapping[str, Any],
    input_hashes: Mapping[str, str],
) -> str:
    """Return the hash that names the result of an analyzer.

    Parameters are those of `hashBlockOutput`; the name of the analyzer does not count.
    """
    return _sha256(
        f'{{"algorithm_name":"{algorithm_name}","algorithm":"{algorithm_hash}",'
        f'"parameters":{_stringify(parameters)},"environment":{_stringify(environment)},'
        f'"inputs":{_stringify(input_hashes)}}}'
    )
