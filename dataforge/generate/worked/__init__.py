"""Worked examples: drawn for prompts, reasoned to known answers, final answers compared."""
