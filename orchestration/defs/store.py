"""The store: what units have sent, and the tables that intake reads out of it."""

import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dagster as dg

from orchestration import automation, backlog, outbox, previews, sendings, sources
from orchestration.dead_letters import DeadLetter, DeadLetters
from orchestration.registers import open_register
from orchestration.settings import Folders, settings
from orchestration.taking_in import take_in_alone
from orchestration.warehouse import POOL, Workshop
from submissions.form_set import load_form_sets
from submissions.intake import Claim
from submissions.reading import FileResult
from submissions.register.log import Register
from submissions.store import Store
from submissions.units import ListError

OWNER = "team:tiep-nhan-bao-cao"

OTHER_TABLES = {
    "submissions": "Các lần gửi: mỗi tệp một dòng, được nhận hay bị trả lại và vì sao.",
    "counts": "Đối chiếu số dòng của từng biểu: đọc vào = nạp + giữ lại.",
    "issues": "Lỗi đã báo cho đơn vị. Có số thẻ nên chỉ nằm trong kho gốc, không vào kho phân tích.",
    "queries": "Điểm phải sửa hoặc giải trình của từng lần gửi. Chỉ nằm trong kho gốc, không vào kho phân tích.",
    "sendings": "Sổ theo dõi: từng tệp đã nhận, đang ở trạng thái nào; không có tên tệp.",
    "obligations": "Sổ theo dõi: mỗi đơn vị mỗi năm phải gửi trước ngày nào, đã gửi chưa, chậm mấy ngày.",
    "member_identities": "Sổ theo dõi: khóa đảng viên nào được xác nhận là của cùng một người.",
    "field_check_draws": "Sổ theo dõi: đảng viên được rút để thẩm định lại tại chỗ, kèm xác suất rút; không có tên.",
    "units": "Danh sách đơn vị phải gửi báo cáo.",
    "cap_exceptions": "Quyết định cho phép vượt mức 20% xếp loại xuất sắc.",
    "successions": "Tổ chức nào thay tổ chức nào sau sắp xếp, sáp nhập: ngày, cách thay, tỷ lệ chia, căn cứ.",
}

FORM_TABLES = {
    form.table: f"{form.title} · {form.name}: toàn bộ dòng đã đọc, kể cả dòng bị giữ lại."
    for form_set in load_form_sets().values()
    for form in form_set.forms
}

submissions_sendings = dg.AssetSpec(
    sendings.KEY,
    description="Báo cáo các đơn vị đã gửi, theo năm và đơn vị; mỗi ô là lần gửi đang có hiệu lực.",
    group_name="submissions",
    owners=[OWNER],
    kinds={"excel"},
    partitions_def=sendings.PARTITIONS,
)


DEAD_LETTERS = dg.AssetKey(["submissions", "dead_letters"])

