# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""Commands about builds, added to ``thucchat``: which there are, how two differ, publishing, going back."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.intake_commands import AS_CSV, BY, REASON
from orchestration.problems import ProblemError
from orchestration.settings import Folders, set_environment, settings
from orchestration.vietnamese import OPTIONS, Vietnamese

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from orchestration.comparison import Comparison
    from orchestration.rebuilding import Made
    from orchestration.releases import Release

BUILD = "MÃ_BẢN_DỰNG"

SHOWN = 30
"""Rows of a table that the screen shows."""

NAMES = {
    "build": "Bản dựng", "base": "Thay bản", "made_at": "Dựng lúc", "state": "Trạng thái",
    "sendings": "Lần gửi được tính", "rows": "Số dòng", "published_at": "Công bố lúc", "is_there": "Còn tệp",
    "note": "Ghi chú", "table": "Bảng", "kind": "Thay đổi", "figure": "Số liệu", "unit_code": "Đơn vị", "year": "Năm",
    "column": "Cột", "before": "Trước", "after": "Sau", "from": "Từ", "to": "Thành", "cause": "Nguyên nhân",
    "by": "Người quyết định", "at": "Lúc", "n": "Số dòng",
}  # fmt: skip
"""What columns are called on the screen."""

EVERY = "(mọi)"
"""Where a change is of no unit or year in particular."""


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Các bản dựng của kho: bản nào đang phục vụ.")
@click.pass_obj
def builds(folders: Folders) -> None:
    """Liệt kê mọi bản dựng của kho, bản nào đang phục vụ, bản nào chờ chấp nhận và vì sao.

    Nội dung từng bản được đối chiếu với hồ sơ dựng và sổ đăng ký; mã thoát là 1 nếu có bản đã bị sửa.

    \b
    Ví dụ:
      thucchat builds
    """
    from orchestration import releases, terminal

    found = releases.listed(folders)
    if found.empty:
        raise ProblemError("Chưa có bản dựng nào. Hãy chạy: thucchat build")
    shown = found[list(releases.LISTED)]
    _show("Các bản dựng", shown.assign(is_there=shown["is_there"].map({True: "có", False: "không"})))
    waiting = found.loc[found["state"].str.startswith("chờ"), "build"]
    if len(waiting):
        short = waiting.iloc[-1][:8]
        terminal.console.print(
            f"Xem thay đổi: thucchat diff; chấp nhận: thucchat publish {short} --by CƠ_QUAN --reason LÝ_DO",
            soft_wrap=True,
        )
    wrong = [*found["wrong"].dropna(), *releases.what_is_wrong(folders), releases.fault_of_register(folders)]
    for one in dict.fromkeys(filter(None, wrong)):
        terminal.console.print(f"[bold red]ĐÃ BỊ SỬA[/bold red] {terminal.escape(one)}", soft_wrap=True)
    sys.exit(1 if any(wrong) else 0)


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="So hai bản dựng: đổi gì, ở đâu, vì lần gửi nào.")
@click.argument("before", required=False, metavar=f"[{BUILD}]")
@click.argument("after", required=False, metavar=f"[{BUILD}]")
@click.option("--table", "table", metavar="BẢNG", help="Chỉ một bảng, kèm từng giá trị đã đổi.")
@AS_CSV
@click.pass_obj
def diff(folders: Folders, before: str | None, after: str | None, table: str | None, csv_path: Path | None) -> None:
    """So bản dựng thứ hai với bản thứ nhất: cấu trúc, số dòng, giá trị, theo đơn vị và năm, kèm lần gửi gây ra.

    Bỏ trống cả hai: so bản đang chờ chấp nhận với bản đang công bố. Chỉ ghi một: so bản đó với bản đang công bố.
    Mã thoát là 1 nếu có thay đổi không do lần gửi hay quyết định nào.

    \b
    Ví dụ:
      thucchat diff
      thucchat diff 3f2a91c0 8be04d17 --table rating_distribution
      thucchat diff 3f2a91c0 8be04d17 --csv thay-doi.csv
    """
    from orchestration import releases, terminal
    from orchestration.warehouse import published_build

    if after is None:
        before, after = None, before or releases.pending(folders)
        if after is None:
            raise ProblemError("Không có bản dựng nào chờ chấp nhận. Xem: thucchat builds", releases.USAGE)
    first = published_build(folders) if before is None else releases.full_id(before, folders)
    second = releases.full_id(after, folders)
    if first == second:
        raise ProblemError(f"Hai bản dựng là một: {first}.", releases.USAGE)
    found = releases.difference(first, second, folders, only=table)
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(found.changes.drop(columns="is_figure"), csv_path)
        terminal.console.print(f"Đã ghi {len(found.changes)} thay đổi vào {csv_path}", soft_wrap=True)
    else:
        _show_comparison(found, with_values=table is not None)
    sys.exit(1 if found.unexplained else 0)


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Công bố một bản dựng, chấp nhận mọi thay đổi.")
@click.argument("build", required=False, metavar=f"[{BUILD}]")
@BY
@REASON
@click.pass_obj
def publish(folders: Folders, build: str | None, by: str, reason: str) -> None:
    """Công bố bản dựng đang chờ (hoặc MÃ_BẢN_DỰNG), chấp nhận những thay đổi không do lần gửi nào, và thôi ghim.

    Người quyết định, lý do và từng số liệu đã công bố bị đổi được ghi vào sổ đăng ký.

    \b
    Ví dụ:
      thucchat publish --by "Ban Tổ chức Tỉnh ủy" --reason "quy tắc mới theo Quy định 366"
      thucchat publish 8be04d17 --by "Ban Tổ chức Tỉnh ủy" --reason "đã rà soát"
    """
    from orchestration import releases

    set_environment(folders)
    wanted = releases.full_id(build, folders) if build else None
    _say_release(releases.publish(wanted, folders, by=by, reason=reason), folders, "Đã công bố")


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Trở về bản đã công bố trước và ghim lại đó.")
@click.argument("build", required=False, metavar=f"[{BUILD}]")
@BY
@REASON
@click.pass_obj
def rollback(folders: Folders, build: str | None, by: str, reason: str) -> None:
    """Phục vụ lại bản được công bố trước bản hiện nay (hoặc MÃ_BẢN_DỰNG) và ghim ở đó.

    Khi đã ghim, các lần chạy sau vẫn dựng nhưng không tự công bố, cho đến khi có lệnh publish.

    \b
    Ví dụ:
      thucchat rollback --by "Ban Tổ chức Tỉnh ủy" --reason "số liệu 67.003 đang xác minh"
    """
    from orchestration import releases

    set_environment(folders)
    wanted = releases.full_id(build, folders) if build else None
    _say_release(releases.rollback(wanted, folders, by=by, reason=reason), folders, "Đã trở về và ghim ở")


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Các số liệu đã công bố rồi bị đổi, và vì sao.")
@click.option("--unit", metavar="ĐƠN_VỊ", help="Chỉ một đơn vị.")
@click.option("--year", type=click.IntRange(1900, 2199), metavar="NĂM", help="Chỉ một năm.")
@AS_CSV
@click.pass_obj
def restatements(folders: Folders, unit: str | None, year: int | None, csv_path: Path | None) -> None:
    """Liệt kê những số liệu của đơn vị và của tỉnh đã công bố rồi bị đổi: từ, thành, nguyên nhân, ai, lúc nào.

    \b
    Ví dụ:
      thucchat restatements
      thucchat restatements --unit 67.003 --year 2025 --csv so-lieu-doi.csv
    """
    from orchestration import releases, terminal

    found = releases.restatements(folders, unit=unit, year=year)
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(found, csv_path)
        terminal.console.print(f"Đã ghi {len(found)} số liệu vào {csv_path}", soft_wrap=True)
    else:
        _show("Số liệu đã công bố bị đổi", found.drop(columns=["base", "build"]).tail(SHOWN), of=len(found))


