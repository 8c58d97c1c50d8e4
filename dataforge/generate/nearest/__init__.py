"""The search of the novelty filter: terms, the growing pool, and the compiled loops over it."""