with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.PreviewWarning)  # partitioned checks are a preview in Dagster 1.13

    @dg.asset_check(
        asset=sendings.KEY,
        name=sendings.CHECK,
        partitions_def=sendings.PARTITIONS,
        description="Mỗi năm và đơn vị: lần gửi đang có hiệu lực không còn lỗi, câu hỏi nào cũng đã giải trình.",
    )
    def sending_settled(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Judge one partition on request; intake reports those that change by itself."""
        folders = settings().folders
        with open_register(folders) as register:
            current = sendings.in_force(Store(folders.store), register).to_dict("records")
        of_partition = {str(sendings.partition(sending["year"], sending["unit"])): sending for sending in current}
        sending = of_partition.get(context.partition_key)
        if sending is None:
            raise dg.Failure("Chưa có lần gửi nào có hiệu lực của năm và đơn vị này.", allow_retries=False)
        passed, metadata = sendings.judgement(sending)
        return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


@dg.asset_check(
    asset=sendings.KEY,
    name=sendings.SUMMARY,
    description="Mọi năm và đơn vị gộp lại: không lần gửi nào đang có hiệu lực còn lỗi hay câu hỏi chưa trả lời.",
)
def every_sending_settled() -> dg.AssetCheckResult:
    """Judge all partitions together on request; intake reports it by itself."""
    folders = settings().folders
    with open_register(folders) as register:
        found = sendings.summary(sendings.in_force(Store(folders.store), register))
    return dg.AssetCheckResult(passed=found.passed, severity=found.severity, metadata=found.metadata)


class Batches(dg.Config):
    """How much is read at once."""

    largest_batch: int = backlog.BATCH
    """Files that are read together; receipts and returned workbooks of a batch are out before the next begins."""
    minutes: float = 40.0
    """After this no new batch begins; the next run goes on (a run may take an hour)."""
    source_minutes: float = 5.0
    """How long the second source may hold up a run."""


@dg.multi_asset(
    name="store",
    pool=POOL,
    specs=[
        *(
            dg.AssetSpec(
                ["store", table],
                description=description,
                group_name="store",
                owners=[OWNER],
                kinds={"python", "parquet"},
                deps=[sendings.KEY],
            )
            for table, description in (OTHER_TABLES | FORM_TABLES).items()
        ),
        dg.AssetSpec(
            DEAD_LETTERS,
            description="Những gì không xử lý được: liên kết, ống dẫn, tệp đọc nhiều lần không xong. Xem lý do trong "
            "thư mục dead_letters; lấy thư mục con đi nghĩa là đã giải quyết.",
            group_name="submissions",
            owners=[OWNER],
            kinds={"python"},
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "moi_tep_doc_duoc",
            asset=["store", "submissions"],
            description="Mọi tệp trong hộp nhận đều đọc được; tệp bị trả lại là cảnh báo.",
        ),
        dg.AssetCheckSpec(
            "doc_vao_bang_nap_cong_giu_lai",
            asset=["store", "counts"],
            description="Mỗi biểu của mỗi lần gửi: số dòng đọc vào = số dòng nạp + số dòng giữ lại, "
            "và đó đúng là số dòng đếm lại trong kho gốc.",
            blocking=True,
        ),
        dg.AssetCheckSpec(
            "khong_con_thu_chet",
            asset=DEAD_LETTERS,
            description="Không còn gì chờ người xử lý trong thư mục dead_letters.",
        ),
    ],
)
def store(
    context: dg.AssetExecutionContext, config: Batches, workshop: dg.ResourceParam[Workshop]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Take in whatever lies settled in the inbox, batch by batch; a file that is known already costs nothing."""
    folders = workshop.folders
    with open_register(folders) as register:
        yield from _store(context, config, folders, register)


def _store(
    context: dg.AssetExecutionContext, config: Batches, folders: Folders, register: Register
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    kept = Store(folders.store)
    marks = backlog.Marks(folders.marks)
    letters = DeadLetters(folders.dead_letters)
    states: Counter[str] = Counter()
    returned = restless = 0
    try:
        contract = automation.contract(folders)
    except ListError as error:
        raise dg.Failure(str(error), allow_retries=False) from error

    def take(claims: Sequence[Claim]) -> list[FileResult]:
        nonlocal returned
        taken = take_in_alone(claims, folders)
        returned += len(taken.returned)
        return taken.report.files

    fetched = _fetch(context, config, folders, marks)
    folders.inbox.mkdir(parents=True, exist_ok=True)
    over = time.monotonic() + 60 * config.minutes
    known, again = backlog.known_to(kept), backlog.again(kept, contract)
    for root in backlog.roots(folders):
        seen = backlog.survey(root, marks, at=time.time(), patience_seconds=60.0)
        waiting, later = backlog.sendings(seen, marks, known, again=again)
        restless += len(seen.restless) + len(later) + seen.found.unfinished
        for odd in seen.found.odd:
            letters.put_odd(odd)
        for results in backlog.work_off(
            waiting,
            take,
            folders=folders,
            marks=marks,
            letters=letters,
            context=contract,
            largest=config.largest_batch,
            is_over=lambda: time.monotonic() >= over,
        ):
            for result in results:
                states[result.state] += 1
                if result.state in {"refused", "held", "failed"}:
                    # Named by content: a unit may write a person's name into the name of a file.
                    context.log.warning(f"Tệp {result.source_hash[:12]} ({result.state}): {result.code or 'FAILED'}")
    letters.tell(register)
    take([])  # what a killed run left is settled, and every receipt is out
    if closed := outbox.closed_warning(folders):
        context.log.warning(closed)
    backlog.clear_spool(folders, marks)
    if restless:
        context.log.warning(f"{restless} tệp vẫn đang thay đổi hoặc chưa gửi xong, để lại cho lần sau.")
    submissions = kept.read_submissions()
    present = backlog.present(folders, marks)
    refused = int((submissions["source_hash"].isin(present) & (submissions["state"] == "refused")).sum())
    if not submissions["is_in_force"].any():
        raise dg.Failure(
            f"Chưa có báo cáo nào được nhận ({len(present)} tệp đã xem): "
            f"hãy để các tệp báo cáo vào {folders.inbox} hoặc chạy thucchat intake.",
            allow_retries=False,
        )
    sendings.report(context.instance, kept, log=context.log_event, register=register)
    context.log_event(sendings.summary(sendings.in_force(kept, register)))

    about_this_run = {
        "Tệp mới được nhận": states["accepted"],
        "Tệp mới bị trả lại": states["refused"],
        "Tệp mới được giữ chờ xác nhận": states["held"],
        "Tệp chưa đọc được, sẽ thử lại": states["failed"],
        "Tệp trùng": states["known"] + states["duplicate"],
        "Tệp đang thay đổi": restless,
        "Bảng trả lại đơn vị": returned,
        **({"Lấy từ nguồn thứ hai": fetched.files} if fetched else {}),
        **{f"Sổ đăng ký: {kind}": count for kind, count in sorted(_totals(register).items())},
    }
    with ThreadPoolExecutor(4) as pool:
        counted = dict(
            zip(OTHER_TABLES, pool.map(partial(previews.count_rows, folders.store), OTHER_TABLES), strict=True)
        )
        by_period = partial(previews.sendings_by_period, folders.store)
        of_forms = dict(zip(FORM_TABLES, pool.map(by_period, FORM_TABLES), strict=True))
    for table, rows in counted.items():
        extra = about_this_run if table == "submissions" else {}
        yield dg.MaterializeResult(asset_key=["store", table], metadata={"dagster/row_count": rows, **extra})
    for table, (rows, held_back, preview) in of_forms.items():
        yield dg.MaterializeResult(
            asset_key=["store", table],
            metadata={"dagster/row_count": rows, "Dòng bị giữ lại": held_back, "Theo năm và đơn vị": preview},
        )
    yield from _dead_letters(letters.unsettled(backlog.known_to(kept)))

    unread = refused + states["failed"]
    yield dg.AssetCheckResult(
        check_name="moi_tep_doc_duoc",
        asset_key=["store", "submissions"],
        passed=not unread,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"Tệp không đọc được": unread, "Tệp trong hộp nhận": len(present)},
    )
    counts = kept.read_counts()
    unequal = len(sendings.unbalanced(kept))
    yield dg.AssetCheckResult(
        check_name="doc_vao_bang_nap_cong_giu_lai",
        asset_key=["store", "counts"],
        passed=not unequal,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"Biểu đã đối chiếu": len(counts), "Biểu lệch": unequal},
    )


