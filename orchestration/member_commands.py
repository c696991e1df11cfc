# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""Commands about members with two keys, added to ``thucchat``; no name and no card number is ever shown."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.intake_commands import AS_CSV, BY, REASON
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from orchestration.vietnamese import OPTIONS, VietnameseGroup

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from orchestration.identities import Desk

SHOWN = 20
"""Proposals that the screen shows."""

SHORT = 10
"""Signs of a key that the screen shows: no two of a province's are alike, and it is no card number's length."""

KEY = "KHÓA"
PAIR = (click.argument("first", metavar=KEY), click.argument("second", metavar=KEY))


@click.group(
    cls=VietnameseGroup, options_metavar=OPTIONS, short_help="Đảng viên có hai khóa vì số thẻ đổi hoặc ghi sai."
)
def members() -> None:
    """Đề xuất, xác nhận, hủy việc hai khóa đảng viên là của cùng một người (số thẻ đã đổi hoặc ghi sai).

    Máy chỉ đề xuất; người có thẩm quyền quyết định, và quyết định nào cũng hủy được. Màn hình không hiện họ tên,
    ngày sinh, số thẻ: xem trong tệp của đơn vị theo trang và dòng được chỉ ra.

    \b
    Ví dụ:
      thucchat members propose
      thucchat members confirm 3f2a91c04d 8be04d1722 --by "Ban Tổ chức Tỉnh ủy" --reason "đổi thẻ năm 2024"
      thucchat members list
    """


@members.command(options_metavar=OPTIONS, short_help="Đề xuất các cặp khóa có thể là cùng một người.")
@click.option("--unit", metavar="ĐƠN_VỊ", help="Chỉ các cặp có một khóa ở đơn vị này.")
@click.option(
    "--least",
    type=click.IntRange(1, 99),
    default=50,
    show_default=True,
    metavar="ĐIỂM",
    help="Chỉ các cặp từ ĐIỂM trở lên.",
)
@AS_CSV
@click.pass_obj
def propose(folders: Folders, unit: str | None, least: int, csv_path: Path | None) -> None:
    """Đọc lại tệp gốc trong bộ nhớ và đề xuất các cặp khóa có thể là cùng một người, kèm điểm và lý do.

    Điểm là khả năng hai khóa là một người, tính bằng phần trăm. Cặp đã quyết định thì không đề xuất lại.

    \b
    Ví dụ:
      thucchat members propose
      thucchat members propose --unit 67.003 --least 80
      thucchat members propose --csv de-xuat.csv
    """
    from orchestration import terminal

    with _at_work(folders) as desk:
        found = desk.proposals(least)
        unread = len(desk.unread)
    if unit is not None:
        found = found[(found["unit_code_a"] == unit) | (found["unit_code_b"] == unit)]
    if unread:
        click.echo(f"Cảnh báo: {unread} tệp gốc không đọc lại được; người trong các tệp đó chỉ so theo kho.", err=True)
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(found.assign(reasons=found["reasons"].map(_in_words)), csv_path)
        _say(f"Đã ghi {len(found)} cặp vào {csv_path}")
        return
    if found.empty:
        _say("Không có cặp khóa nào có thể là cùng một người.")
        return
    more = f" (hiện {SHOWN}; đủ cả: --csv TỆP)" if len(found) > SHOWN else ""
    _say(f"{terminal.number(len(found))} cặp khóa có thể là cùng một người{more}")
    for row in found.head(SHOWN).to_dict("records"):
        _say(f"\n{row['score']} điểm: {_in_words(row['reasons'])}")
        for side in "ab":
            _say(f"  {_place(row, side)}")
    first = found.iloc[0]
    keys = f"{first['key_a'][:SHORT]} {first['key_b'][:SHORT]}"
    _say(f"\nCùng một người: thucchat members confirm {keys} --by CƠ_QUAN --reason LÝ_DO")
    _say(f"Hai người khác nhau: thucchat members not-same {keys} --by CƠ_QUAN --reason LÝ_DO")


def _pair(command: click.Command) -> click.Command:
    for decorate in (REASON, BY, *reversed(PAIR)):
        command = decorate(command)
    return command


@members.command(options_metavar=OPTIONS, short_help="Xác nhận hai khóa là cùng một người.")
@_pair
@click.pass_obj
def confirm(folders: Folders, first: str, second: str, by: str, reason: str) -> None:
    """Xác nhận hai KHÓA là cùng một người: từ lần dựng sau, mọi bảng dùng khóa có trong danh sách sớm hơn.

    Không gộp được hai khóa có trong danh sách của một đơn vị trong cùng một năm, hoặc đang sinh hoạt ở hai đơn vị.

    \b
    Ví dụ:
      thucchat members confirm 3f2a91c04d 8be04d1722 --by "Ban Tổ chức Tỉnh ủy" --reason "đổi thẻ năm 2024"
    """
    from submissions.register import identities as register

    with _at_work(folders) as desk:
        pair = desk.pair(first, second)
        if clashes := desk.clashes(pair):
            raise ProblemError(f"Không thể là một người: {'; '.join(map(str, clashes))}.")
        score, reasons = desk.evidence(pair)
        years = tuple(desk.first_year(key) for key in pair)
        register.confirm(desk.log, *pair, by=by, reason=reason, first=years, score=score, reasons=reasons)
    _settle(folders)
    if score is None:
        click.echo("Lưu ý: máy không đề xuất cặp này; quyết định được ghi không kèm điểm.", err=True)
    _say(f"{_both(pair)} là cùng một người từ lần dựng sau (thucchat build).")


