"""Conversations with a model: prompts out of rows, turns, rehearsal of general rows."""
