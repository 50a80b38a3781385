"""Runs single blocks: algorithms, what they read from databases, and the two sides of loops."""

from __future__ import annotations

from .algorithm import AlgorithmExecutor as AlgorithmExecutor
from .database import DBExecutor as DBExecutor
from .loop import LoopChannel as LoopChannel
from .loop import LoopExecutor as LoopExecutor
from .messagehandlers import LoopMessageHandler as LoopMessageHandler
from .messagehandlers import MessageHandler as MessageHandler
