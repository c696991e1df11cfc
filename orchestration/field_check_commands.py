# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""Commands of the field check, added to ``thucchat``: draw a sample, read what was found, say what it tells."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.intake_commands import AS_CSV, AS_JSON
from orchestration.problems import ProblemError, reason
from orchestration.settings import Folders, settings
from orchestration.vietnamese import FILE, OPTIONS, PLACES, VietnameseGroup

if TYPE_CHECKING:
    import pandas as pd

    from ratings.fieldcheck import Draw

USAGE = 2
"""Exit code of a command that asks for what cannot be."""


@click.group("field-check", cls=VietnameseGroup, options_metavar=OPTIONS, short_help="Mẫu thẩm định lại tại chỗ.")
def field_check() -> None:
    """Rút mẫu đảng viên để thẩm định lại tại chỗ, đọc kết quả, ước lượng tỷ lệ thật của toàn tỉnh.

    So sánh các đơn vị với nhau không thấy gì nếu nơi nào cũng nâng mức; chỉ thẩm định lại tại chỗ mới thấy.

    \b
    Ví dụ:
      thucchat field-check draw --year 2025 --seed 7 --by "Ban Tổ chức Tỉnh ủy"
      thucchat field-check read TDL-2025-1a2b3c4d.xlsx
      thucchat build
      thucchat field-check report
    """


