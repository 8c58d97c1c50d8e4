"""Prompt files: what is in them, the set of a run, and the commands that show and copy them."""
