"""The parts of Self-Instruct: seeds, pool, rules, readers of replies, and the chains of its two recipes."""
