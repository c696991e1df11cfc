# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""The command ``screen``: any table of ratings, screened as the warehouse's own are."""

import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.intake_commands import AS_CSV, AS_JSON
from orchestration.problems import ProblemError, reason
from orchestration.vietnamese import FILE, OPTIONS, Vietnamese

if TYPE_CHECKING:
    import pandas as pd

    from ratings.screening import Screened

REFUSED = 2
"""What the command ends with where the table or the mapping cannot be used."""

SEPARATORS = ";\t|,"
MOST_LISTED = 20_000
"""Of more organisations JSON holds the signals of the listed only."""

READ_SECONDS = 60

Say = Callable[[str], None]
ANSWER_COLUMN = "CỘT"


def _column(*names: str, told: str) -> object:
    return click.option(*names, metavar=ANSWER_COLUMN, help=told)


COLUMNS = (
    _column("--organisation", told="Tổ chức được xem xét; nhiều cột cách nhau bằng dấu phẩy thì ghép lại."),
    _column("--name", told="Tên của tổ chức."),
    _column("--parent", told="Đơn vị cấp trên."),
    _column("--period", told="Kỳ: năm, quý, tháng hoặc ngày."),
    _column("--type", told="Loại tổ chức: chỉ so trong cùng loại."),
    _column("--group", told="Bộ phận (chi bộ) của tổ chức: mỗi dòng một bộ phận."),
    click.option(
        "--levels", metavar="MỨC", help="Các mức từ cao xuống thấp, hoặc mức=cột: XS=xs,HTT=htt,HT=ht,KHT=kht."
    ),
    _column("--n", "rated", told="Số được xếp loại."),
    _column("--k", "good", told="Số từ mức tốt trở lên."),
    _column("--k-top", "top", told="Số mức cao nhất."),
    _column("--subject", told="Đối tượng được xếp loại: mỗi dòng một đối tượng."),
    _column("--level", told="Mức của đối tượng."),
    _column("--self", "own", told="Mức đối tượng tự nhận."),
    _column("--appraised", told="Mức được thẩm định hoặc đề nghị."),
    _column("--score", told="Điểm (hoặc thời gian h:mm:ss)."),
    _column("--count", told="Số lượng của mỗi điểm, khi bảng là phân bố điểm."),
    _column("--stored", told="Điểm gốc trước khi làm tròn."),
    _column("--rater", told="Người chấm, khi mỗi đối tượng có nhiều người chấm."),
    _column("--own-side", "is_own", told="Đối tượng thuộc phía của người chấm (có/không)."),
    _column("--rater-side", told="Phía (nước, trường) của người chấm; dùng cùng --subject-side."),
    _column("--subject-side", told="Phía của đối tượng được chấm."),
    _column("--own-level", told="Mức của chính tổ chức."),
    _column("--excluded", told="Số không được xếp loại."),
    _column("--rechecked", told="Số được thẩm định lại độc lập."),
    _column("--recheck-lowered", told="Trong đó, số bị hạ dưới mức tốt."),
    click.option("--evidence", metavar="CỘT:CHIỀU", help="Số liệu công việc, ví dụ tre_han:xau,so_cuoc_hop:tot."),
)
SET = (
    click.option("--good-from", metavar="MỨC", help="Mức thấp nhất được tính là tốt."),
    click.option("--top-to", metavar="MỨC", help="Mức thấp nhất bị trần giới hạn."),
    click.option("--target", metavar="TỶ_LỆ", help="Chỉ tiêu tỷ lệ tốt, ví dụ 0,9 hoặc 90%."),
    click.option("--cap", metavar="TỶ_LỆ", help="Trần tỷ lệ mức cao nhất, ví dụ 0,2."),
    click.option(
        "--cap-base",
        type=click.Choice(["good", "good_or_above", "rated"]),
        metavar="CƠ_SỞ",
        help="Trần tính trên: good (số tốt không kể cao nhất), good_or_above, rated (tất cả).",
    ),
    click.option("--cutoffs", metavar="ĐIỂM", help="Ngưỡng điểm, ví dụ 50,70,90 (số lẻ viết dấu chấm)."),
    click.option("--placebos", metavar="ĐIỂM", help="Điểm đối chứng không phải ngưỡng (mặc định: tự chọn)."),
    click.option("--score-min", metavar="ĐIỂM", help="Điểm thấp nhất của thang."),
    click.option("--score-max", metavar="ĐIỂM", help="Điểm cao nhất của thang."),
    click.option("--lower-is-better", is_flag=True, help="Điểm thấp là tốt; ngưỡng 13 là “đến 13 vẫn tốt”."),
    click.option("--missing", metavar="GIÁ_TRỊ", help="Giá trị nghĩa là không biết, ví dụ 999."),
)