@members.command("not-same", options_metavar=OPTIONS, short_help="Ghi rằng hai khóa là hai người khác nhau.")
@_pair
@click.pass_obj
def not_same(folders: Folders, first: str, second: str, by: str, reason: str) -> None:
    """Ghi rằng hai KHÓA là hai người khác nhau; cặp này không được đề xuất lại.

    \b
    Ví dụ:
      thucchat members not-same 3f2a91c04d 8be04d1722 --by "Ban Tổ chức Tỉnh ủy" --reason "hai chị em"
    """
    from submissions.register import identities as register

    with _at_work(folders) as desk:
        pair = desk.pair(first, second)
        score, reasons = desk.evidence(pair)
        register.reject(desk.log, *pair, by=by, reason=reason, score=score, reasons=reasons)
    _say(f"{_both(pair)} là hai người khác nhau; không đề xuất lại.")


@members.command(options_metavar=OPTIONS, short_help="Hủy quyết định về hai khóa.")
@_pair
@click.pass_obj
def undo(folders: Folders, first: str, second: str, by: str, reason: str) -> None:
    """Hủy quyết định (là một người, hoặc là hai người) về hai KHÓA; số liệu trở lại như chưa có quyết định đó.

    \b
    Ví dụ:
      thucchat members undo 3f2a91c04d 8be04d1722 --by "Ban Tổ chức Tỉnh ủy" --reason "xác minh lại: hai người"
    """
    from submissions.register import identities as register

    with _at_work(folders) as desk:
        pair = desk.pair(first, second)
        register.undo(desk.log, *pair, by=by, reason=reason)
    _settle(folders)
    _say(f"Đã hủy quyết định về {_both(pair)}; số liệu trở lại từ lần dựng sau (thucchat build).")


@members.command("list", options_metavar=OPTIONS, short_help="Các cặp khóa đã quyết định.")
@AS_CSV
@click.pass_obj
def listed(folders: Folders, csv_path: Path | None) -> None:
    """Liệt kê các cặp khóa đã quyết định, ai, vì sao; cặp nào báo cáo gửi sau làm cho không còn hợp lệ.

    \b
    Ví dụ:
      thucchat members list
    """
    from orchestration import terminal

    with _at_work(folders) as desk:
        found = desk.decided()
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(found, csv_path)
        _say(f"Đã ghi {len(found)} quyết định vào {csv_path}")
    elif found.empty:
        _say("Chưa có quyết định nào về các khóa đảng viên.")
    else:
        terminal.show_table(
            "Quyết định về các khóa đảng viên",
            ["Khóa", "Khóa", "Quyết định", "Điểm", "Người quyết định", "Lý do", "Lúc", "Không còn hợp lệ vì"],
            [
                (row.key_a[:SHORT], row.key_b[:SHORT], row.state, *map(terminal.hidden, said), row.clash)
                for row in found.itertuples()
                for said in [
                    (row.score, row.by, row.reason, f"{row.decided_at.tz_convert(terminal.LOCAL):%d/%m/%Y %H:%M}")
                ]
            ],
        )


COMMANDS = (members,)


def _at_work(folders: Folders) -> "AbstractContextManager[Desk]":
    from orchestration.identities import at_work

    return at_work(folders)


def _place(row: dict[str, object], side: str) -> str:
    """Where a key stands, so that the clerk finds it in the workbook."""
    from orchestration import terminal

    key, unit, cell, years = (row[f"{name}_{side}"] for name in ("key", "unit_code", "cell_code", "years"))
    cell = f" · chi bộ {cell}" if isinstance(cell, str) else ""
    place = f"báo cáo năm {row[f'year_{side}']}, trang “{row[f'sheet_{side}']}”, dòng {row[f'row_{side}']}"
    return terminal.hidden(f"{key[:SHORT]}  {unit}{cell} · năm {years} · xem {place}")


def _in_words(reasons: "Iterable[str]") -> str:
    from submissions.identities import REASONS

    return "; ".join(REASONS.get(code, code) for code in reasons)


def _both(pair: tuple[str, str]) -> str:
    return " và ".join(key[:SHORT] for key in pair)


def _settle(folders: Folders) -> None:
    """Give the warehouse the register as it now stands."""
    from orchestration import taking_in

    taking_in.take_in_files([], folders)


def _say(text: str) -> None:
    from orchestration import terminal

    terminal.console.print(text, soft_wrap=True, markup=False)
