"""Parses BEAT declarations and runs the Python algorithms of BEAT experiments."""
