# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""The commands that explain: ``trace`` (a figure down to its cells) and ``docs`` (the dictionary)."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.intake_commands import AS_CSV, AS_JSON
from orchestration.problems import ProblemError
from orchestration.settings import Folders, set_environment
from orchestration.vietnamese import FOLDER, OPTIONS, Vietnamese

if TYPE_CHECKING:
    from orchestration.trace import Figure

MOST_ROWS = 12
"""Cells that are shown on the screen; lists have all."""


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Truy vết một số liệu đến từng ô của tệp đã gửi.")
@click.argument("mart", metavar="BẢNG")
@click.argument("key", metavar="KHÓA")
@click.argument("column", metavar="CỘT")
@click.option("--sum", "as_total", is_flag=True, help="Cộng số đếm của mọi dòng khớp với một phần của khóa.")
@click.option("--build", metavar="MÃ", help="Bản dựng cần hỏi (mặc định: bản đang công bố).")
@AS_CSV
@AS_JSON
@click.pass_obj
def trace(
    folders: Folders,
    mart: str,
    key: str,
    column: str,
    as_total: bool,
    build: str | None,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Truy vết số liệu ở CỘT của dòng có KHÓA trong BẢNG: công thức, các dòng đã dùng, và từng tệp, trang, ô.

    KHÓA viết dạng cột=giá trị, cách nhau bằng dấu phẩy, hoặc chỉ các giá trị của khóa chính, cách nhau bằng dấu /.
    Số liệu được tính lại từ các dòng và mỗi ô được mở lại trong tệp gốc; không khớp thì không trả lời.
    Họ tên, ngày sinh và số thẻ chỉ được chỉ chỗ, không hiện. Mã thoát: 0 khớp đến từng ô, 1 không khớp hoặc không mở
    được tệp gốc, 2 không có bảng, khóa hoặc cột ấy.

    \b
    Ví dụ:
      thucchat trace rating_distribution 2025/67.012/member/XS n
      thucchat trace admission_rate year=2025,unit_code=ALL rate_pct --csv vet.csv
      thucchat trace control_totals 2025/67.012 members_present --json
      thucchat trace rating_distribution year=2025,subject_kind=member,level_code=XS n --sum
    """
    from orchestration.trace import tracing

    database = _build(folders, build) if build else None
    with tracing(folders, database) as tracer:
        found = tracer.total(mart, key, column) if as_total else tracer.figure(mart, key, column)
        figure = tracer.look_up(found)
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(figure.as_frame(), csv_path)
        click.echo(f"Đã ghi {len(figure.as_frame())} ô vào {csv_path}")
    elif as_json:
        click.echo(json.dumps(figure.as_json(), ensure_ascii=False, indent=1))
    else:
        _show(figure)
    _judge(figure)


def _build(folders: Folders, build: str) -> Path:
    path = folders.builds / f"{build}.duckdb"
    if not path.exists():
        kept = sorted(path.stem for path in folders.builds.glob("*.duckdb"))
        raise ProblemError(f"Không có bản dựng {build}. Các bản đang giữ: {', '.join(kept) or 'không có'}.", 2)
    return path


def _show(figure: "Figure", depth: int = 0) -> None:
    """The chain from the figure down, on the screen."""
    from rich.markup import escape

    from orchestration import terminal
    from orchestration.trace import told

    say = terminal.console.print
    pad = "  " * depth
    say(f"{pad}[bold]{figure.mart} · {escape(figure.key)} · {figure.column} = {told(figure.value)}[/bold]",
        soft_wrap=True)  # fmt: skip
    say(f"{pad}{escape(figure.description)}", soft_wrap=True)
    say(f"{pad}Công thức: {escape(figure.formula)}", soft_wrap=True)
    counted = "số liệu thành phần" if figure.parts else "dòng"
    say(f"{pad}Tính lại từ {terminal.number(figure.rows)} {counted}: {told(figure.recomputed)} (khớp)", soft_wrap=True)
    for part in figure.parts:
        _show(part, depth + 1)
    if not figure.places:
        return
    rows = [
        (
            place.file or "",
            " ".join(str(one) for one in (place.unit_code, place.year) if one is not None),
            "" if place.sending is None else str(place.sending),
            place.sheet,
            place.cell,
            place.column,
            terminal.hidden(place.value) if place.value is not None else "(chỉ chỉ chỗ)",
            "khớp" if place.agrees else place.problem,
        )
        for place in figure.places[:MOST_ROWS]
    ]
    more = len(figure.places) - len(rows)
    names = ["Tệp", "Đơn vị, năm", "Lần gửi", "Trang", "Ô", "Cột", "Giá trị trong tệp", "Đối chiếu với kho"]
    terminal.show_table(f"{pad}Các ô của {figure.column}", names, rows)
    if more:
        say(f"{pad}… và {terminal.number(more)} ô nữa; xem hết: thêm --csv vet.csv hoặc --json", soft_wrap=True)


def _judge(figure: "Figure") -> None:
    """End with 1 where cells could not be proven."""
    unproven = [place for _, place in figure.every_place() if not place.agrees]
    if unproven:
        first = unproven[0]
        where = f"trang “{first.sheet}”, ô {first.cell}" if first.sheet else first.record.split("#")[0]
        problem = first.problem or "giá trị trong tệp khác với kho"
        click.echo(
            f"Lỗi: {len(unproven)} ô không chứng minh được; ô đầu tiên: lần gửi {str(first.source_hash)[:12]}, "
            f"{where}: {problem}.",
            err=True,
        )
        sys.exit(1)


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Lập từ điển dữ liệu để xem không cần mạng.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar=FOLDER,
    help="Thư mục ghi ra (mặc định: docs trong thư mục dữ liệu).",
)
@click.pass_obj
def docs(folders: Folders, out: Path | None) -> None:
    """Lập từ điển dữ liệu: mô tả mọi bảng và cột, sơ đồ nguồn gốc, và tiêu đề của biểu đi vào cột nào của kho.

    Một trang nêu từng điều mà bài viết về Chương trình 12 hỏi, với chỉ số trả lời và định nghĩa của nó. Các trang
    mở được bằng trình duyệt mà không cần mạng. Không có số liệu nào của đơn vị trong đó.

    \b
    Ví dụ:
      thucchat docs
      thucchat docs --out /tmp/tu-dien
    """
    from orchestration import dictionary

    set_environment(folders)
    place = dictionary.write(folders, out or folders.data / "docs")
    click.echo(f"Từ điển dữ liệu: {place}")


COMMANDS = (trace, docs)
