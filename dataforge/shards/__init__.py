"""Tokenising, packing and the shard files on disk."""
