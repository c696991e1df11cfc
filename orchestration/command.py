# ruff: noqa: D301 - \b in a docstring tells click not to rewrap what follows
"""The command line ``thucchat``: what it asks and what it says. Heavy imports wait until a command needs them."""

import gc
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration import (
    build_commands,
    field_check_commands,
    intake_commands,
    member_commands,
    screen_commands,
    trace_commands,
)
from orchestration.problems import ProblemError, reason
from orchestration.settings import Folders, set_environment, settings
from orchestration.vietnamese import FILE, FOLDER, HELP_OPTION, OPTIONS, PLACES, VietnameseGroup, usage_problem

if TYPE_CHECKING:
    from datetime import date

    from orchestration.releases import Standing
    from orchestration.runs import Outcome


@click.group(cls=VietnameseGroup, context_settings=HELP_OPTION, options_metavar=OPTIONS)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar=FOLDER,
    help="Thư mục dữ liệu (mặc định: biến THUCCHAT_DATA, nếu không có thì data/).",
)
@click.pass_context
def cli(context: click.Context, data: Path | None) -> None:
    """Thực Chất: kho dữ liệu đánh giá, xếp loại tổ chức đảng và đảng viên; tìm những xếp loại chưa đứng vững.

    \b
    Ví dụ:
      thucchat demo                                  chạy thử với ba đơn vị mẫu
      thucchat intake ~/bao-cao-2025                 đọc mọi tệp trong thư mục
      thucchat issues --csv loi.csv                  danh sách lỗi để trả lại đơn vị
      thucchat build                                 dựng, kiểm tra và công bố kho
      thucchat findings                              các xếp loại có dấu hiệu chưa phù hợp
      thucchat review                                tổ chức đề nghị thẩm định lại, theo thứ tự
      thucchat pack kiem-diem-cuoi-nam --year 2025   làm tập biểu đồ cuối năm
    """
    context.obj = Folders(data.resolve()) if data else settings().folders


@cli.command(options_metavar=OPTIONS, short_help="Chạy thử toàn bộ quy trình với ba đơn vị mẫu.")
@click.pass_obj
def demo(folders: Folders) -> None:
    """Chạy thử toàn bộ quy trình với ba đơn vị mẫu, bốn năm, trong thư mục data/demo.

    \b
    Ví dụ:
      thucchat demo
      thucchat --data /tmp/thu demo                  kết quả nằm trong /tmp/thu/demo
    """
    from orchestration import demonstration

    folders = Folders(folders.data / "demo")
    _work_on(folders)
    copied = demonstration.prepare(folders)
    _say(f"[bold]Dữ liệu mẫu[/bold]: {copied} tệp trong {folders.inbox}")
    _run("whole", folders)
    _show_published(folders)
    _show_places(folders, demo=True)


@cli.command(options_metavar=OPTIONS, short_help="Đọc tệp hoặc thư mục báo cáo vào kho gốc.")
@click.argument("paths", nargs=-1, required=True, metavar=PLACES, type=click.Path(path_type=Path))
@click.pass_obj
def intake(folders: Folders, paths: tuple[Path, ...]) -> None:
    """Đọc các tệp báo cáo (hoặc mọi tệp trong thư mục) vào kho gốc và lập tệp trả lại cho đơn vị.

    Tệp đã đọc rồi thì bỏ qua. Tệp không đọc được bị trả lại kèm lý do, các tệp khác vẫn được đọc.
    Tệp nằm trong data/inbox/<đơn vị> phải là báo cáo của đúng đơn vị đó.
    Mã thoát là 1 nếu có tệp bị trả lại hoặc bị giữ, 2 nếu không tìm thấy tệp.

    \b
    Ví dụ:
      thucchat intake bao-cao-huyen-A.xlsx
      thucchat intake ~/bao-cao-2025 "So ky luat UBKT 2025.xlsx"
    """
    from orchestration import taking_in

    _work_on(folders)
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ProblemError(f"Không tìm thấy: {', '.join(missing)}", 2)
    from orchestration import inbox, outbox, terminal

    claims, ignored = inbox.claims(paths, folders.inbox)
    taken = taking_in.take_in_files(claims, folders, on_file=terminal.show_file)
    terminal.show_intake(replace(taken.report, ignored=ignored), taken.returned)
    if closed := outbox.closed_warning(folders):
        click.echo(f"Cảnh báo: {closed}", err=True)
    if any(file.state in {"refused", "held", "failed"} for file in taken.report.files):
        sys.exit(1)


