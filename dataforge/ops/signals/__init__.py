"""What is measured of texts, one family of signals a module; `dataforge.ops.scorers.rules` makes columns of them."""
