"""The store: what units have sent, and the tables that intake reads out of it."""

from collections.abc import Iterator

import dagster as dg

from orchestration import inbox, previews, sendings
from orchestration.warehouse import POOL, Workshop
from submissions.form_set import load_form_sets
from submissions.intake import take_in
from submissions.returned.returns import write_returns
from submissions.store import Store

OWNER = "team:tiep-nhan-bao-cao"

OTHER_TABLES = {
    "submissions": "Các lần gửi: mỗi tệp một dòng, được nhận hay bị trả lại và vì sao.",
    "counts": "Đối chiếu số dòng của từng biểu: đọc vào = nạp + giữ lại.",
    "issues": "Lỗi đã báo cho đơn vị. Có số thẻ nên chỉ nằm trong kho gốc, không vào kho phân tích.",
    "units": "Danh sách đơn vị phải gửi báo cáo.",
    "cap_exceptions": "Quyết định cho phép vượt mức 20% xếp loại xuất sắc.",
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


@dg.multi_asset(
    name="store",
    pool=POOL,
    specs=[
        dg.AssetSpec(
            ["store", table],
            description=description,
            group_name="store",
            owners=[OWNER],
            kinds={"python", "parquet"},
            deps=[sendings.KEY],
        )
        for table, description in (OTHER_TABLES | FORM_TABLES).items()
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
            description="Mỗi biểu của mỗi lần gửi: số dòng đọc vào = số dòng nạp + số dòng giữ lại.",
            blocking=True,
        ),
    ],
)
def store(
    context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Take in whatever lies settled in the inbox; a file that is known already costs nothing."""
    folders = workshop.folders
    folders.inbox.mkdir(parents=True, exist_ok=True)
    ready, restless = inbox.wait_until_settled(folders.inbox)
    if restless:
        context.log.warning(f"{len(restless)} tệp vẫn đang thay đổi, để lại cho lần sau.")
    report = take_in(ready, data=folders.data)
    for file in report.files:
        if file.state in {"refused", "failed"}:
            # Named by content: a unit may write a person's name into the name of a file.
            context.log.warning(f"Tệp {file.source_hash[:12]} không đọc được: {file.message}")
    returned = write_returns(folders.data)
    kept = Store(folders.store)
    if not kept.read_submissions()["is_in_force"].any():
        raise dg.Failure(
            f"Chưa có báo cáo nào được nhận ({len(report.files)} tệp đã xem): "
            f"hãy để các tệp báo cáo vào {folders.inbox} hoặc chạy thucchat intake.",
            allow_retries=False,
        )
    sendings.report(context.instance, kept, log=context.log_event)

    states = [file.state for file in report.files]
    about_this_run = {
        "Tệp mới được nhận": states.count("accepted"),
        "Tệp bị trả lại": states.count("refused"),
        "Tệp chưa đọc được, sẽ thử lại": states.count("failed"),
        "Tệp đã biết": states.count("known"),
        "Tệp đang thay đổi": len(restless),
        "Bảng trả lại đơn vị": len(returned),
    }
    for table in OTHER_TABLES:
        rows = previews.count_rows(folders.store, table)
        extra = about_this_run if table == "submissions" else {}
        yield dg.MaterializeResult(asset_key=["store", table], metadata={"dagster/row_count": rows, **extra})
    for table in FORM_TABLES:
        rows, held_back, preview = previews.sendings_by_period(folders.store, table)
        yield dg.MaterializeResult(
            asset_key=["store", table],
            metadata={"dagster/row_count": rows, "Dòng bị giữ lại": held_back, "Theo năm và đơn vị": preview},
        )

    unread = states.count("refused") + states.count("failed")
    yield dg.AssetCheckResult(
        check_name="moi_tep_doc_duoc",
        asset_key=["store", "submissions"],
        passed=not unread,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"Tệp không đọc được": unread, "Tệp trong hộp nhận": len(states)},
    )
    counts = kept.read_counts()
    unequal = counts["rows_in"] != counts["loaded"] + counts["held_back"]
    yield dg.AssetCheckResult(
        check_name="doc_vao_bang_nap_cong_giu_lai",
        asset_key=["store", "counts"],
        passed=not unequal.any(),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"Biểu đã đối chiếu": len(counts), "Biểu lệch": int(unequal.sum())},
    )