@cli.command(options_metavar=OPTIONS, short_help="Dựng kho, kiểm tra, tìm mâu thuẫn và công bố.")
@click.option(
    "--as-known",
    type=intake_commands.Day(),
    metavar="NGÀY",
    help="Dựng theo những gì đã tiếp nhận đến hết NGÀY; không công bố.",
)
@click.option("--from", "again", metavar="MÃ_BẢN_DỰNG", help="Dựng lại một bản cũ từ hồ sơ của nó; không công bố.")
@click.pass_obj
def build(folders: Folders, as_known: "date | None", again: str | None) -> None:
    """Đọc tệp mới trong hộp nhận, dựng lại toàn bộ kho, kiểm tra, tìm mâu thuẫn rồi công bố.

    Kho đang phục vụ chỉ được thay khi mọi kiểm tra bắt buộc đều đạt và mọi thay đổi đều do lần gửi hay quyết định
    đã ghi sổ; không có gì mới thì không dựng. Lần chạy hiện trong giao diện Dagster.

    \b
    Ví dụ:
      thucchat build
      thucchat --data /srv/thucchat build
      thucchat build --as-known 01/02/2026
      thucchat build --from 3f2a91c0
    """
    _work_on(folders)
    if as_known or again:
        if as_known and again:
            raise ProblemError("Chỉ dùng một trong hai: --as-known hoặc --from.", 2)
        build_commands.make_as_known(folders, as_known) if as_known else build_commands.make_again(folders, again)
        return
    from orchestration import releases, terminal

    if standing := releases.quiet(folders, on_wait=terminal.show_waiting):
        _say_standing(standing)
        return
    before = releases.served_id(folders)
    _run("build", folders)
    if before and releases.served_id(folders) == before:
        _say(f"Không có gì mới so với bản đang công bố {before}: không công bố.")
    elif before:
        build_commands.follow(folders)
    _show_published(folders)
    _show_places(folders)


@cli.command(options_metavar=OPTIONS, short_help="Danh sách lỗi trong các tệp đã nhận.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Ghi ra CSV.")
@click.pass_obj
def issues(folders: Folders, csv_path: Path | None) -> None:
    """Liệt kê mọi lỗi trong các báo cáo đang có hiệu lực và các tệp bị trả lại.

    Màn hình không hiện số thẻ đảng viên; tệp CSV có, nên chỉ người tạo đọc được (quyền 0600).

    \b
    Ví dụ:
      thucchat issues
      thucchat issues --csv loi.csv
    """
    from orchestration import terminal
    from submissions.replies import list_issues

    if not folders.store.exists():
        raise ProblemError(f"Chưa có báo cáo nào trong {folders.data}. Hãy chạy: thucchat intake NƠI...")
    from orchestration.registers import open_register

    with open_register(folders) as register:
        listed = list_issues(folders.data, register)
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(listed, csv_path)
        _say(f"Đã ghi {len(listed)} lỗi vào {csv_path}")
    else:
        terminal.show_issues(listed)