@field_check.command(options_metavar=OPTIONS, short_help="Rút mẫu và ghi tệp để điền.")
@click.option("--year", type=int, required=True, metavar="NĂM", help="Năm đánh giá.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), required=True, metavar="SỐ", help="Số gieo: cùng số thì cùng mẫu."
)
@click.option("--by", required=True, metavar="AI", help="Cơ quan rút mẫu.")
@click.option(
    "--difference", type=float, default=0.15, show_default=True, metavar="TỶ_LỆ", help="Chênh lệch cần thấy được."
)
@click.option("--base-rate", type=float, metavar="TỶ_LỆ", help="Tỷ lệ hạ mức thường gặp (mặc định 0,15).")
@click.option("--members", type=int, metavar="SỐ", help="Số đảng viên mỗi tổ chức (mặc định 10, ít nhất 5).")
@click.option("--correlation", type=float, metavar="SỐ", help="Tương quan trong một tổ chức (mặc định 0,1).")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Tệp ghi ra (mặc định: mã mẫu.xlsx)."
)
@AS_JSON
@click.pass_obj
def draw(
    folders: Folders,
    year: int,
    seed: int,
    by: str,
    difference: float,
    base_rate: float | None,
    members: int | None,
    correlation: float | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Rút mẫu của NĂM từ kho đã công bố: một nửa theo mức độ cần xem lại, một nửa ngẫu nhiên trong toàn tỉnh.

    Cỡ mẫu được tính để thấy được chênh lệch đã nêu (lực 0,8; mức 0,05). Mẫu và xác suất rút được ghi vào sổ đăng ký;
    rút lại với cùng số gieo trên cùng kho thì ra đúng mẫu đó. Tệp để điền không có họ tên, không có mức đã quyết định.

    \b
    Ví dụ:
      thucchat field-check draw --year 2025 --seed 7 --by "Ban Tổ chức Tỉnh ủy"
      thucchat field-check draw --year 2025 --seed 7 --by "Ban Tổ chức Tỉnh ủy" --difference 0.1 --out mau.xlsx
    """
    from orchestration import field_checks
    from orchestration.warehouse import Tables
    from ratings import fieldcheck

    tables = Tables(folders.published)
    if field_checks.SIGNALS not in tables:
        raise ProblemError("Kho đang công bố được dựng trước khi có danh sách thẩm định lại. Hãy chạy: thucchat build")
    whom = field_checks.members(tables, year)
    given = {"base_rate": base_rate, "members": members, "correlation": correlation}
    try:
        if whom.empty:
            years = sorted({int(one) for one in tables["fct_member_assessment"]["year"]})
            told = f"Các năm có trong kho: {', '.join(map(str, years)) or 'không có năm nào'}."
            raise ProblemError(f"Năm {year} chưa có đảng viên nào được quyết định mức xếp loại. {told}", USAGE)
        size = fieldcheck.sample_size(
            difference,
            population=int(whom["organisation"].nunique()),
            **{name: value for name, value in given.items() if value is not None},
        )
        drawn = fieldcheck.draw(whom, field_checks.risk(tables, year), year=year, seed=seed, size=size)
    except fieldcheck.FieldCheckError as error:
        raise ProblemError(str(error), USAGE) from error
    path = out or Path(f"{drawn.draw_id}.xlsx")
    if path.exists():
        raise ProblemError(f"{path} đã có; hãy chọn tên khác bằng --out TỆP.", USAGE)
    is_new = field_checks.enter(folders, drawn, by=by)
    _write(path, drawn)
    if as_json:
        click.echo(json.dumps(_as_json(drawn, path, is_new), ensure_ascii=False, indent=1))
        return
    arms = drawn.organisations["arm"].value_counts()
    _say(
        f"Mẫu {drawn.draw_id}: {len(drawn.members)} đảng viên của {len(drawn.organisations)} trên {drawn.population} "
        f"tổ chức ({', '.join(f'{arms.get(arm, 0)} {told}' for arm, told in fieldcheck.ARMS.items())})."
    )
    _say(
        f"Mỗi nhánh {size.organisations} tổ chức, mỗi tổ chức nhiều nhất {size.members} đảng viên: thấy được chênh "
        f"lệch {_percent(size.difference)} với xác suất {_percent(size.power)} nếu tỷ lệ nền là "
        f"{_percent(size.base_rate)}."
    )
    if size.power < fieldcheck.POWER:
        click.echo(f"Cảnh báo: tỉnh chỉ có {size.population} tổ chức nên lực chưa đến 0,8.", err=True)
    if size.organisations < fieldcheck.FEWEST_AT_RANDOM:
        click.echo(
            f"Cảnh báo: nhánh ngẫu nhiên dưới {fieldcheck.FEWEST_AT_RANDOM} tổ chức thì không ước lượng được tỷ lệ của "
            "toàn tỉnh.",
            err=True,
        )
    _say(f"{'Đã ghi vào sổ đăng ký.' if is_new else 'Mẫu này đã được rút trước đây, sổ đăng ký không ghi thêm.'}")
    _say(f"Tệp để điền: {path}. Điền xong: thucchat field-check read {path}")


@field_check.command("read", options_metavar=OPTIONS, short_help="Đọc tệp đã điền.")
@click.argument("paths", nargs=-1, required=True, metavar=PLACES, type=click.Path(path_type=Path))
@click.pass_obj
def read(folders: Folders, paths: tuple[Path, ...]) -> None:
    """Đọc các tệp thẩm định lại đã điền, qua cùng các bước kiểm tra như báo cáo của đơn vị.

    Mọi lỗi được nêu một lượt trong tệp trả lại. Tệp gửi lại lần nữa không đổi gì; tệp sau thay tệp trước của cùng
    một mẫu. Ô để trống là chưa làm. Mã thoát là 1 nếu có tệp bị trả lại hoặc bị giữ.

    \b
    Ví dụ:
      thucchat field-check read TDL-2025-1a2b3c4d.xlsx
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ProblemError(f"Không tìm thấy: {', '.join(missing)}", USAGE)
    from orchestration import field_checks, inbox, taking_in, terminal
    from orchestration.settings import set_environment

    set_environment(folders)
    claims, _ = inbox.claims(paths, folders.inbox)
    taken = taking_in.take_in_files(claims, folders)
    for file in taken.report.files:  # when all is decided: a file that is read may still be held
        terminal.show_file(file)
    for told in field_checks.progress(folders, [file.source_hash for file in taken.report.files]):
        _say(told)
    for path in taken.returned:
        _say(f"Tệp trả lại: {path}")
    if any(file.state in {"refused", "held", "failed"} for file in taken.report.files):
        sys.exit(1)


@field_check.command(options_metavar=OPTIONS, short_help="Kết quả: tỷ lệ thật, độ đúng của từng chỉ báo.")
@click.option("--year", type=int, metavar="NĂM", help="Chỉ các mẫu của năm này.")
@AS_CSV
@AS_JSON
@click.pass_obj
def report(folders: Folders, year: int | None, csv_path: Path | None, as_json: bool) -> None:
    """Kết quả thẩm định lại trong kho đã công bố: tỷ lệ thật của toàn tỉnh, độ đúng của từng chỉ báo.

    Chưa đủ 30 tổ chức ở nhánh ngẫu nhiên có kết quả thì không ước lượng, và nói rõ vì sao.
    CSV có một dòng cho mỗi mẫu và chỉ báo.

    \b
    Ví dụ:
      thucchat field-check report
      thucchat field-check report --year 2025 --csv do-dung.csv
    """
    from orchestration.warehouse import Tables

    tables = Tables(folders.published)
    names = ("field_check_province", "field_check_precision")
    if names[0] not in tables:
        raise ProblemError("Kho đang công bố chưa có bảng thẩm định lại. Hãy chạy: thucchat build")
    province, precision = (
        tables[name] if year is None else tables[name][tables[name]["year"] == year] for name in names
    )
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(precision, csv_path)
        _say(f"Đã ghi {len(precision)} dòng vào {csv_path}")
    elif as_json:
        rows = {"draws": _records(province), "indicators": _records(precision)}
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    elif province.empty:
        of_year = "" if year is None else f" của năm {year}"
        told = f"Chưa có mẫu thẩm định lại nào{of_year} trong kho công bố."
        _say(f"{told} Rút mẫu: thucchat field-check draw, rồi thucchat build.")
    else:
        _show(province, precision)


COMMANDS = (field_check,)


def _write(path: Path, drawn: "Draw") -> None:
    """Write the workbook to fill in."""
    from submissions.fieldchecks import FORM_SET, write_workbook
    from submissions.form_set import load_form_sets

    owner = f"Tỉnh ủy {settings().province}"
    try:
        write_workbook(
            path, load_form_sets()[FORM_SET], drawn.members, draw_id=drawn.draw_id, year=drawn.year, owner=owner
        )
    except FileExistsError as error:
        raise ProblemError(f"{path} đã có; hãy chọn tên khác bằng --out TỆP.") from error
    except OSError as error:
        raise ProblemError(f"Không ghi được {path}: {reason(error)}.") from error


def _as_json(drawn: "Draw", path: Path, is_new: bool) -> dict[str, object]:
    size = drawn.size
    return {
        "draw_id": drawn.draw_id,
        "year": drawn.year,
        "seed": drawn.seed,
        "is_new": is_new,
        "file": str(path),
        "population": drawn.population,
        "per_arm": size.organisations,
        "per_organisation": size.members,
        "difference": size.difference,
        "base_rate": size.base_rate,
        "correlation": size.correlation,
        "power": size.power,
        "organisations": _records(drawn.organisations),
        "members": len(drawn.members),
    }


def _records(frame: "pd.DataFrame") -> list[dict[str, object]]:
    return json.loads(frame.to_json(orient="records", force_ascii=False, double_precision=12))


def _show(province: "pd.DataFrame", precision: "pd.DataFrame") -> None:
    from orchestration import terminal
    from ratings.fieldcheck import REASONS

    for row in province.to_dict("records"):
        _say(
            f"\nMẫu {row['draw_id']}, năm {row['year']}: có kết quả {row['members']} trên {row['members_drawn']} đảng "
            f"viên, {row['organisations']} trên {row['organisations_drawn']} tổ chức. Phần chưa làm không được tính."
        )
        if not row["is_estimable"]:
            _say(f"Không ước lượng được cho toàn tỉnh: {REASONS[row['reason_code']]}.")
            continue
        _say(
            f"Đã quyết định từ tốt trở lên: {_percent(row['decided_share'])}. Thẩm định lại tại chỗ: "
            f"{_percent(row['share'])} (khoảng tin cậy 95%: {_percent(row['low'])} đến {_percent(row['high'])})."
        )
        _say(
            f"Trong số đã quyết định từ tốt trở lên, thẩm định lại thấp hơn tốt: {_percent(row['lowered_share'])} "
            f"({_percent(row['lowered_low'])} đến {_percent(row['lowered_high'])}); sai sót thông thường của chính "
            "việc thẩm định lại là khoảng 3%, chưa trừ."
        )
    for (draw_id, year), rows in precision.groupby(["draw_id", "year"], sort=True):
        terminal.show_table(
            f"Độ đúng của từng chỉ báo, mẫu {draw_id}, năm {year}",
            ["Chỉ báo", "Tổ chức được nêu có kết quả", "Thấp hơn tốt ở đó", "Khoảng 95%", "Ở nơi khác"],
            [
                (
                    row.signal,
                    int(row.organisations_marked),
                    _percent(row.share),
                    f"{_percent(row.low)} - {_percent(row.high)}" if row.is_estimable else "–",
                    _percent(row.elsewhere_share),
                )
                for row in rows.itertuples()
            ],
        )
        for code, alike in rows[~rows["is_estimable"].astype(bool)].groupby("reason_code", sort=True):
            which = "mọi chỉ báo" if len(alike) == len(rows) else ", ".join(alike["signal"])
            _say(f"Không ước lượng được khoảng của {which}: {REASONS[code]}.")
    _say("Kết quả là căn cứ để đề nghị thẩm định lại, không phải kết luận về một tổ chức hay một người nào.")


def _percent(share: float) -> str:
    import pandas as pd

    return "" if pd.isna(share) else f"{100 * share:.1f}%".replace(".", ",")


def _say(text: str) -> None:
    from orchestration import terminal

    terminal.console.print(text, soft_wrap=True, markup=False)
