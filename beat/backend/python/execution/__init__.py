"""Runs single blocks: algorithms, what they read from databases, and the two sides of loops."""

from __future__ import annotations

from .messagehandlers import LoopMessageHandler as LoopMessageHandler
from .messagehandlers import MessageHandler as MessageHandler
