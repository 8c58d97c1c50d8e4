"""The repairs of `clean`: one module each, all of one shape (see `dataforge.ops.cleaning.repair`)."""
