"""How these tests read files: through read_chunks and Batch, at any chunk size."""

from contextlib import closing

from dataforge.engine.batch import Batch
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import find_sources


def chunks_of(path, size=1 << 20, **more):
    """(all chunks, the reading) of one file."""
    (source,) = find_sources([str(path)], **more)
    with closing(open_reading(source)) as reading:
        chunks = list(read_chunks(source, 0, reading, size))
        reading.finish()
    return chunks, reading


def rows_of(path, size=1 << 20, **more):
    """(line, value or the rule of its fault) of every row of a file, in order."""
    rows = []
    for chunk in chunks_of(path, size, **more)[0]:
        batch = Batch(chunk)
        found = dict(batch.values())
        assert found.keys().isdisjoint(batch.notes)
        for row in range(batch.n_in):
            note = batch.notes.get(row)
            rows.append((batch.line(row), note.rule if note else found[row]))
    return rows
