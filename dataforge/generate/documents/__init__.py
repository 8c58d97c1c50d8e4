"""Documents as sources: passages, and whether an answer is supported by one."""
