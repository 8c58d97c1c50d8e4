"""Duplicate rows: keys, signatures, candidates, the decision, and an index of what came before."""
