"""The trainer: one loop, a loss for each stage, and what measures and uses the models it makes."""
