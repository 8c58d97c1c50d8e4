"""Preference data: answers that stand to choice, which of them make pairs, and the rows of those pairs."""