COMMANDS = (builds, diff, publish, rollback, restatements)


def make_as_known(folders: Folders, day: "date") -> None:
    """Build what was known at the end of a day; readers keep what they have."""
    from orchestration import rebuilding

    set_environment(folders)
    _say_made(rebuilding.as_known(folders, day), folders)


def make_again(folders: Folders, begin: str) -> None:
    """Make a build again from its manifest."""
    from orchestration import rebuilding, releases

    set_environment(folders)
    _say_made(rebuilding.again(folders, releases.full_id(begin, folders)), folders)


def _say_made(made: "Made", folders: Folders) -> None:
    from orchestration import releases, terminal

    terminal.console.print(f"[bold]{made.title}[/bold]: bản dựng {made.build_id}", soft_wrap=True)
    terminal.console.print(f"  Tệp: {made.path}", soft_wrap=True)
    terminal.console.print(f"  {made.said}", soft_wrap=True)
    if releases.served_id(folders) not in (None, made.build_id):
        terminal.console.print(f"  So với bản đang công bố: thucchat diff {made.build_id[:8]}", soft_wrap=True)


def _say_release(release: "Release", folders: Folders, done: str) -> None:
    from orchestration import terminal

    found = release.comparison
    terminal.console.print(f"{done} bản dựng [bold]{release.manifest.build_id}[/bold]", soft_wrap=True)
    if found is not None:
        rows = sum(table.rows for table in found.tables)
        terminal.console.print(
            f"  Khác bản {found.before}: {len(found.tables)} bảng, {terminal.number(rows)} dòng; "
            f"{terminal.number(release.restated)} số liệu đã công bố bị đổi (thucchat restatements)",
            soft_wrap=True,
        )
    follow(folders, release)