@cli.command(options_metavar=OPTIONS, short_help="Các xếp loại có dấu hiệu chưa phù hợp.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Ghi ra CSV.")
@click.option("--year", type=int, metavar="NĂM", help="Chỉ một năm đánh giá.")
@click.option("--regime", metavar="QUY_ĐỊNH", help="Đánh giá lại theo quy định khác, ví dụ QD132; không lưu kết quả.")
@click.pass_obj
def findings(folders: Folders, csv_path: Path | None, year: int | None, regime: str | None) -> None:
    """Liệt kê các mâu thuẫn giữa xếp loại và chứng cứ trong kho đã công bố.

    Mỗi năm được đánh giá theo quy định của chính năm đó. Với --regime, số liệu đã công bố được đánh giá lại theo
    quy định khác để so sánh: kết quả chỉ hiện ra (hoặc ghi CSV), không lưu và không thay kết quả đã công bố.

    \b
    Ví dụ:
      thucchat findings
      thucchat findings --csv phat-hien.csv
      thucchat findings --year 2025 --regime QD132
    """
    from orchestration import rejudging, terminal
    from orchestration.warehouse import Tables

    tables = Tables(folders.published)
    if regime:
        again = rejudging.judge_again(tables, regime, year)
        for line in again.told:
            _say(line)
        tables = again.tables
    elif year is not None:
        years = tables["rule_result"]["year"]
        tables = {name: rejudging.of_year(tables[name], year, years) for name in ("fct_finding", "rule_result")}
    if csv_path:
        from orchestration.listing import write_csv

        write_csv(tables["fct_finding"], csv_path)
        _say(f"Đã ghi {len(tables['fct_finding'])} phát hiện vào {csv_path}")
    else:
        terminal.show_findings(tables)


