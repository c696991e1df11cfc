"""CSV as a source of cells: one file, or a zip with a file a form. What cannot be told is refused with its line."""

import csv
import io
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from submissions.files.codes import Code, hazard
from submissions.files.legacy import Legacy, detect, is_doubtful, is_syllable, known_words, readings, words
from submissions.files.package import Package
from submissions.files.source import Cells, Hazard, RefusedError, SheetInfo, Source
from submissions.files.taking import take
from submissions.files.text_hazards import text_hazards

SAVE_AS_CSV = "Hãy mở bằng Excel, chọn Lưu thành (Save As), loại “CSV UTF-8 (Comma delimited)”, rồi gửi lại."
MEND_LINE = "Hãy mở tệp bằng trình soạn thảo, sửa dòng đó, hoặc lưu lại từ Excel, rồi gửi lại."

REFUSALS: dict[str, Code] = {
    "CSV_EMPTY": Code("Tệp “{name}” không có dòng nào có dữ liệu.", "Hãy kiểm tra và gửi đúng tệp."),
    "CSV_NOT_TEXT": Code("Tệp “{name}” không phải là văn bản CSV.", SAVE_AS_CSV),
    "CSV_UNKNOWN_ENCODING": Code(
        "Tệp “{name}” không phải UTF-8, UTF-16 hay Windows-1258; có thể là {likely}.", SAVE_AS_CSV
    ),
    "CSV_MIXED_ENCODING": Code("Tệp “{name}” trộn UTF-8 với bảng mã khác, ở {lines}.", SAVE_AS_CSV),
    "CSV_CUT_OFF": Code("Tệp “{name}” chép chưa xong: dòng cuối ({lines}) bị cắt.", "Hãy chép đủ rồi gửi lại."),
    "CSV_NUL": Code("Tệp “{name}” có byte 0 ở {lines}: tệp hỏng hoặc chép chưa xong.", "Hãy lưu lại rồi gửi lại."),
    "CSV_NO_SEPARATOR": Code(
        "Tệp “{name}”: không rõ dấu phân cách cột ({found}).",
        "Hãy dùng một trong các dấu ; , | hoặc Tab, hoặc thêm dòng đầu “sep=;” cho đúng dấu đã dùng, rồi gửi lại.",
    ),
    "CSV_UNTERMINATED_QUOTE": Code("Tệp “{name}”, {lines}: dấu ngoặc kép mở mà không đóng.", MEND_LINE),
    "CSV_STRAY_QUOTE": Code("Tệp “{name}”, {lines}: dấu ngoặc kép đứng sai chỗ trong ô.", MEND_LINE),
    "CSV_RAGGED": Code(
        "Tệp “{name}”, {lines}: dòng có nhiều ô hơn dòng tiêu đề ({found} so với {expected}), dữ liệu lệch cột.",
        "Hãy đặt ô có dấu phân cách trong ngoặc kép, hoặc lưu lại từ Excel, rồi gửi lại.",
    ),
    "CSV_BROKEN_ROW": Code("Tệp “{name}”, {lines}: một dòng của bảng bị ngắt làm hai.", MEND_LINE),
    "CSV_FIELD_TOO_LONG": Code("Tệp “{name}”, {lines}: ô dài hơn {limit} ký tự.", MEND_LINE),
    "CSV_TOO_LARGE": Code(
        "Các tệp CSV của lần gửi dài {size} MB, quá mức {limit} MB.", "Hãy bỏ các dòng, cột và tệp thừa rồi gửi lại."
    ),
    "CSV_TOO_MANY_CELLS": Code(
        "Có quá nhiều {what} (hơn {limit}, tính đến tệp “{name}”).", "Hãy bỏ các dòng, cột và tệp thừa rồi gửi lại."
    ),
    "CSV_DOUBLED_NAME": Code("Có hai tệp cùng tên “{name}”.", "Hãy giữ một tệp rồi gửi lại."),
    "CSV_OTHER_FILE": Code(
        "Trong tệp nén hoặc thư mục có tệp không phải CSV: “{name}”.", "Hãy bỏ tệp đó ra rồi gửi lại."
    ),
}
"""Why a CSV is refused, by stable code."""

HAZARDS: dict[str, Code] = {
    "CSV_LEGACY_ENCODING": Code(
        "Tệp theo bảng mã cũ {encoding}, đã chuyển sang Unicode.",
        "Nên lưu tệp loại “CSV UTF-8”; hãy xem lại chữ có dấu.",
    ),
    "CSV_MIXED_LINE_ENDS": Code("Tệp dùng nhiều kiểu xuống dòng.", "Mọi dòng vẫn được đọc; nên lưu lại từ Excel."),
}
"""What makes a CSV easy to read wrongly, by stable code."""

