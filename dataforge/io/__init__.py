"""Containers: files to chunks of whole rows, and JSON text to values, exactly."""
