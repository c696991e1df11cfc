# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""Commands of the intake, added to ``thucchat``: checking before sending, templates, the register, forms that drift."""

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import click

from orchestration.problems import ProblemError
from orchestration.settings import Folders, settings
from orchestration.vietnamese import FILE, FOLDER, OPTIONS, Vietnamese, VietnameseGroup

CLEAN, ISSUES, REFUSED, OWN_FAULT = 0, 1, 2, 3
"""Exit codes of ``check`` and ``inspect``; the gravest of several files counts."""

FILES = click.argument("paths", nargs=-1, required=True, metavar=f"{FILE}...", type=click.Path(path_type=Path))
UNIT = click.argument("unit", metavar="ĐƠN_VỊ")
YEAR = click.argument("year", metavar="NĂM", type=click.IntRange(1900, 2199))
BY = click.option("--by", required=True, metavar="AI", help="Cơ quan hoặc người quyết định.")
REASON = click.option("--reason", required=True, metavar="LÝ_DO", help="Lý do.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="In ra JSON.")
AS_CSV = click.option(
    "--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Ghi ra CSV."
)


class Day(click.ParamType):
    """A day, as ``dd/mm/yyyy`` or ``yyyy-mm-dd``."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day; fails in Vietnamese."""
        from submissions.values import parse_date

        day, fault = (value, None) if isinstance(value, date) else parse_date(value)
        if fault is not None:
            self.fail("cần một ngày dạng dd/mm/yyyy", param, ctx)
        return day


class Share(click.ParamType):
    """A share, as ``0,05`` or ``0.05``."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share; fails in Vietnamese."""
        try:
            return float(str(value).replace(",", "."))
        except ValueError:
            self.fail("cần một số, ví dụ 0,05", param, ctx)


@click.command(
    cls=Vietnamese, options_metavar=OPTIONS, short_help="Kiểm tra tệp trước khi gửi: đúng câu trả lời sẽ nhận."
)
@FILES
@AS_JSON
@click.option(
    "--annotate",
    type=click.Path(file_okay=False, path_type=Path),
    metavar=FOLDER,
    is_flag=False,
    flag_value=Path(),
    help="Ghi bản đánh dấu lỗi vào THƯ_MỤC (không ghi THƯ_MỤC: cạnh tệp được kiểm tra).",
)
@click.pass_obj
def check(folders: Folders, paths: tuple[Path, ...], as_json: bool, annotate: Path | None) -> None:
    """Kiểm tra TỆP như khi tiếp nhận, không gửi đi đâu và không ghi gì vào kho.

    Nhiều tệp thì còn được đối chiếu với nhau. Có dữ liệu năm trước trong thư mục dữ liệu thì được so với năm trước.
    Mã thoát: 0 không có lỗi, 1 có ô phải sửa hoặc giải trình, 2 tệp bị trả lại hoặc bị giữ, 3 lỗi của chương trình.

    \b
    Ví dụ:
      thucchat check bao-cao-2025.xlsx
      thucchat check huyen-a.xlsx huyen-b.xlsx --annotate
      thucchat check bao-cao-2025.xlsx --json > tra-loi.json
    """
    from submissions.checking import check as check_files
    from submissions.register.log import RegisterError
    from submissions.units import ListError

    missing = [str(path) for path in paths if not path.exists() and not path.is_symlink()]
    if missing:
        raise ProblemError(f"Không tìm thấy: {', '.join(missing)}", REFUSED)
    try:
        replies = check_files(
            paths, data=folders.data, register=settings().register, copies=None if annotate is None else annotate
        )
    except (ListError, RegisterError) as error:
        raise ProblemError(str(error), OWN_FAULT) from error
    if as_json:
        files = [reply.as_json() | {"annotated": [str(path) for path in written]} for reply, written in replies]
        click.echo(json.dumps({"files": files}, ensure_ascii=False, indent=1))
    else:
        from orchestration import terminal

        terminal.show_replies(replies)
    sys.exit(max(reply.exit_code for reply, _ in replies))


@click.command(
    cls=Vietnamese, options_metavar=OPTIONS, short_help="Xem một tệp bất kỳ: loại, các trang, điều dễ đọc nhầm."
)
@click.argument("path", metavar=FILE, type=click.Path(path_type=Path))
@AS_JSON
@click.option("--cells", is_flag=True, help="Kèm mọi ô như sẽ được đọc.")
@click.pass_obj
def inspect(folders: Folders, path: Path, as_json: bool, cells: bool) -> None:
    """Đưa TỆP qua cổng kiểm soát và bộ đọc, không cần bộ biểu nào.

    Các mã được giải thích trong docs/hazards.md. Mã thoát: 0 đọc được, 1 đọc được nhưng có điều dễ đọc nhầm,
    2 không đọc được, 3 lỗi của chương trình.

    \b
    Ví dụ:
      thucchat inspect la.xls
      thucchat inspect la.xlsx --json --cells
    """
    from submissions.files.inspection import inspect_file

    found = inspect_file(path)
    if as_json:
        click.echo(json.dumps(found.to_json(cells=cells), ensure_ascii=False, indent=None if cells else 1))
    else:
        from orchestration import terminal

        terminal.show_inspection(found, cells=cells)
    sys.exit(REFUSED if found.refusal else ISSUES if found.hazards else CLEAN)


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Lập tệp mẫu của một đơn vị cho một năm.")
@click.option("--unit", required=True, metavar="ĐƠN_VỊ", help="Mã đơn vị, ví dụ 67.001.")
@click.option("--year", required=True, type=click.IntRange(1900, 2199), metavar="NĂM", help="Năm báo cáo.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Tên tệp ghi ra.")
@click.pass_obj
def template(folders: Folders, unit: str, year: int, out: Path | None) -> None:
    """Lập tệp mẫu của ĐƠN_VỊ cho NĂM, điền sẵn tổ chức và đảng viên của năm trước nếu kho có.

    \b
    Ví dụ:
      thucchat template --unit 67.001 --year 2026
      thucchat template --unit 67.001 --year 2026 --out mau-2026.xlsx
    """
    from orchestration import registers

    _warn_of(folders, unit)
    path = out or Path(f"Bieu_mau_{Path(unit).name}_{year}.xlsx")
    _say(f"Đã ghi {path}: {registers.write_template(path, folders, unit, year)}")


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Khác nhau giữa hai lần gửi của một đơn vị.")
@UNIT
@YEAR
@click.option("--from", "first", type=int, metavar="SỐ", help="Lần gửi trước (mặc định: lần áp chót).")
@click.option("--to", "second", type=int, metavar="SỐ", help="Lần gửi sau (mặc định: lần cuối).")
@AS_CSV
@AS_JSON
@click.pass_obj
def changes(
    folders: Folders, unit: str, year: int, first: int | None, second: int | None, csv_path: Path | None, as_json: bool
) -> None:
    """So hai lần gửi của ĐƠN_VỊ cho NĂM: dòng thêm, dòng bớt, ô thay đổi.

    \b
    Ví dụ:
      thucchat changes 67.001 2025
      thucchat changes 67.001 2025 --from 1 --to 3 --csv khac.csv
    """
    from orchestration import registers

    with registers.open_register(folders, make=False) as log:
        found, about = registers.compare(folders, log, unit, year, first, second)
    _show(found, about, csv_path, as_json)


@click.group(cls=VietnameseGroup, options_metavar=OPTIONS, short_help="Biểu đổi khác: tiêu đề mới cần người xác nhận.")
def forms() -> None:
    """Các bộ biểu, và tiêu đề đã được người có trách nhiệm xác nhận là tên khác của một cột.

    \b
    Ví dụ:
      thucchat forms list
      thucchat forms adopt B12-2025 "Biểu 3" card_no "Số thẻ mới" --by "Ban Tổ chức Tỉnh ủy"
    """


@forms.command("adopt", options_metavar=OPTIONS, short_help="Nhận một tiêu đề mới là tên khác của một cột.")
@click.argument("form_set", metavar="BỘ_BIỂU")
@click.argument("form", metavar="BIỂU")
@click.argument("column", metavar="CỘT")
@click.argument("heading", metavar="TIÊU_ĐỀ")
@BY
@click.pass_obj
def adopt(folders: Folders, form_set: str, form: str, column: str, heading: str, by: str) -> None:
    """Ghi rằng TIÊU_ĐỀ là tên khác của CỘT trong BIỂU; các tệp bị trả lại vì tiêu đề này sẽ được đọc lại.

    \b
    Ví dụ:
      thucchat forms adopt B12-2025 "Biểu 3" card_no "Số thẻ Đảng viên mới" --by "Ban Tổ chức Tỉnh ủy"
    """
    from orchestration import registers
    from submissions import drift
    from submissions.register.log import Event

    now = datetime.now(UTC)
    try:
        is_new = drift.adopt(folders.data, form_set, form, column, heading, by=by, at=now)
    except drift.AdoptionError as error:
        raise ProblemError(str(error)) from error
    if not is_new:
        _say(f"“{heading}” đã là tên của cột {column}, {form}; không có gì thay đổi.")
        return
    with registers.open_register(folders) as log:
        body = {"form_set": form_set, "form": form, "column": column, "heading": heading, "by": by}
        key = f"heading_adopted:{form_set}:{form}:{column}:{heading}:{now.isoformat()}"
        log.append([Event("heading_adopted", key, body=body)])
    _say(f"Đã nhận “{heading}” là tên khác của cột {column}, {form}. Hãy chạy lại: thucchat intake NƠI...")


@forms.command("remove", options_metavar=OPTIONS, short_help="Bỏ một tiêu đề đã nhận.")
@click.argument("form_set", metavar="BỘ_BIỂU")
@click.argument("form", metavar="BIỂU")
@click.argument("column", metavar="CỘT")
@click.argument("heading", metavar="TIÊU_ĐỀ")
@BY
@click.pass_obj
def remove(folders: Folders, form_set: str, form: str, column: str, heading: str, by: str) -> None:
    """Thôi coi TIÊU_ĐỀ là tên khác của CỘT trong BIỂU; ai nhận và ai bỏ vẫn còn ghi lại.

    \b
    Ví dụ:
      thucchat forms remove B12-2025 "Biểu 3" card_no "Số thẻ Đảng viên mới" --by "Ban Tổ chức Tỉnh ủy"
    """
    from submissions import drift

    try:
        is_gone = drift.remove(folders.data, form_set, form, column, heading, by=by, at=datetime.now(UTC))
    except drift.AdoptionError as error:
        raise ProblemError(str(error)) from error
    _say(f"Đã bỏ “{heading}”." if is_gone else f"“{heading}” chưa được nhận; không có gì thay đổi.")


@forms.command("list", options_metavar=OPTIONS, short_help="Các bộ biểu và tiêu đề đã nhận thêm.")
@click.pass_obj
def list_forms(folders: Folders) -> None:
    """Liệt kê các bộ biểu đang dùng và các tiêu đề đã được nhận thêm.

    \b
    Ví dụ:
      thucchat forms list
    """
    from orchestration import registers, terminal

    sets = registers.form_sets_of(folders.data)
    terminal.show_table(
        "Bộ biểu",
        ["Mã", "Tên", "Từ năm", "Đến năm"],
        [(one.form_set, one.title, one.years.first or "", one.years.last or "") for one in sets.values()],
    )
    terminal.show_frame("Tiêu đề đã nhận thêm", registers.adopted_headings(folders.data))


@click.group(
    cls=VietnameseGroup,
    invoke_without_command=True,
    options_metavar=OPTIONS,
    short_help="Sổ theo dõi: ai phải gửi, đã gửi, còn nợ, trả lại, gia hạn.",
)
@click.option("--year", type=click.IntRange(1900, 2199), metavar="NĂM", help="Chỉ một năm.")
@click.option("--unit", metavar="ĐƠN_VỊ", help="Chỉ một đơn vị.")
@click.option("--sendings", "each", is_flag=True, help="Từng lần gửi thay vì từng đơn vị.")
@AS_CSV
@AS_JSON
@click.pass_context
def register(
    context: click.Context, year: int | None, unit: str | None, each: bool, csv_path: Path | None, as_json: bool
) -> None:
    """Ai phải gửi báo cáo khi nào, đã gửi chưa, muộn bao nhiêu ngày; tỷ lệ gửi và gửi đúng hạn theo cấp.

    \b
    Ví dụ:
      thucchat register --year 2025
      thucchat register --unit 67.001 --sendings
      thucchat register confirm 3f2a… --by "Ban Tổ chức Tỉnh ủy" --reason "đã gọi đơn vị, số đúng"
      thucchat register verify
    """
    if context.invoked_subcommand is not None:
        return
    from orchestration import registers

    folders = context.obj
    rates = None
    with registers.open_register(folders, make=False) as log:
        if each:
            found, about = registers.sendings(folders, log, year=year, unit=unit), "Các lần gửi"
        else:
            found, about = registers.obligations(folders, log, year=year, unit=unit), "Đơn vị phải gửi báo cáo"
            rates = None if unit else registers.rates_by_level(folders, log, year=year)
    if not each and not (csv_path or as_json):
        found = found.loc[:, list(registers.OBLIGATIONS)]
    _show(found, about, csv_path, as_json, extra=rates)


def _decision(name: str, help_text: str) -> click.Command:
    return register.command(name, options_metavar=OPTIONS, short_help=help_text)


@_decision("confirm", "Cho một lần gửi đang bị giữ được tính.")
@click.argument("source_hash", metavar="MÃ_BĂM")
@BY
@REASON
@click.pass_obj
def confirm(folders: Folders, source_hash: str, by: str, reason: str) -> None:
    """Cho lần gửi MÃ_BĂM (có thể viết 8 ký tự đầu) đang bị giữ được tính.

    \b
    Ví dụ:
      thucchat register confirm 3f2a91c0 --by "Ban Tổ chức Tỉnh ủy" --reason "đơn vị đã sáp nhập"
    """
    from orchestration import registers
    from submissions.register import states

    with registers.open_register(folders, make=False) as log:
        whole = registers.full_hash(log, source_hash)
        states.confirm(log, whole, by=by, reason=reason)
    _settle(folders)
    _say(f"Lần gửi {whole[:12]} được tính từ nay.")


@_decision("lock", "Khóa sổ một năm.")
@YEAR
@click.option("--unit", metavar="ĐƠN_VỊ", help="Chỉ một đơn vị.")
@BY
@REASON
@click.pass_obj
def lock(folders: Folders, year: int, unit: str | None, by: str, reason: str) -> None:
    """Khóa sổ NĂM: tệp gửi sau đó bị giữ cho tới khi có người xác nhận hoặc mở khóa.

    \b
    Ví dụ:
      thucchat register lock 2024 --by "Ban Tổ chức Tỉnh ủy" --reason "đã báo cáo Trung ương"
    """
    from orchestration import registers
    from submissions.register import states

    if unit is not None:
        _warn_of(folders, unit)
    with registers.open_register(folders) as log:
        states.lock(log, year, unit_code=unit, by=by, reason=reason)
    _say(f"Đã khóa năm {year}.")


@_decision("unlock", "Mở khóa một năm.")
@YEAR
@click.option("--unit", metavar="ĐƠN_VỊ", help="Chỉ một đơn vị.")
@BY
@REASON
@click.pass_obj
def unlock(folders: Folders, year: int, unit: str | None, by: str, reason: str) -> None:
    """Mở khóa NĂM; tệp bị giữ vì khóa sổ được tính.

    \b
    Ví dụ:
      thucchat register unlock 2024 --by "Ban Tổ chức Tỉnh ủy" --reason "bổ sung"
    """
    from orchestration import registers
    from submissions.register import states

    if unit is not None:
        _warn_of(folders, unit)
    with registers.open_register(folders) as log:
        states.unlock(log, year, unit_code=unit, by=by, reason=reason)
    _settle(folders)
    _say(f"Đã mở khóa năm {year}.")


@_decision("waive", "Miễn một quy tắc cho một đơn vị trong một năm, có giới hạn.")
@click.argument("rule", metavar="QUY_TẮC")
@UNIT
@YEAR
@click.option("--count", type=int, metavar="SỐ", help="Nhiều nhất bấy nhiêu trường hợp.")
@click.option("--share", type=Share(), metavar="TỶ_LỆ", help="Nhiều nhất tỷ lệ này của số dòng (ví dụ 0,05).")
@click.option("--until", type=Day(), required=True, metavar="NGÀY", help="Hết hiệu lực sau ngày này (dd/mm/yyyy).")
@BY
@REASON
@click.pass_obj
def waive(
    folders: Folders,
    rule: str,
    unit: str,
    year: int,
    count: int | None,
    share: float | None,
    until: date,
    by: str,
    reason: str,
) -> None:
    """Miễn QUY_TẮC cho ĐƠN_VỊ trong NĂM; vượt giới hạn hoặc hết hạn thì miễn trừ mất hiệu lực.

    \b
    Ví dụ:
      thucchat register waive meetings_all_held 67.001 2025 --count 3 --until 31/12/2026 --by "…" --reason "…"
    """
    from orchestration import registers
    from submissions.register import answers
    from submissions.rules import load_rules

    if rule not in load_rules().by_id:
        raise ProblemError(f"Không có quy tắc “{rule}”. Xem cột rule của: thucchat issues --csv TỆP")
    _warn_of(folders, unit)
    with registers.open_register(folders) as log:
        answers.waive(
            log, unit, year, rule, until=until, approver=by, reason=reason, limit_count=count, limit_share=share
        )
    _settle(folders)
    _say(f"Đã miễn {rule} cho đơn vị {unit}, năm {year}, đến hết {until:%d/%m/%Y}.")


@_decision("verify", "Kiểm tra chuỗi băm của sổ.")
@click.option("--anchor", metavar="MỐC", help="Mốc đã ghi ở nơi khác lần trước, để biết sổ có bị cắt đuôi không.")
@click.pass_obj
def verify(folders: Folders, anchor: str | None) -> None:
    """Kiểm tra rằng không dòng nào của sổ bị sửa, xóa hay chèn, và in mốc để ghi ở nơi khác. Mã thoát 1 nếu chuỗi đứt.

    \b
    Ví dụ:
      thucchat register verify
      thucchat register verify --anchor 128:9f86d081884c7d65…
    """
    from orchestration import registers
    from submissions.register.log import Anchor

    with registers.open_register(folders, make=False) as log:
        found = log.verify(Anchor.parse(anchor) if anchor else None)
        now = log.anchor()
    if not found.is_whole:
        raise ProblemError(f"Sổ không còn nguyên vẹn: {found.fault}")
    _say(f"Sổ nguyên vẹn, {found.count} sự kiện. Mốc: {now}")


@click.command(cls=Vietnamese, options_metavar=OPTIONS, short_help="Gia hạn gửi báo cáo cho một đơn vị.")
@UNIT
@YEAR
@click.option("--until", type=Day(), required=True, metavar="NGÀY", help="Đến hết ngày này (dd/mm/yyyy).")
@BY
@REASON
@click.pass_obj
def extend(folders: Folders, unit: str, year: int, until: date, by: str, reason: str) -> None:
    """Gia hạn cho ĐƠN_VỊ gửi báo cáo của NĂM đến hết ngày NGÀY.

    \b
    Ví dụ:
      thucchat extend 67.001 2025 --until 28/02/2026 --by "Ban Tổ chức Tỉnh ủy" --reason "lũ lụt"
    """
    from orchestration import registers
    from submissions.register import deadlines

    _warn_of(folders, unit)
    with registers.open_register(folders) as log:
        agreed = deadlines.Deadlines.read(folders.data)
        deadlines.extend(log, unit, year, until, by=by, reason=reason, deadlines=agreed)
    _settle(folders)
    _say(f"Đơn vị {unit} được gửi báo cáo năm {year} đến hết ngày {until:%d/%m/%Y}.")


COMMANDS = (check, inspect, template, register, extend, changes, forms)


def _warn_of(folders: Folders, unit: str) -> None:
    """Warn of a unit that nobody knows; what is no unit's code at all is a mistake."""
    from orchestration import registers

    if warning := registers.check_unit(folders, unit):
        click.echo(warning, err=True)


def _settle(folders: Folders) -> None:
    """Bring the store's snapshots, the returned workbooks and the receipts up to what was decided."""
    from orchestration import outbox, taking_in

    taking_in.take_in_files([], folders)
    if closed := outbox.closed_warning(folders):
        click.echo(f"Cảnh báo: {closed}", err=True)


def _say(text: str) -> None:
    from orchestration import terminal

    terminal.console.print(text, soft_wrap=True, markup=False)


def _show(found: object, about: str, csv_path: Path | None, as_json: bool, extra: object = None) -> None:
    from orchestration import terminal
    from orchestration.listing import write_csv

    if csv_path:
        write_csv(found, csv_path)
        _say(f"Đã ghi {len(found)} dòng vào {csv_path}")
    elif as_json:
        shown = {"rows": json.loads(found.to_json(orient="records", date_format="iso", force_ascii=False))}
        if extra is not None:
            shown["rates"] = json.loads(extra.to_json(orient="records", date_format="iso", force_ascii=False))
        click.echo(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        terminal.show_frame(about, found)
        if extra is not None:
            terminal.show_frame("Tỷ lệ gửi báo cáo", extra)