@click.command(
    cls=Vietnamese, options_metavar=OPTIONS, short_help="Soát một bảng xếp loại bất kỳ (CSV, Excel, Parquet)."
)
@click.argument("table", metavar="BẢNG", type=click.Path(path_type=Path))
@click.option("--map", "mapping", type=click.Path(path_type=Path), metavar=FILE, help="Ánh xạ cột trong tệp YAML.")
@click.option("--sheet", metavar="TRANG", help="Trang tính của tệp Excel.")
@click.option("--at", metavar="KỲ", help="Kỳ cần xem xét (mặc định: kỳ cuối).")
@click.option(
    "--show", type=click.IntRange(1, 1000), default=15, show_default=True, metavar="SỐ", help="Số dòng hiện ra."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Ghi một trang HTML.")
@AS_CSV
@AS_JSON
def screen(
    table: Path,
    mapping: Path | None,
    sheet: str | None,
    at: str | None,
    show: int,
    html: Path | None,
    csv_path: Path | None,
    as_json: bool,
    **options: object,
) -> None:
    """Soát một BẢNG xếp loại bất kỳ: tổ chức nào nên thẩm định lại, vì lý do gì, và điều gì không kiểm tra được.

    Mỗi dòng của BẢNG là một tổ chức và kỳ (số theo mức, hoặc --n và --k), một đối tượng được xếp loại (mức, điểm),
    một điểm kèm số lượng, hoặc một lần chấm của một người chấm. Cột được nhận theo tên, theo tùy chọn, hoặc theo tệp
    YAML có cùng các khóa; cách hiểu bảng được in ra để dùng lại.
    Chỉ so với các tổ chức cùng loại; cần hai lý do mới vào danh sách A hoặc B. Kết quả là đề nghị thẩm định lại, không
    phải kết luận. Mã thoát: 0 đã soát, 2 bảng hoặc ánh xạ không dùng được.

    \b
    Ví dụ:
      thucchat screen xep-loai.xlsx
      thucchat screen truong.csv --organisation truong --n so_hs --k so_dat --target 0,9
      thucchat screen diem.csv --organisation hoi_dong --score diem --cutoffs 50 --html trang.html
      thucchat screen giam-khao.csv --rater giam_khao --subject bai_thi --score diem --json
      thucchat screen bang.parquet --map anh-xa.yaml --csv danh-sach.csv
    """
    from ratings.signals.frames import InputError

    try:
        screened = _screened(table, sheet, at, mapping, options)
    except InputError as error:
        raise ProblemError("\n  ".join([f"{table.name}: bảng không dùng được.", *error.problems]), REFUSED) from error
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(_as_rows(screened), csv_path)
    if html:
        from reports.screen_page import screen_page

        _write(html, screen_page(screened, table.name))
    if as_json:
        _print_json(screened, table.name)
        return
    _show(screened, table.name, show)
    for path in (csv_path, html):
        if path:
            click.echo(f"Đã ghi {path}")


for _option in (*COLUMNS, *SET):
    screen = _option(screen)


def _screened(
    path: Path, sheet: str | None, at: str | None, mapping: Path | None, options: Mapping[str, object]
) -> "Screened":
    from ratings.screening import screen as screen_table
    from ratings.signals.frames import InputError
    from ratings.signals.reading import layout_of, period_of, read_layout

    given = read_layout(mapping) if mapping else {}
    layout = layout_of(**given | _typed(options))
    period = None
    if at is not None and (period := period_of(at)) is None:
        raise InputError([f"Kỳ {at} không rõ; viết dạng 2024, 2024Q1 hoặc 2024-01."])
    frame, first_line = read_table(path, sheet)
    return screen_table(frame, layout, at=period, first_line=first_line)


def _typed(options: Mapping[str, object]) -> dict[str, object]:
    """Options as the layout has them; what was not given is left out. Raises `InputError`."""
    from ratings.signals.frames import InputError
    from ratings.signals.reading import number_of

    given = {name: value for name, value in options.items() if value not in (None, False)}
    problems = []
    for name in ("target", "cap", "score_min", "score_max"):
        if name in given:
            try:
                given[name] = number_of(given[name])
            except ValueError:
                problems.append(f"--{name.replace('_', '-')}: “{given[name]}” không phải là số.")
    for name in ("cutoffs", "placebos"):
        if name in given:
            text = str(given[name])
            given[name] = (text.replace(";", " ") if ";" in text else text.replace(",", " ")).split()
    for name in ("organisation", "missing"):
        if name in given:
            given[name] = [part.strip() for part in str(given[name]).split(",") if part.strip()]
    if "levels" in given:
        parts = [part.partition("=") for part in str(given["levels"]).split(",") if part.strip()]
        given["levels"] = [level.strip() for level, _, _ in parts]
        if any(sign for _, sign, _ in parts):
            given["level_columns"] = {level.strip(): column.strip() for level, sign, column in parts if sign}
    if "evidence" in given:
        parts = [part.rpartition(":") for part in str(given["evidence"]).split(",") if part.strip()]
        given["evidence"] = {column.strip(): direction.strip() for column, _, direction in parts}
    if problems:
        raise InputError(problems)
    return given


def read_table(path: Path, sheet: str | None = None) -> "tuple[pd.DataFrame, int]":
    """A table of a CSV, Excel, OpenDocument or Parquet file, and the line of its first row.

    Cells of CSV are text, of workbooks what they hold. Workbooks pass the gate that guards the warehouse. Raises
    `InputError` where the file is none of these or holds no table.
    """
    import pandas as pd

    from ratings.signals.frames import InputError

    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise InputError([f"Không đọc được {path}: {reason(error)}."]) from error
    if start[:4] == b"PAR1":
        try:
            return pd.read_parquet(path), 1
        except (OSError, ValueError) as error:
            raise InputError(["Tệp Parquet bị hỏng."]) from error
    if start[:2] == b"PK" or start == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _through_gate(path, sheet)
    try:
        return _delimited(path), 2
    except UnicodeDecodeError:
        return _through_gate(path, sheet)  # it knows the older Vietnamese encodings


def _delimited(path: Path) -> "pd.DataFrame":
    import pandas as pd

    from ratings.signals.frames import InputError

    with path.open(encoding="utf-8-sig") as file:
        heading = file.readline()
    if "\0" in heading:
        raise InputError(["Tệp không phải là văn bản CSV, sổ tính Excel hay Parquet."])
    separator = max(SEPARATORS, key=heading.count)
    try:
        frame = pd.read_csv(
            path, sep=separator, dtype="str", encoding="utf-8-sig", keep_default_na=False, na_values=[""]
        )
    except pd.errors.ParserError as error:
        raise InputError([f"CSV có dòng lệch cột hoặc dấu ngoặc kép không đóng ({_line_of(error)})."]) from error
    except pd.errors.EmptyDataError as error:
        raise InputError(["Bảng không có dòng nào."]) from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(["CSV có nhiều ô hơn dòng tiêu đề: dữ liệu lệch cột."])
    return frame


def _line_of(error: Exception) -> str:
    import re

    found = re.search(r"line (\d+)|row (\d+)", str(error))
    return f"dòng {found[1] or found[2]}" if found else "không rõ dòng"


def _through_gate(path: Path, sheet: str | None) -> "tuple[pd.DataFrame, int]":
    import pandas as pd

    from ratings.signals.frames import InputError
    from submissions.files.limited import run_limited
    from submissions.files.source import RefusedError
    from submissions.files.taking import take

    try:
        rows = run_limited(cells_of, take(path), path.name, sheet, seconds=READ_SECONDS)
    except RefusedError as error:
        raise InputError([str(error)]) from error
    if isinstance(rows, str):
        raise InputError([rows])
    filled = [place for place, row in enumerate(rows) if sum(cell not in ("", None) for cell in row) > 1]
    if not filled:
        raise InputError(["Trang tính không có bảng nào."])
    heading = [str(cell).strip() for cell in rows[filled[0]]]
    while heading and not heading[-1]:
        heading.pop()
    width = len(heading)
    body = [[*row, *[None] * (width - len(row))][:width] for row in rows[filled[0] + 1 : filled[-1] + 1]]
    frame = pd.DataFrame(body, columns=heading, dtype="object")
    frame = frame.loc[:, [bool(name) for name in heading]]
    kept = frame.where(frame != "").dropna(how="all")
    return kept, filled[0] + 2


def cells_of(content: bytes, name: str, sheet: str | None) -> list[list[object]] | str:
    """The cells of a sheet as JSON can hold them, or why there is none; called in a limited process."""
    from submissions.files.source import open_source

    source = open_source(content, name)
    filled = [each.name for each in source.sheets if each.rows and each.visible]
    if sheet is None and len(filled) != 1:
        return f"Tệp có {len(filled)} trang có dữ liệu ({', '.join(filled[:10])}); hãy chọn bằng --sheet."
    if sheet is not None and sheet not in [each.name for each in source.sheets]:
        return f"Tệp không có trang {sheet}; các trang: {', '.join(each.name for each in source.sheets[:10])}."
    rows = source.cells(filled[0] if sheet is None else sheet)
    return [[cell if isinstance(cell, str | int | float) else _plain(cell) for cell in row] for row in rows]


def _plain(cell: object) -> str | None:
    return None if cell is None else cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProblemError(f"Không ghi được {path}: {reason(error)}.") from error


def _as_rows(screened: "Screened") -> "pd.DataFrame":
    """Every organisation with its place in the list, and its reasons in words."""
    told = screened.reasons.groupby("organisation", sort=False)["sentence"].agg("\n".join)
    frame = screened.organisations
    return frame.assign(period=screened.period_name, reasons=frame["organisation"].map(told))


def _print_json(screened: "Screened", name: str) -> None:
    signals = screened.signals
    if len(screened.organisations) > MOST_LISTED:
        signals = signals[signals["organisation"].isin(set(screened.listed["organisation"]))]
    favour = screened.favour
    answer = {
        "table": name,
        "period": screened.period,
        "period_name": screened.period_name,
        "layout": screened.layout.model_dump(mode="json", exclude_defaults=True),
        "layout_yaml": screened.layout.to_yaml(),
        "notes": list(screened.notes),
        "list": _records(screened.listed),
        "reasons": _records(screened.reasons),
        "single_signals": _records(screened.single),
        "bunching": _records(screened.bunching),
        "raters": _records(screened.raters),
        "favour": None if favour is None else _plain_values(favour._asdict()),
        "not_testable": _records(screened.not_testable),
        "budget": {
            "organisations": screened.budget.organisations,
            "tested": screened.budget.tested,
            "not_tested": screened.budget.not_tested,
            "listed": screened.budget.listed,
            "expected_false": screened.budget.expected_false,
            "centre": screened.budget.centre,
            "spread": screened.budget.spread,
            "signals": _records(screened.budget.signals),
        },
        "organisations": _records(screened.organisations),
        "signals": _records(signals),
    }
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n")  # json.dump writes piece by piece


def _records(frame: "pd.DataFrame") -> list[dict[str, object]]:
    if frame.empty:
        return []
    text = io.StringIO()
    frame.to_json(text, orient="records", force_ascii=False, double_precision=12)
    return json.loads(text.getvalue())


def _plain_values(values: Mapping[str, object]) -> dict[str, object]:
    return {name: None if value != value else value for name, value in values.items()}


def _show(screened: "Screened", name: str, most: int) -> None:
    """The answer on the screen."""
    from rich.markup import escape

    from orchestration import terminal
    from ratings.combination import NOT_TESTED
    from ratings.reasons import number
    from ratings.screening import risk_told

    def say(text: str) -> None:
        terminal.console.print(text, soft_wrap=True)

    budget = screened.budget
    say(
        f"[bold]{escape(name)}[/bold] · kỳ {escape(screened.period_name)} · {number(budget.organisations)} tổ chức, "
        f"kiểm tra được {number(budget.tested)} bằng ít nhất hai loại dấu hiệu"
    )
    for note in screened.notes:
        say(f"  {escape(note)}")
    columns = ", ".join(f"{role} = {column}" for role, column in screened.layout.columns().items())
    say(f"  Cột: {escape(columns)}")
    _show_list(screened, most, say)
    say(f"\n{risk_told(budget)}")
    if len(screened.single):
        say(f"\n[bold]Dấu hiệu đơn lẻ[/bold] ({number(len(screened.single))}; chưa đủ hai lý do)")
        for row in screened.single.head(most).to_dict("records"):
            say(f"  [bold]{escape(row['organisation'])}[/bold] ({row['name']}) {escape(row['sentence'])}")
    _show_whole(screened, most, say)
    rows = [(row["name"], row["reason"], int(row["organisations"])) for row in screened.not_testable.to_dict("records")]
    if rows:
        terminal.show_table("Không kiểm tra được", ["Dấu hiệu", "Vì", "Số tổ chức"], rows)
    for code, count in budget.not_tested.items():
        say(f"{number(count)} tổ chức không xếp được vào danh sách: {NOT_TESTED[code]}.")


def _show_list(screened: "Screened", most: int, say: Say) -> None:
    from rich.markup import escape

    from orchestration import terminal
    from ratings.combination import LISTED
    from ratings.reasons import family_names, number, percent

    names = family_names()
    listed = screened.listed.head(most)
    if listed.empty:
        say("\nKhông tổ chức nào có đủ hai lý do để vào danh sách.")
        return
    rows = [
        (
            int(row["rank"]),
            str(row["name"]),
            row["band"],
            percent(row["certainty"]) if row["band"] in LISTED else "–",
            f"{names[row['first_family']]}, {names[row['second_family']]}",
            number(row["members_above"]) if row["members_above"] == row["members_above"] else "–",
        )
        for row in listed.astype({"members_above": float}).to_dict("records")
    ]
    terminal.show_table(
        f"Danh sách đề nghị thẩm định lại ({number(len(screened.listed))})",
        ["TT", "Tổ chức", "Nhóm", "Độ tin cậy", "Hai lý do mạnh nhất", "Số vượt kỳ vọng"],
        rows,
    )
    told = screened.reasons[screened.reasons["organisation"].isin(set(listed["organisation"]))]
    for row in told.to_dict("records"):
        say(f"  [bold]{escape(row['organisation'])}[/bold] ({row['place']}. {row['name']}) {escape(row['sentence'])}")


def _show_whole(screened: "Screened", most: int, say: Say) -> None:
    """Whole distributions and raters."""
    from rich.markup import escape

    from ratings.reasons import number

    if len(screened.bunching):
        say("\n[bold]Điểm dồn trên ngưỡng[/bold] (xếp từ rõ nhất; điểm đối chứng chỉ nêu số)")
        real = screened.bunching[~screened.bunching["is_placebo"].astype(bool)]
        for row in real.sort_values("p", kind="stable").head(most).to_dict("records"):
            say(f"  {escape(row['sentence'])}")
        placebo = screened.bunching[screened.bunching["is_placebo"].astype(bool) & screened.bunching["is_testable"]]
        loud = int((placebo["p"] <= 0.05).sum())
        say(f"  Điểm đối chứng: {number(len(placebo))} phép thử, {number(loud)} có p ≤ 0,05.")
    if len(screened.raters):
        say("\n[bold]Người chấm[/bold] (xếp từ rõ nhất)")
        for sentence in screened.raters["sentence"].head(most):
            say(f"  {escape(sentence)}")
    if screened.favour is not None and screened.favour.own:
        favour = screened.favour
        say(
            f"  Mọi người chấm gộp lại: cho phía mình thêm {number(favour.effect, 2)} điểm "
            f"(z = {number(favour.z)}, {number(favour.own)} lần chấm phía mình)."
        )


COMMANDS = (screen,)
