"""Files to rows: the same rows and lines at any chunk size, in any container; broken containers are named."""

import csv
import gzip
import io
import json
import os
import random
import struct
import threading

import hypothesis.strategies as st
import pytest
import zstandard
from hypothesis import example, given
from reading import chunks_of, rows_of
from strategies import LAW, TEXTS, VALUES, dump
from xxhash import xxh3_128_hexdigest

from dataforge.engine.batch import Batch
from dataforge.errors import InputError
from dataforge.io import chunks

SIZES = st.integers(1, 64)
OBJECTS = st.dictionaries(TEXTS, st.one_of(TEXTS, VALUES), max_size=3)
SPACE = st.text(" \n\t\r", max_size=3)
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("chunks")


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def plain(value):
    """A drawn value as Python reads it from JSON, numbers as floats."""
    return json.loads(dump(value), parse_int=float)


def floats(rows):
    return [(line, json.loads(dump_read(value), parse_int=float)) for line, value in rows]


def dump_read(value):
    from dataforge.io import jsontext

    return jsontext.encode(value)


# Arrays and concatenated objects


@st.composite
def spread(draw, separator):
    """(text, objects, the line on which each begins) of objects with random white space around them."""
    objects = draw(st.lists(OBJECTS, max_size=5))
    text, lines = draw(SPACE) + ("[" if separator else ""), []
    for number, value in enumerate(objects):
        text += (separator if number else "") + draw(SPACE)
        lines.append(1 + text.count("\n"))
        text += dump(value, draw(st.sampled_from([(",", ":"), (" ,\n", " :\n ")]))) + draw(SPACE)
    return text + ("]" if separator else "") + draw(SPACE), objects, lines


@LAW
@given(spread(","), SIZES, st.booleans())
def test_an_array_gives_the_elements_that_json_reads_and_their_lines_at_any_chunk_size(folder, array, size, bom):
    text, objects, lines = array
    path = written(folder, "a.json", BOM * bom + text.encode())
    assert floats(rows_of(path, size)) == [(line, plain(value)) for line, value in zip(lines, objects, strict=True)]


@LAW
@given(spread(""), SIZES)
def test_objects_one_after_another_give_their_rows_and_lines_at_any_chunk_size(folder, values, size):
    text, objects, lines = values
    path = written(folder, "v.json", ('{"head":\n1}' + text).encode())
    shifted = [(line + 1, plain(value)) for line, value in zip(lines, objects, strict=True)]
    assert floats(rows_of(path, size)) == [(1, {"head": 1.0}), *shifted]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("text", ["[]", "[ ]", " [\n\n] \n", "", " ", "\n\n", "\ufeff", "\ufeff[]"])
@pytest.mark.parametrize("name", ["empty.json", "empty.jsonl"])
def test_files_without_rows_have_none(folder, name, text, size):
    assert rows_of(written(folder, name, text.encode()), size) == []


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1 << 20])
def test_an_element_that_is_missing_between_commas_is_an_error_at_its_line_at_any_chunk_size(folder, size):
    path = written(folder, "gap.json", '[\n{"问": 1},\n,\n{"问": 2},\n]'.encode())
    expected = [(2, {"问": 1}), (3, "broken_json"), (4, {"问": 2}), (5, "broken_json")]
    assert rows_of(path, size) == expected
    assert rows_of(written(folder, "lead.json", b"[,{}]"), size) == [(1, "broken_json"), (1, {})]


@pytest.mark.parametrize("size", [1, 3, 16, 1 << 20])
def test_elements_that_are_no_objects_or_no_json_are_errors_at_their_lines(folder, size):
    text = '[1, "茶",\n null, [{"a": [1, 2]}],\n{"a": 1, }, {"b": "x\ty"},\n{"a": NaN},\n{"好": true}]'
    rows = rows_of(written(folder, "mixed.json", text.encode()), size)
    assert rows == [
        (1, "not_an_object"),
        (1, "not_an_object"),
        (2, "not_an_object"),
        (2, "not_an_object"),
        (3, "broken_json"),
        (3, "broken_json"),
        (4, "broken_json"),
        (5, {"好": True}),
    ]


