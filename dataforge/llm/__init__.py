"""Model clients: requests, replies that were checked, limits and budgets, a cache on disk; servers and local models."""
