"""How work runs: chunks to worker processes and back in order, outputs, ledgers, conservation."""
