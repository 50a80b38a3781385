"""Protocol templates: the sets, and their outputs, that protocols of databases have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import utils
from .asset import JSON, Asset
from .dataformat import DataFormat


class Storage(utils.Storage):
    """The files of a protocol template, ``name/version`` (else `RuntimeError`)."""

    asset_type = "protocoltemplate"
    asset_folder = "protocoltemplates"
    _title = "protocol template"

    def __init__(self, prefix: str, name: str) -> None:
        super().__init__(self._take_name(prefix, name, 2))


def check_parts(declared: Any, required: Mapping[str, type], where: str) -> list[str]:
    """Tell which parts of a declaration are absent or of the wrong kind.

    Parameters
    ----------
    declared : object
        The declaration, or a piece of one, which must be a dictionary.
    required : dict
        The types of the parts by name.
    where : str
        What the piece is, for the messages.

    Returns
    -------
    list of str
        The problems; empty if there are none.
    """
    if not isinstance(declared, dict):
        return [f"{where} must be an object, got {_word(declared)}"]
    return [
        f"{where}: `{part}' must be {_WORDS[kind]}, got {_word(declared.get(part))}"
        for part, kind in required.items()
        if not isinstance(declared.get(part), kind)
    ]


_WORDS: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}


def _word(value: Any) -> str:
    """Return what a value is called in JSON, or the value itself."""
    if value is None:
        return "nothing"
    words = (word for kind, word in _WORDS.items() if isinstance(value, kind))
    return next(words, str(value)[:100])


def check_sets(declared: Any, required: Mapping[str, type], where: str) -> list[str]:
    """Tell what makes the ``sets`` of a declaration unusable, as `check_parts` does for each."""
    return check_parts(declared, {"sets": list}, where) or [
        problem
        for i, one in enumerate(declared["sets"])
        for problem in check_parts(one, required, f"{where}, sets[{i}]")
    ]


def load_dataformats(
    prefix: str, sets: Iterable[JSON], cache: dict[str, Any], errors: list[str]
) -> dict[str, Any]:
    """Load the formats of the outputs of sets.

    Parameters
    ----------
    prefix : str
        Where they are.
    sets : iterable of dict
        The declared sets.
    cache : dict
        Dataformats by name, reused and added to.
    errors : list of str
        Gets a line for each name that no format can have. Formats that are missing or not
        valid are left to those who use them.

    Returns
    -------
    dict
        The dataformats by name.
    """
    dataformats = {}
    for declared in sets:
        for output, name in declared["outputs"].items():
            where = f"set `{declared['name']}', output `{output}'"
            if not isinstance(name, str):
                errors.append(f"{where}: expected the name of a dataformat, got {_word(name)}")
                continue
            try:
                dataformats[name] = cache.get(name) or DataFormat(
                    prefix, name, dataformat_cache=cache
                )
            except RuntimeError as error:
                errors.append(f"{where}: {error}")
    return dataformats


class ProtocolTemplate(Asset):
    """A protocol template.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    name : str
        The name, ``name/version``; any other form raises `RuntimeError`.
    dataformat_cache : dict, optional
        Dataformats by name, reused and added to.

    Attributes
    ----------
    dataformats : dict
        The dataformats of all outputs, by name.
    """

    kind = "Protocol template"
    storage_class = Storage

    def __init__(
        self, prefix: str, name: str | JSON, dataformat_cache: dict[str, Any] | None = None
    ) -> None:
        self._begin(prefix)
        self.dataformats: dict[str, Any] = {}
        self._load(name, {} if dataformat_cache is None else dataformat_cache)

    def _load(self, data: str | JSON, dataformat_cache: dict[str, Any]) -> None:
        if not self._read(data):
            return
        self.errors += check_sets(self.data, {"name": str, "outputs": dict}, "template")
        if self.valid:
            self.dataformats = load_dataformats(
                self.prefix, self.sets(), dataformat_cache, self.errors
            )

    def sets(self) -> list[JSON]:
        """Return the declared sets, each with its ``name`` and its ``outputs``."""
        return self.data.get("sets", [])  # type: ignore[no-any-return]

    def set(self, name: str) -> JSON | None:
        """Return the declared set of that name, None if there is none."""
        return next((declared for declared in self.sets() if declared["name"] == name), None)

    def _needs(self) -> Iterable[Asset]:
        return self.dataformats.values()