def follow(folders: Folders, release: "Release | None" = None) -> None:
    """Make the packs follow what is published, say so, and let the Dagster UI show it, too."""
    import dagster as dg

    from orchestration import lock, publications, terminal
    from orchestration.defs import packs
    from orchestration.instance import open_instance

    with lock.hold(folders.lock, "làm lại tập biểu đồ"):
        written, problems = publications.follow(folders, settings().province)
    for path in written:
        terminal.console.print(f"  Tập biểu đồ đã làm lại: {path}", soft_wrap=True)
    for problem in problems:
        click.echo(f"Cảnh báo: tập biểu đồ chưa làm lại được: {problem}", err=True)
    with open_instance(folders) as instance:
        if release is not None:
            shown = dg.AssetMaterialization(["published"], metadata=release.told)
            instance.report_runless_asset_event(shown)
        for path in sorted(folders.packs.glob("*/*.pdf")):
            pack = next((pack for pack in packs.PACKS.values() if path.name.startswith(f"{pack.name}-")), None)
            if pack is not None:
                shown = dg.AssetMaterialization(packs.key(pack), metadata=packs.told(pack, path, folders))
                instance.report_runless_asset_event(shown)


def _show_comparison(found: "Comparison", *, with_values: bool) -> None:
    from orchestration import terminal

    if found.is_empty:
        terminal.console.print(f"Bản {found.after} giống hệt bản {found.before} ở mọi bảng.", soft_wrap=True)
    else:
        terminal.show_table(
            f"Bản {found.after} so với bản {found.before}",
            ["Bảng", "Cấu trúc", "Dòng trước", "Dòng sau", "Thêm", "Mất", "Đổi"],
            [
                (one.table, ", ".join(one.columns), one.rows_before, one.rows_after, one.added, one.gone, one.changed)
                for one in found.tables
            ],
        )
        _show_groups(found)
    if inputs := found.causes.inputs():
        more = f" (hiện {SHOWN} trên {terminal.number(len(inputs))})" if len(inputs) > SHOWN else ""
        shown = [tuple(map(terminal.hidden, one)) for one in inputs[:SHOWN]]
        terminal.show_table(f"Đầu vào khác nhau giữa hai bản{more}", ["Loại", "Khác nhau"], shown)
    if with_values:
        _show("Giá trị đã đổi", _named_kinds(found.changes.drop(columns=["is_figure", "table", "cause_kind"])))
    reasons = found.reasons()
    if reasons:
        terminal.console.print("\n[bold red]Không do lần gửi hay quyết định nào[/bold red]", soft_wrap=True)
    for reason in reasons:
        terminal.console.print(f"  {terminal.escape(terminal.hidden(reason))}", soft_wrap=True)


def _show_groups(found: "Comparison") -> None:
    """Rows that differ by unit and year, with what explains them."""
    groups = found.groups.assign(
        unit_code=found.groups["unit_code"].fillna(EVERY),
        year=found.groups["year"].astype("str").replace("<NA>", EVERY),
        cause=found.groups["cause"].where(found.groups["cause_kind"].notna(), "KHÔNG RÕ: " + found.groups["cause"]),
    )
    by_place = groups.groupby(["unit_code", "year", "cause"], sort=True).agg(
        tables=("table", "nunique"), n=("n", "sum")
    )
    from orchestration import terminal

    terminal.show_table(
        "Theo đơn vị và năm",
        ["Đơn vị", "Năm", "Số bảng", "Số dòng", "Nguyên nhân"],
        [
            (unit, year, int(row.tables), int(row.n), terminal.hidden(cause))
            for (unit, year, cause), row in zip(by_place.index, by_place.itertuples(), strict=True)
        ],
    )


def _named_kinds(frame: "pd.DataFrame") -> "pd.DataFrame":
    from orchestration.comparison import KINDS

    return frame.assign(kind=frame["kind"].map(KINDS))


def _show(title: str, frame: "pd.DataFrame", *, of: int | None = None) -> None:
    """The first rows of a list, columns named in Vietnamese."""
    import pandas as pd

    from orchestration import terminal

    total = len(frame) if of is None else of
    if total == 0:
        terminal.console.print(f"{title}: không có.", soft_wrap=True)
        return
    shown = frame.head(SHOWN)
    more = f" (hiện {len(shown)} trên {terminal.number(total)}; đủ cả: --csv TỆP)" if len(shown) < total else ""

    def cell(value: object) -> object:
        if isinstance(value, pd.Timestamp):
            local = value.tz_localize("UTC") if value.tzinfo is None else value
            return f"{local.tz_convert(terminal.LOCAL):%d/%m/%Y %H:%M}"
        if pd.isna(value):
            return ""
        value = value.item() if hasattr(value, "item") else value  # of a column in which some are missing
        return value if isinstance(value, int | float) and not isinstance(value, bool) else terminal.hidden(value)

    terminal.show_table(
        f"{title}{more}",
        [NAMES.get(column, column) for column in shown.columns],
        [tuple(map(cell, row)) for row in shown.itertuples(index=False, name=None)],
    )
