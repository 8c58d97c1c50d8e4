"""Dialects: one module each, with `detect`, `read` and `write`."""