def _fetch(
    context: dg.AssetExecutionContext, config: Batches, folders: Folders, marks: backlog.Marks
) -> sources.Fetched | None:
    """Bring what the second source has; where it fails, say so once and go on without it."""
    source = sources.configured()
    if source is None:
        return None
    fetched = sources.fetch(source, folders, marks, seconds=60 * config.source_minutes, patience_seconds=2.0)
    if fetched.problem:
        context.log.warning(fetched.problem)
    return fetched


def _totals(register: Register) -> Counter[str]:
    return Counter(event.kind for event in register.read())


def _dead_letters(letters: list[DeadLetter]) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """What waits for a person, named by content and code: names of files stay in the folder and the register."""
    codes = Counter(letter.code for letter in letters)
    yield dg.MaterializeResult(
        asset_key=DEAD_LETTERS,
        metadata={
            "dagster/row_count": len(letters),
            "Danh sách": previews.table_metadata(
                [
                    ("Thư mục", "string"),
                    ("Mã", "string"),
                    ("Vì sao", "string"),
                    ("Đơn vị", "string"),
                    ("Lúc", "string"),
                ],
                [(letter.id, letter.code, letter.message, letter.unit_code or "", letter.at) for letter in letters],
            ),
        },
    )
    yield dg.AssetCheckResult(
        check_name="khong_con_thu_chet",
        asset_key=DEAD_LETTERS,
        passed=not letters,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"Chờ xử lý": len(letters), **codes},
    )