def rows_before_the_fault(path, size):
    """(rows that came before, what the InputError says, its place after the path) of a file whose container is broken."""
    from contextlib import closing

    from dataforge.io.paths import find_sources

    (source,) = find_sources([str(path)])
    rows = []
    with closing(chunks.open_reading(source)) as reading, pytest.raises(InputError) as caught:
        for chunk in chunks.read_chunks(source, 0, reading, size):
            batch = Batch(chunk)
            found = dict(batch.values())
            rows += [batch.notes[row].rule if row in batch.notes else found[row] for row in range(batch.n_in)]
    assert caught.value.place.startswith(str(path))
    return rows, caught.value.message, caught.value.place[len(str(path)) :]


@pytest.mark.parametrize("size", [1, 4, 9, 64, 1 << 20])
@pytest.mark.parametrize(
    ("text", "rows", "says", "place"),
    [
        ('[{"a": 1},\n{"a": 2}\n', [{"a": 1}, {"a": 2}], "not closed", ":3"),
        ('[{"a": 1},\n{"a": "茶', [{"a": 1}, "broken_json"], "not closed", ":2"),
        ('[{"a": 1},\n', [{"a": 1}], "not closed", ":2"),
        ("[", [], "not closed", ":1"),
        ('[{"a": 1}]\n\n {"a": 2}', [{"a": 1}], "text after the end", ":3"),
        ('[{"a": 1}]\n]', [{"a": 1}], "text after the end", ":2"),
        ('[{"a": 1}][{"a": 2}]', [{"a": 1}], "text after the end", ":1"),
        ('[{"a": 1},\n{"a": 2}},\n{"a": 3}]', [{"a": 1}, {"a": 2}], "'}' too many", ":2"),
        ('[{"a": 1},\n{"a": "x}, {"b": "y"}]', [{"a": 1}, "broken_json"], "not closed", ":2"),
    ],
)
def test_an_array_that_is_cut_or_goes_on_is_an_input_error_after_its_whole_rows(folder, text, rows, says, place, size):
    before, message, where = rows_before_the_fault(written(folder, "cut.json", text.encode()), size)
    assert before == rows
    assert says in message
    assert where == place


@pytest.mark.parametrize("size", [1, 5, 32, 1 << 20])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n"a": 1}\n{"b": ', [(1, {"a": 1}), (3, "broken_json")]),
        ('{\n"a": 1}\n\nxyz', [(1, {"a": 1}), (4, "broken_json")]),
        ('{\n"茶": ', [(1, "broken_json")]),
        ('{\n"a": 1} , {"b": 2}', [(1, {"a": 1}), (2, "broken_json")]),
        ('{\n"a": 1}}\n{"b": 2}', [(1, {"a": 1}), (2, "broken_json")]),
        ('{\n"a": "x}\n{"b": 2}', [(1, "broken_json")]),
    ],
)
def test_objects_one_after_another_with_a_fault_are_an_error_where_it_begins(folder, text, expected, size):
    assert rows_of(written(folder, "fault.json", text.encode()), size) == expected


# Lines


@st.composite
def line_files(draw):
    """(bytes of a file of lines, [(line, object)]) with blank lines, any line ends, and perhaps no last one."""
    data, expected = b"", []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        kind = draw(st.sampled_from(["row", "row", "row", "blank", "space", "long"]))
        if kind in ("row", "long"):
            value = draw(OBJECTS) | ({"long": "长" * 100} if kind == "long" else {})
            expected.append((number, value))
            data += draw(st.sampled_from(["", " "])).encode() + dump(value).encode()
        elif kind == "space":
            data += b" \t"
        data += draw(st.sampled_from([b"\n", b"\r\n"]))
    if draw(st.booleans()):
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    return data, expected


@LAW
@given(line_files(), SIZES, st.sampled_from(["l.jsonl", "l.ndjson", "l.jsonl.gz", "l.jsonl.zst"]), st.booleans())
@example((b'\n{"a":1}\r\n \r\n{"b":2}', [(2, {"a": 1}), (4, {"b": 2})]), 1, "l.jsonl", True)
def test_lines_give_their_rows_and_numbers_at_any_chunk_size(folder, file, size, name, bom):
    data, expected = file
    data = BOM * bom + data
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(os.path.splitext(name)[1], bytes)(data)
    path = written(folder, name, packed)
    assert floats(rows_of(path, size)) == [(line, plain(value)) for line, value in expected]
    found, reading = chunks_of(path, size)
    assert reading.hash == "xxh3-128:" + xxh3_128_hexdigest(packed)
    assert reading.bytes == len(packed)
    assert b"".join(chunk.read() for chunk in found) == data[3 * bom :]
    assert all((chunk.path is None) == (name != "l.jsonl" and name != "l.ndjson") for chunk in found)


