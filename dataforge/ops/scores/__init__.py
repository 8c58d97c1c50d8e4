"""Score tables: the columns beside a file, the task that makes them, and which of them are fresh."""
