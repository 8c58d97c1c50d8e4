"""Which rows stay by their scores: expressions, the decision, why, the presets, and the pass that copies."""