def test_the_exact_path_is_taken_for_the_right_rows_at_any_chunk_size(folder):
    rows = [{"n": 1, "茶": "a\nb"}, {"n": 123456789012345678901}, {}, {"t": "0" * 20}, {"n": 1e-300}, {"n": 2}]
    for name, text in (
        ("exact.jsonl", "\n\n".join(map(dump_plain, rows))),
        ("exact.json", json.dumps(rows, indent=1)),
        ("values.json", "\n".join(json.dumps(row, indent=2) for row in rows)),
    ):
        path = written(folder, name, text.encode())
        for size in (1, 20, 50, 1 << 20):
            assert [json.loads(dump_read(value)) for _, value in rows_of(path, size)] == rows


def dump_plain(row):
    return json.dumps(row, ensure_ascii=False)


def test_json_files_that_hold_lines_and_jsonl_files_that_hold_an_array_are_read_as_what_they_are(folder):
    lines = '{"a": "茶"}\n{"a": 2}\n'
    array = '[{"a": "茶"}, {"a": 2}]'
    expected = [{"a": "茶"}, {"a": 2}]
    for name, text in (
        ("lines.json", lines),
        ("array.jsonl", array),
        ("array.jsonl", array + "\n"),
        ("array.jsonl", array.replace(", {", ",\n {")),
        ("array.jsonl", array.replace("[", "\n[\n").replace("]", "\n]\n")),
    ):
        for size in (1, 10, 1 << 20):
            assert [value for _, value in rows_of(written(folder, name, text.encode()), size)] == expected


def test_a_broken_first_line_does_not_hide_that_a_json_file_holds_lines(folder):
    path = written(folder, "first.json", '{"a": "cut\n{"a": "茶"}\n{"b": 2}\n'.encode())
    assert rows_of(path) == [(1, "broken_json"), (2, {"a": "茶"}), (3, {"b": 2})]


def test_an_object_that_is_spread_over_lines_is_not_taken_for_lines(folder):
    for text in (
        '{"a": [\n{"b": 1}\n]}',
        '{"a": 1} {"b": 2}\n{"茶": 3}',
        '{"a":\n{"b": 1}\n}',
        '{"a": 1,\n"b": 2}\n{"c": {}}',
    ):
        rows = [value for _, value in rows_of(written(folder, "spread.json", text.encode()))]
        assert "broken_json" not in rows


def test_a_row_that_is_an_array_is_one_faulty_line_of_a_jsonl_file(folder):
    path = written(folder, "rows.jsonl", b'[1, 2]\n{"a": 1}\n')
    assert rows_of(path) == [(1, "not_an_object"), (2, {"a": 1})]