@cli.command(options_metavar=OPTIONS, short_help="Danh sách đề nghị thẩm định lại theo dấu hiệu thống kê.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), metavar=FILE, help="Ghi ra CSV.")
@click.option("--year", type=int, metavar="NĂM", help="Năm đánh giá; không nêu thì năm gần nhất.")
@click.option(
    "--level",
    type=click.Choice(["grassroots", "cell", "unit"]),
    default="grassroots",
    metavar="CẤP",
    help="grassroots (tổ chức cơ sở đảng, nếu không nêu), cell (chi bộ) hoặc unit (đơn vị báo cáo).",
)
@click.pass_obj
def review(folders: Folders, csv_path: Path | None, year: int | None, level: str) -> None:
    """Liệt kê các tổ chức có ít nhất hai lý do thống kê để đề nghị thẩm định lại, trong kho đã công bố.

    Danh sách không phải kết luận: mỗi lý do nêu điều đã báo cáo, điều nơi tương đương báo cáo, cách giải thích khác và
    tài liệu cần xem. Cuối bảng nói rõ có thể bao nhiêu tổ chức được nêu chỉ do ngẫu nhiên.

    \b
    Ví dụ:
      thucchat review
      thucchat review --year 2024 --level cell
      thucchat review --csv tham-dinh-lai.csv
    """
    from orchestration import rejudging, terminal
    from orchestration.warehouse import Tables

    tables = Tables(folders.published)
    if year is not None:
        rejudging.of_year(tables["mart_review_list"], year, tables["rule_result"]["year"])
    if csv_path:
        from orchestration.listing import write_csv

        listed = tables["mart_review_list"].query("organisation_level == @level")
        listed = listed if year is None else listed[listed["year"] == year]
        write_csv(listed.sort_values(["year", "rank"]), csv_path)
        _say(f"Đã ghi {len(listed)} tổ chức vào {csv_path}")
    else:
        terminal.show_review(tables, year, level)


@cli.command(options_metavar=OPTIONS, short_help="Làm tập biểu đồ của một năm từ kho đã công bố.")
@click.argument("name", metavar="TÊN")
@click.option("--year", type=int, required=True, metavar="NĂM", help="Năm đánh giá.")
@click.pass_obj
def pack(folders: Folders, name: str, year: int) -> None:
    """Làm tập biểu đồ TÊN của NĂM từ kho đã công bố. Cùng một kho thì ra cùng một tệp.

    \b
    Ví dụ:
      thucchat pack kiem-diem-cuoi-nam --year 2025
    """
    from orchestration import publications

    _work_on(folders)
    path = publications.write(name, year, folders, settings().province)
    _say(f"Tập biểu đồ: [bold]{path}[/bold]")


@cli.command(options_metavar=OPTIONS, short_help="Mở giao diện Dagster tại máy này.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    metavar="CỔNG",
    help="Cổng trên 127.0.0.1.",
)
@click.pass_obj
def dev(folders: Folders, port: int) -> None:
    """Mở giao diện Dagster (chỉ trên máy này) cùng bộ theo dõi hộp nhận và lịch làm tập biểu đồ.

    \b
    Ví dụ:
      thucchat dev
      thucchat --data data/demo dev --port 3001
    """
    from orchestration import server

    _work_on(folders)
    _say(f"Giao diện: http://127.0.0.1:{port} · hộp nhận: {folders.inbox}")
    server.serve(folders, port)


COMMANDS = (
    *intake_commands.COMMANDS,
    *member_commands.COMMANDS,
    *build_commands.COMMANDS,
    *trace_commands.COMMANDS,
    *screen_commands.COMMANDS,
    *field_check_commands.COMMANDS,
)
for command in COMMANDS:
    cli.add_command(command)


def _work_on(folders: Folders) -> None:
    set_environment(folders)
    try:
        folders.inbox.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProblemError(f"Không dùng được thư mục dữ liệu {folders.data}: {reason(error)}.") from error


def _say(text: str) -> None:
    from orchestration import terminal

    terminal.console.print(text, soft_wrap=True)


def _say_standing(standing: "Standing") -> None:
    if not standing.is_published:
        raise ProblemError(standing.message)
    _say(standing.message)


def _run(job: str, folders: Folders) -> "Outcome":
    from orchestration import lock, terminal
    from orchestration.runs import run_job

    with lock.hold(folders.lock, f"thucchat {job}", on_wait=terminal.show_waiting):
        pass  # a run takes the lock itself; waiting here lets the user see for whom
    terminal.console.file = sys.stdout  # what dbt and others print meanwhile goes to the log
    outcome = run_job(job, folders, on_step=terminal.show_step)
    terminal.show_outcome(outcome)
    if not outcome.succeeded:
        raise ProblemError("Không hoàn thành: " + "; ".join(outcome.errors or ("xem nhật ký trong giao diện Dagster",)))
    return outcome


def _show_published(folders: Folders) -> None:
    from orchestration import terminal
    from orchestration.warehouse import Tables, published_build

    terminal.show_published(published_build(folders), Tables(folders.published))


def _show_places(folders: Folders, *, demo: bool = False) -> None:
    from orchestration import terminal

    terminal.show_places(folders, demo=demo)


def main() -> None:
    """Run the command line; a problem of the user's is one sentence on stderr and a non-zero exit code."""
    # Imports make a million objects that stay: looking through them again and again takes a tenth of a short command.
    gc.set_threshold(100_000, 20, 20)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        cli(standalone_mode=False, prog_name="thucchat")
    except ProblemError as problem:
        _fail(str(problem), problem.exit_code)
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.ctx.get_help(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "thucchat"
        _fail(f"{usage_problem(error)} Xem: {where} --help", 2)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Đã dừng theo yêu cầu.", 130)
    except Exception as error:  # noqa: BLE001 - the words of a fault may quote a person's data: its place is told alone
        from ratings.tables import TableError
        from submissions.units import ListError

        if isinstance(error, ListError | TableError):
            _fail(str(error), 1)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} ở {Path(place.filename).name}:{place.lineno}"
        _fail(f"Lỗi của chương trình ({where}), không phải của tệp. Hãy báo cho kỹ sư dữ liệu.", 3)


def _fail(message: str, code: int) -> None:
    click.echo(f"Lỗi: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
