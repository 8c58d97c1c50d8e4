"""Overlap of rows with benchmark and held-out items: the index of items, and how rows are matched with it."""