def test_planted_faults_in_lines_are_row_errors_at_their_lines(folder):
    lines = [b'{"a": 1}', b'{"a": "cut', b"null", b"[1]", b"5", b"nonsense", '{"a": "茶"}'.encode("gb18030")]
    lines += [b'{"a": NaN}', b'{"a": 1} {"b": 2}', b"{'a': 1}", b'{"a": 1e400}', b'{"ok": "\\ud800"}']
    lines += [b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", b"[" * 1000 + b"]" * 1000, b'{"z": 0}']
    rows = rows_of(written(folder, "faults.jsonl", b"\n".join(lines)))
    assert [line for line, _ in rows] == list(range(1, len(lines) + 1))
    rules = [value if isinstance(value, str) else "fine" for _, value in rows]
    assert rules == [
        *("fine", "broken_json", "not_an_object", "not_an_object", "not_an_object", "broken_json", "invalid_utf8"),
        *("broken_json", "broken_json", "broken_json", "fine", "fine", "broken_json", "not_an_object", "fine"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["u.jsonl", "u.json", "u.csv", "u.tsv", "u.txt", "u.jsonl.gz"])
def test_utf16_is_an_input_error_that_says_how_to_mend_it(folder, name, encoding):
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    data = (mark + '{"问": "茶"}\n').encode(encoding)
    path = written(folder, name, gzip.compress(data) if name.endswith("gz") else data)
    rows, message, _ = rows_before_the_fault(path, 1)
    assert (rows, message) == ([], "is UTF-16 text, not UTF-8")
    with pytest.raises(InputError) as caught:
        rows_of(path)
    assert "iconv -f UTF-16" in caught.value.help


def test_a_text_file_holds_a_document_a_line_with_every_blank_kept(folder):
    path = written(folder, "t.txt", '\ufeff 一\u3000\r\n\n\t\n[1]\r\r\n{"a": 1}\n最后'.encode())
    expected = [(1, " 一\u3000"), (4, "[1]\r"), (5, '{"a": 1}'), (6, "最后")]
    for size in (1, 4, 1 << 20):
        assert rows_of(path, size) == [(line, {"text": text}) for line, text in expected]
    broken = written(folder, "gb.txt", "茶\n".encode("gb18030") + "茶\n".encode())
    assert rows_of(broken) == [(1, "invalid_utf8"), (2, {"text": "茶"})]


# Compression


def many_lines():
    generator = random.Random(7)
    return b"".join(f'{{"n": {n}, "茶": "{generator.getrandbits(64):x}"}}\n'.encode() for n in range(400))


def test_gzip_members_and_zstd_frames_are_read_one_after_another(folder):
    data = many_lines()
    half = len(data) // 2 + 3  # inside a row
    skippable = struct.pack("<II", 0x184D2A50, 5) + b"notes"
    frames = zstandard.compress(data[:half]) + skippable + zstandard.compress(data[half:])
    expected = rows_of(written(folder, "m.jsonl", data))
    assert len(expected) == 400
    for size in (100, 1 << 20):
        members = gzip.compress(data[:half]) + gzip.compress(data[half:])
        assert rows_of(written(folder, "m.jsonl.gz", members), size) == expected
        assert rows_of(written(folder, "m.jsonl.zst", frames), size) == expected


@pytest.mark.parametrize("size", [64, 1 << 20])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_compressed_file_that_is_cut_is_an_input_error_and_never_a_shorter_file(folder, suffix, share, size):
    data = many_lines()
    packed = gzip.compress(data) if suffix == "gz" else zstandard.ZstdCompressor(level=1).compress(data)
    path = written(folder, f"cut.jsonl.{suffix}", packed[: int(len(packed) * share)])
    message = rows_before_the_fault(path, size)[1]
    assert f"no whole {'gzip' if suffix == 'gz' else 'zstd'} file" in message


def test_compressed_files_that_are_damaged_or_are_none_are_input_errors(folder):
    data = many_lines()
    for suffix, packed in (
        ("gz", gzip.compress(data)),
        ("zst", zstandard.ZstdCompressor(write_checksum=True).compress(data)),
    ):
        flipped = [
            packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :] for at in (0, 15, 20, 30, len(packed) // 2)
        ]
        for bad in (*flipped, b'{"a": 1}\n', packed + b"more", packed + packed[:10]):
            assert "no whole" in rows_before_the_fault(written(folder, f"bad.jsonl.{suffix}", bad), 1 << 20)[1]
        assert rows_of(written(folder, f"none.jsonl.{suffix}", b"")) == []


def test_a_compressed_array_is_streamed_too(folder):
    rows = [{"茶": "x" * n} for n in range(50)]
    for suffix, pack in (("gz", gzip.compress), ("zst", zstandard.compress)):
        path = written(folder, f"a.json.{suffix}", pack(json.dumps(rows, indent=1).encode()))
        assert [value for _, value in rows_of(path, 40)] == rows


# Tables


CELLS = st.one_of(TEXTS, st.sampled_from(["007", "3.0", "", '"', "a,b", "a\tb", "茶\n叶", "l1\r\nl2"])).map(
    lambda text: "".join(char for char in text if not "\ud800" <= char <= "\udfff").replace("\x00", "")
)


@LAW
@given(
    st.lists(CELLS, min_size=1, max_size=4, unique=True),
    st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=4),
    st.sampled_from(["t.csv", "t.tsv", "t.csv.gz"]),
    SIZES,
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_gives_every_cell_as_the_text_it_is_at_any_chunk_size(folder, header, cells, name, size, bom, end):
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t" if ".tsv" in name else ",", lineterminator=end, quoting=csv.QUOTE_ALL)
    lines = []
    for row in [header, *(row[: len(header)] for row in cells)]:
        lines.append(1 + len(text.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]))
        table.writerow(row)
    data = BOM * bom + text.getvalue().encode()
    path = written(folder, name, gzip.compress(data) if name.endswith("gz") else data)
    expected = [dict(zip(header, row, strict=False)) for row in cells]
    assert rows_of(path, size) == list(zip(lines[1:], expected, strict=True))


def test_lines_of_a_table_are_those_of_the_file_with_quoted_line_ends_and_blank_lines(folder):
    text = '\n问题,答案\n"一\n二",a\n\n三,"b\r\nc"\n四,d'
    rows = [
        (3, {"问题": "一\n二", "答案": "a"}),
        (6, {"问题": "三", "答案": "b\r\nc"}),
        (8, {"问题": "四", "答案": "d"}),
    ]
    for size in (1, 1 << 20):
        assert rows_of(written(folder, "q.csv", text.encode()), size) == rows


def test_ragged_rows_and_cells_that_are_no_utf8_are_row_errors_that_keep_every_cell(folder):
    data = "问题,答案\n一,二,三\n只有一\n好,行\n".encode() + "茶,叶\n".encode("gb18030")
    (chunk,) = chunks_of(written(folder, "r.csv", data))[0]
    batch = Batch(chunk)
    assert list(batch.values()) == [(2, {"问题": "好", "答案": "行"})]
    found = {batch.line(row): (note.rule, note.detail, json.loads(note.raw)) for row, note in batch.notes.items()}
    broken = found.pop(5)
    assert found == {
        2: ("bad_table", "3 cells under 2 headers", ["一", "二", "三"]),
        3: ("bad_table", "1 cells under 2 headers", ["只有一"]),
    }
    assert broken[:2] == ("bad_table", "invalid UTF-8")
    assert [cell.encode(errors="surrogateescape").decode("gb18030") for cell in broken[2]] == ["茶", "叶"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("问题,答案,问题\n1,2,3\n".encode(), "column '问题' stands twice"),
        (b"a,,\n1,2,3\n", "column '' stands twice"),
        ("问题,答案\n一,二\n".encode("gb18030"), "header is no UTF-8"),
        (b'a,b\n1,"2" x\n', "no readable table"),
        (b'a,b\n1,"2\n3,4\n', "no readable table"),
    ],
)
def test_a_table_that_cannot_be_read_as_one_is_an_input_error(folder, data, says):
    assert says in rows_before_the_fault(written(folder, "bad.csv", data), 1 << 20)[1]