EXTENSIONS = {"csv", "txt", "tsv"}
SEPARATORS = ";\t,|"
LONGEST_FIELD = 32_767
"""Characters in a cell of Excel."""
MOST_BYTES, MOST_LINES, MOST_CELLS, MOST_COLUMNS = 20 * 2**20, 300_000, 2_000_000, 1_000
"""Of all files of a sending; the columns of each. A unit of 8,000 members reports a third of that, and whatever else is
so long is read or refused before time and memory run out. An .xlsx may hold more: most of its texts stand in it once.
"""

_LINE_END = re.compile(r"\r\n|\n|\r")
_QUOTED = re.compile(r'"[^"]*"')
_SHOWN_LINES = 5
_DECLARED = re.compile(r'"?sep=([^\r\n"])"?[ \t;,]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
_AS_TEXT = re.compile(r'="([^"]*)"')
"""How Excel is told in CSV that a number is text: ``="00123"``."""
_NOT_MEANT = re.compile(r"(?:^|/)(?:__MACOSX/|\.|~\$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
"""What file managers add to zips and folders."""


def _refused(code: str, **facts: object) -> RefusedError:
    entry = REFUSALS[code]
    return RefusedError(code, f"{entry.found.format(**facts)} {entry.advice}")


def _met(code: str, sheet: str, **facts: object) -> Hazard:
    entry = HAZARDS[code]
    return Hazard(code, f"{entry.found.format(**facts)} {entry.advice}", sheet)


def open_delimited(content: bytes, name: str) -> Source:
    """A CSV file as one sheet named after the file; a zip as `open_delimited_zip`. Raises `RefusedError`."""
    if content[:2] == b"PK":
        return open_delimited_zip(content)
    check_size(len(content))
    return _source("csv", [(_stem(name), content)])


def open_delimited_zip(content: bytes) -> Source:
    """A zip of CSV files, each a sheet named after its file; raises one `RefusedError` with all that is wrong."""
    package = Package(content)
    members: dict[str, bytes] = {}
    met: set[str] = set()
    size = 0
    for part in package.names:
        path = _as_typed(part).replace("\\", "/")
        if _NOT_MEANT.search(path):
            continue
        if not _is_delimited(path):
            raise _refused("CSV_OTHER_FILE", name=path)
        name = _stem(path)
        if (folded := unicodedata.normalize("NFC", name).casefold()) in met:
            raise _refused("CSV_DOUBLED_NAME", name=name)
        met.add(folded)
        members[name] = package.read(part)
        package.forget(part)
        size += len(members[name])
        check_size(size)
    if not members:
        raise _refused("CSV_EMPTY", name="tệp nén")
    return _source("csv_zip", members.items())


def is_delimited_zip(names: Iterable[str]) -> bool:
    """Whether a zip with these parts is meant as CSV files: there is one."""
    return any(_is_delimited(name) and not _NOT_MEANT.search(name) for name in names)


def pack_folder(paths: Iterable[Path]) -> bytes:
    """A folder's CSV files as one zip: the same files give the same bytes, whenever and wherever they are packed."""
    files: dict[str, bytes] = {}
    size = 0
    for path in paths:
        name = unicodedata.normalize("NFC", path.name)
        if _NOT_MEANT.search(name):
            continue
        if not _is_delimited(name) or not stat.S_ISREG(path.lstat().st_mode):
            raise _refused("CSV_OTHER_FILE", name=name)
        if name.casefold() in {packed.casefold() for packed in files}:
            raise _refused("CSV_DOUBLED_NAME", name=name)
        files[name] = take(path)
        size += len(files[name])
        check_size(size)
    if not files:
        raise _refused("CSV_EMPTY", name="thư mục")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


def _too_many(what: str, limit: int, name: str) -> RefusedError:
    return _refused("CSV_TOO_MANY_CELLS", what=what, limit=f"{limit:,}".replace(",", "."), name=name)


def check_size(size: int) -> None:
    """Refuse CSV files of a sending that are so many bytes together."""
    if size > MOST_BYTES:
        raise _refused("CSV_TOO_LARGE", size=-(-size // 2**20), limit=MOST_BYTES // 2**20)


def _is_delimited(path: str) -> bool:
    return PurePosixPath(path.replace("\\", "/")).suffix.lstrip(".").casefold() in EXTENSIONS


def _stem(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).stem


def _as_typed(name: str) -> str:
    """The name of a part whose zip forgot to say that it is UTF-8."""
    try:
        return name.encode("cp437").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return name


def _source(kind: str, members: Iterable[tuple[str, bytes]]) -> Source:
    sheets: dict[str, Cells] = {}
    hazards: list[Hazard] = []
    problems: list[RefusedError] = []
    before = (0, 0)
    for name, content in members:
        try:
            sheets[name], met = _read(content, name, before)
            hazards += met
            before = before[0] + len(sheets[name]), before[1] + sum(map(len, sheets[name]))
        except RefusedError as error:
            problems.append(error)
            if error.code == "CSV_TOO_MANY_CELLS":
                break
    if problems:
        raise RefusedError(problems[0].code, " ".join(map(str, problems)))
    infos = tuple(
        SheetInfo(name, True, len(cells), max((_width(row) for row in cells), default=0))
        for name, cells in sheets.items()
    )
    return Source(kind, infos, tuple(hazards), sheets.__getitem__)


def _width(row: list[str]) -> int:
    """How far the filled cells of a row reach."""
    width = len(row)
    while width and not row[width - 1].strip():
        width -= 1
    return width


def _lines(places: Iterable[int]) -> str:
    """Line numbers as they are told."""
    places = sorted(set(places))
    more = f" và {len(places) - _SHOWN_LINES} dòng khác" if len(places) > _SHOWN_LINES else ""
    return f"dòng {', '.join(map(str, places[:_SHOWN_LINES]))}{more}"


def _line_at(text: str, position: int) -> int:
    return 1 + sum(1 for _ in _LINE_END.finditer(text, 0, position))


def _read(content: bytes, name: str, before: tuple[int, int]) -> tuple[Cells, list[Hazard]]:
    """The cells of a file and what is odd about it; `before` counts the lines and cells of the files before it."""
    text, legacy = _decode(content, name)
    if "\0" in text:
        places = [match.start() for match in islice(re.finditer("\0+", text), _SHOWN_LINES)]
        raise _refused("CSV_NUL", name=name, lines=_lines(_line_at(text, place) for place in places))
    if before[0] + max(text.count("\n"), text.count("\r")) > MOST_LINES:
        raise _too_many("dòng", MOST_LINES, name)
    text = text.rstrip("\x1a")
    if not text.strip():
        raise _refused("CSV_EMPTY", name=name)
    if len(re.findall("[\x01-\x08\x0e-\x1f]", text[:100_000])) * 200 > len(text[:100_000]):
        raise _refused("CSV_NOT_TEXT", name=name)
    declared = _DECLARED.match(text)
    skipped = 0
    if declared:
        text, skipped = text[declared.end() :], 1
    _check_quotes(text, name, SEPARATORS + (declared[1] if declared else ""), skipped)
    rows = _parse(text, name, declared[1] if declared else _find_separator(text, name), skipped, before[1])
    hazards = _check_shape(rows, name)
    cells = [row.cells for row in rows]
    while cells and not _width(cells[-1]):
        cells.pop()
    if '="' in text:
        cells = [[found[1] if (found := _AS_TEXT.fullmatch(cell)) else cell for cell in row] for row in cells]
    return _in_unicode(cells, legacy, name, hazards)


def _in_unicode(cells: Cells, legacy: str | None, name: str, hazards: list[Hazard]) -> tuple[Cells, list[Hazard]]:
    """Cells with legacy text converted where that is certain, and the hazards of what was found."""
    distinct = list(dict.fromkeys(cell for row in cells for cell in row))
    found = detect(distinct) if legacy in {None, "Windows-1258"} else Legacy(legacy)
    if legacy:
        hazards.append(_met("CSV_LEGACY_ENCODING", name, encoding=legacy.upper() if legacy.islower() else legacy))
    if found.encoding is not None:
        made = {text: found.read(text) for text in distinct}
        changed = {text for text in distinct if made[text] != text} if legacy is None else set()
        doubts = {text for text in distinct if is_doubtful(made[text])}
        for code, texts in (("LEGACY_FONT", changed), ("LEGACY_DOUBT", doubts)):
            if texts:
                hazards.append(hazard(code, name, *_places(cells, texts)))
        cells = [[made[cell] for cell in row] for row in cells]
        distinct = list(made.values())
    hazards += text_hazards(distinct, lambda position: (name, _places(cells, {distinct[position]})[0]))
    return cells, hazards


def _places(cells: Cells, texts: set[str]) -> tuple[str, int]:
    """The first cell that holds one of these texts, and how many do."""
    found = [(row, column) for row, line in enumerate(cells, 1) for column, cell in enumerate(line, 1) if cell in texts]
    return _place(found[0]), len(found)


def _place(at: tuple[int, int]) -> str:
    row, column = at
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"


# Encodings


def _decode(content: bytes, name: str) -> tuple[str, str | None]:
    """The text of a file, and its encoding where that is an old one (``tcvn3``, ``vni``: still to be converted)."""
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise _refused("CSV_UNKNOWN_ENCODING", name=name, likely="UTF-32")
    codec = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(content[:2])
    body = content[2:] if codec else content
    codec = codec or _utf_16_by_evidence(content)
    if codec:
        try:
            return body.decode(codec), None
        except UnicodeDecodeError as error:
            last = body[: error.start].decode(codec, "replace")
            raise _refused("CSV_CUT_OFF", name=name, lines=_lines([_line_at(last, len(last))])) from None
    body = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode("utf-8"), None
    except UnicodeDecodeError as error:
        if error.start >= len(body) - 3 and error.reason == "unexpected end of data":
            lines = _lines([_line_at(body[: error.start].decode("utf-8"), error.start)])
            raise _refused("CSV_CUT_OFF", name=name, lines=lines) from None
    if b"\0" in body:
        lines = _lines([body.count(b"\n", 0, body.index(b"\0")) + 1])
        raise _refused("CSV_NUL", name=name, lines=lines)
    escaped = body.decode("utf-8", "surrogateescape")
    wrong = [match.start() for match in re.finditer("[\udc80-\udcff]+", escaped)]
    right = len(re.findall("[^\x00-\x7f\udc80-\udcff]", escaped))
    # One byte a letter hardly ever makes a letter of UTF-8 by chance.
    if content[:3] == b"\xef\xbb\xbf" or right * 4 > len(wrong):
        raise _refused("CSV_MIXED_ENCODING", name=name, lines=_lines(_line_at(escaped, place) for place in wrong[:6]))
    return _decode_eight_bits(body, name)


def _utf_16_by_evidence(content: bytes) -> str | None:
    """UTF-16 without its mark: zeros in many of the first or of the second bytes, and hardly any in the others."""
    head = content[:65_536]
    even, odd = head[::2].count(0), head[1::2].count(0)
    many, few = max(len(head) // 5, 4), len(head) // 50
    if odd >= many and even <= few:
        return "utf-16-le"
    return "utf-16-be" if even >= many and odd <= few else None


def _decode_eight_bits(body: bytes, name: str) -> tuple[str, str | None]:
    """Windows-1258, TCVN3 or VNI, told by the words that are Vietnamese in one of them only; any other is refused."""
    shown = body.decode("latin-1")
    try:
        as_1258 = unicodedata.normalize("NFC", body.decode("cp1258"))
    except UnicodeDecodeError:
        as_1258 = None
    only: Counter[str] = Counter()
    known: Counter[str] = Counter()
    lawful: Counter[str] = Counter()
    distinct = set(words(shown))
    for word in distinct:
        read = {encoding: text for encoding, text in readings(word).items() if encoding != "unicode"}
        made = unicodedata.normalize("NFC", word.encode("latin-1").decode("cp1258", "replace"))
        if is_syllable(made):
            read["Windows-1258"] = made
        lawful.update(read.keys())
        if len(read) == 1:
            only.update(read.keys())
            known.update(encoding for encoding, text in read.items() if text.casefold() in known_words())
    for encoding, count in only.most_common(1):
        enough = (count >= 3 or known[encoding]) and lawful[encoding] * 3 >= 2 * len(distinct)
        against = only.total() - count
        if enough and against * 20 <= count and (encoding != "Windows-1258" or as_1258):
            return (as_1258 or "") if encoding == "Windows-1258" else shown, encoding
    raise _refused("CSV_UNKNOWN_ENCODING", name=name, likely=_likely(body))


def _likely(body: bytes) -> str:
    """The name of the encoding that a file of another one probably has."""
    runs = re.findall(rb"[\x80-\xff]+", body)
    high = sum(map(len, runs))
    for codec, called, letters in (
        ("gb18030", "GB18030 (tiếng Trung)", r"[\u4e00-\u9fff]"),
        ("big5", "Big5 (tiếng Trung)", r"[\u4e00-\u9fff]"),
        ("shift_jis", "Shift-JIS (tiếng Nhật)", r"[\u3040-\u30ff\u4e00-\u9fff]"),
    ):
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        if len(re.findall(letters, text)) * 2 > 0.8 * high and all(len(run) > 1 for run in runs):
            return called
    if sum(len(run) for run in runs if len(run) > 3) * 2 >= high:
        return "Windows-1251 (chữ Kirin)"
    return "Windows-1252 (Tây Âu) hoặc VISCII"


# Separators, quotes, rows


def _check_quotes(text: str, name: str, separators: str, skipped: int) -> None:
    """Refuse quotes that are not closed, or that open or close within a cell."""
    if '"' not in text:
        return
    mark = "\ue001"
    rest = _QUOTED.sub(mark, text)
    inside = re.escape(separators)
    wrong = re.compile(rf"{mark}(?:(?<=[^{inside}\r\n{mark}=].)|(?<=[^{inside}\r\n]=.)|(?=[^{inside}\r\n{mark}]))")
    if '"' not in rest and wrong.search(rest) is None:
        return
    unterminated = text.count('"') % 2 == 1
    place = text.rindex('"')
    for match in _QUOTED.finditer(text):
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        if before == "=" and text[match.start() - 2 : match.start() - 1] in (*separators, "\r", "\n", ""):
            before = ""
        if (before and before not in f'{separators}\r\n"') or (after and after not in f'{separators}\r\n"'):
            place = match.start() if before and before not in f'{separators}\r\n"' else match.end()
            break
    code = "CSV_UNTERMINATED_QUOTE" if unterminated else "CSV_STRAY_QUOTE"
    raise _refused(code, name=name, lines=_lines([_line_at(text, place) + skipped]))


def _find_separator(text: str, name: str) -> str:
    """The separator that explains most: so many signs in a line, in so many lines. A decimal comma is none."""
    bare = [line for line in _LINE_END.split(_QUOTED.sub("x", text)) if line.strip()]
    scores = {separator: _score([line.count(separator) for line in bare]) for separator in SEPARATORS}
    scores[","] = _score(_commas(bare))
    best = max(scores.values())
    found = [separator for separator, score in scores.items() if score == best and score]
    if len(found) == 1:
        return found[0]
    if not found and _agrees([line.count(",") - 1 for line in bare]):
        return ","  # numbers only; two commas in a number are no decimal ones
    other = next((sign for sign in ":^~¦§#/\\" if _agrees([line.count(sign) for line in bare])), None)
    if found or other or any("," in line or "  " in line.strip() for line in bare):
        signs = found or [other or ("," if "," in "".join(bare) else " ")]
        told = " hay ".join(f"“{_NAMES.get(sign, sign)}”" for sign in signs)
        raise _refused("CSV_NO_SEPARATOR", name=name, found=f"có thể là {told}")
    return ";"  # one column


_NAMES = {"\t": "Tab", " ": "dấu cách"}
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")


def _score(counts: list[int]) -> int:
    return max((count * lines for count, lines in Counter(counts).items()), default=0)


def _commas(lines: list[str]) -> list[int]:
    """How many commas separate cells in each line: all of them, where a line without decimal ones has as many."""
    all_of_them = [line.count(",") for line in lines]
    certain = [count - len(_DECIMAL_COMMA.findall(line)) for line, count in zip(lines, all_of_them, strict=True)]
    usual = max(Counter(all_of_them).items(), key=lambda item: item[0] * item[1], default=(0, 0))[0]
    headed = any(sure == count == usual for sure, count in zip(certain, all_of_them, strict=True))
    return all_of_them if headed else certain


def _agrees(counts: list[int]) -> bool:
    """Whether a sign stands in nearly all of several lines, equally often."""
    most, lines = Counter(counts).most_common(1)[0]
    return most > 0 and len(counts) > 2 and lines * 10 >= 9 * len(counts)


class _Row(NamedTuple):
    line: int
    """Number of its first line in the file."""
    cells: list[str]
    end: str
    """How its last line ends."""
    width: int
    """How far the filled cells reach."""
    filled: int
    """How many cells are."""


def _parse(text: str, name: str, separator: str, skipped: int, count: int) -> list[_Row]:
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    rows: list[_Row] = []
    start = 0
    try:
        for cells in reader:
            last = lines[reader.line_num - 1]
            end = last[-2:] if last[-2:] == "\r\n" else last[-1:] if last[-1:] in "\r\n" else ""
            width = _width(cells)
            rows.append(_Row(start + 1 + skipped, cells, end, width, len(cells) - cells.count("")))
            start = reader.line_num
            count += len(cells)
            if width > MOST_COLUMNS:
                raise _too_many("cột", MOST_COLUMNS, name)
            if count > MOST_CELLS:
                raise _too_many("ô", MOST_CELLS, name)
    except csv.Error as error:
        code = "CSV_FIELD_TOO_LONG" if "field limit" in str(error) else "CSV_STRAY_QUOTE"
        raise _refused(code, name=name, lines=_lines([start + 1 + skipped]), limit=LONGEST_FIELD) from None
    long = [row.line for row in rows if row.cells and max(map(len, row.cells)) > LONGEST_FIELD]
    if long:
        raise _refused("CSV_FIELD_TOO_LONG", name=name, lines=_lines(long), limit=LONGEST_FIELD)
    if len(lines) == len(rows):
        return rows
    signs = max((row.width for row in rows), default=0) - 1
    swallowed = [
        row.line
        for row, after in pairwise([*rows, _Row(len(lines) + 1 + skipped, [], "", 0, 0)])
        # Lines that are whole rows by themselves, yet one row by their quotes.
        if after.line - row.line > 1
        and lines[row.line - 1 - skipped].count(separator) == signs > 1
        and lines[after.line - 2 - skipped].count(separator) == signs
    ]
    if swallowed:
        raise _refused("CSV_UNTERMINATED_QUOTE", name=name, lines=_lines(swallowed))
    return rows


def _check_shape(rows: list[_Row], name: str) -> list[Hazard]:
    """Refuse rows that are wider than the heading, and rows broken in two; titles and signatures may be narrower."""
    widths = [row.width for row in rows]
    filled = [row.filled for row in rows]
    weights: Counter[int] = Counter()
    for width, count in zip(widths, filled, strict=True):
        if count > 1:
            weights[width] += count
    if not weights:
        return []
    usual = max(weights, key=lambda width: (weights[width], width))
    whole = [position for position, count in enumerate(filled) if count > 1 and count * 3 >= usual * 2]
    heading = whole[0] if whole else filled.index(max(filled))
    width = widths[heading]
    for position in range(heading + 1, min(heading + 3, len(rows))):
        if not any(letter.isdigit() for cell in rows[position].cells for letter in cell):
            width = max(width, widths[position])  # a second row of headings
    wide = [position for position in range(heading + 1, len(rows)) if widths[position] > width]
    wide = wide or _shifted(rows, heading)
    above = [position for position in range(heading) if filled[position] > 2]
    if wide or len(above) > 3:
        found = max(len(rows[position].cells) for position in wide) if wide else width
        places = wide or [heading]
        lines = _lines(rows[position].line for position in places)
        expected = width if wide else widths[above[0]]
        raise _refused("CSV_RAGGED", name=name, lines=lines, found=found, expected=expected)
    _check_broken_rows(rows, heading, name)
    ends = {row.end for row in rows if row.end}
    return [_met("CSV_MIXED_LINE_ENDS", name)] if len(ends) > 1 else []


def _shifted(rows: list[_Row], heading: int) -> list[int]:
    """Rows with a cell more than the heading, blank as the last may be, where nearly all rows have as many."""
    body = [position for position in range(heading + 1, len(rows)) if rows[position].filled > 2]
    longer = [position for position in body if len(rows[position].cells) > len(rows[heading].cells)]
    return longer if len(longer) * 10 < len(body) or len(longer) == 1 < len(body) else []


def _check_broken_rows(rows: list[_Row], heading: int, name: str) -> None:
    """In a table whose rows all have as many cells as the heading, two short ones that make one are one row broken."""
    width = len(rows[heading].cells)
    body = [row for row in rows[heading:] if row.cells]
    whole = [position for position, row in enumerate(body) if len(row.cells) == width]
    if width < 4 or len(whole) * 10 < 9 * (whole[-1] + 1):
        return
    broken = [
        one.line
        for one, other in pairwise(body[: whole[-1] + 1])
        if len(one.cells) < width and len(one.cells) + len(other.cells) == width + 1
    ]
    if broken:
        raise _refused("CSV_BROKEN_ROW", name=name, lines=_lines(broken))
    last = body[-1]
    if not last.end and len(last.cells) < width and last.filled > 2:
        raise _refused("CSV_CUT_OFF", name=name, lines=_lines([last.line]))
