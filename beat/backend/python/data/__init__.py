"""Data units on their way: indices, cache files, and the sources and sinks of inputs and outputs.

Nothing here knows why data moves: sources deliver units in the order of their indices, sinks
take them, whatever stands behind them is their own business.
"""

from __future__ import annotations

from ..exceptions import RemoteException
from .cache_files import getAllFilenames
from .cached_sink import CachedDataSink
from .cached_source import CachedDataSource, FileInfos
from .database_source import DatabaseOutputDataSource
from .indices import mixDataIndices
from .remote_source import RemoteDataSource
from .sink import DataSink, StdoutDataSink
from .source import DataSource
from .splits import foundSplitRanges, load_data_index, load_data_index_db

__all__ = [
    "CachedDataSink",
    "CachedDataSource",
    "DataSink",
    "DataSource",
    "DatabaseOutputDataSource",
    "FileInfos",
    "RemoteDataSource",
    "RemoteException",
    "StdoutDataSink",
    "foundSplitRanges",
    "getAllFilenames",
    "load_data_index",
    "load_data_index_db",
    "mixDataIndices",
]
