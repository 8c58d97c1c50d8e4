"""How rows are split: what groups hold together, and to which part each group goes."""