def test_one_empty_column_name_is_a_name_and_an_empty_table_has_no_rows(folder):
    assert rows_of(written(folder, "u.csv", b",Question\n0,Q\n")) == [(2, {"": "0", "Question": "Q"})]
    for text in (b"", b"\n\n", b"a,b\n", b"\xef\xbb\xbf"):
        assert rows_of(written(folder, "e.csv", text)) == []


# Streams


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this platform")
def test_a_pipe_that_hands_out_single_bytes_gives_the_same_rows(tmp_path):
    data = BOM + '[{"问": "茶"},\n{"a": [1]}]'.encode()
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)

    def feed():
        with open(pipe, "wb", buffering=0) as file:
            for byte in data:
                file.write(bytes([byte]))

    writer = threading.Thread(target=feed)
    writer.start()
    found, reading = chunks_of(pipe, container="json")
    writer.join()
    assert [value for chunk in found for _, value in Batch(chunk).values()] == [{"问": "茶"}, {"a": [1]}]
    assert all(chunk.path is None for chunk in found)
    assert reading.hash == "xxh3-128:" + xxh3_128_hexdigest(data)


def test_a_file_that_became_shorter_is_an_input_error(folder):
    path = written(folder, "s.jsonl", b'{"a": 1}\n{"a": 2}\n')
    (chunk,) = chunks_of(path)[0]
    path.write_bytes(b'{"a"')
    with pytest.raises(InputError, match="became shorter"):
        chunk.read()


def test_a_file_that_cannot_be_opened_is_an_input_error_with_its_name(tmp_path):
    from dataforge.io.paths import Source

    with pytest.raises(InputError, match="cannot be read: No such file") as caught:
        chunks.open_reading(Source(str(tmp_path / "不在.jsonl"), "不在.jsonl", "jsonl", None))
    assert caught.value.place.endswith("不在.jsonl")
