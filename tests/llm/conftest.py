"""Fixtures of this folder: a real server."""

from real_server import transformers_server

__all__ = ["transformers_server"]
