"""One thin file per command over the Python API."""
