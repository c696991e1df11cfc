"""The gate: the one place where a warehouse becomes the one that everybody reads."""

import dagster as dg

from orchestration import gate, releases
from orchestration.checks import NAME as SUITE_CHECK
from orchestration.defs import checks, store, warehouse
from orchestration.problems import ProblemError
from orchestration.warehouse import NotBuiltError, Workshop


@dg.asset(
    key=["published"],
    group_name="published",
    owners=["team:kho-du-lieu"],
    kinds={"duckdb"},
    deps=sorted(key for key in {*warehouse.marts.keys, *warehouse.findings_marts.keys} if key.path[0] == "marts"),
)
def published(context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]) -> dg.MaterializeResult:
    """Kho đã công bố: chỉ thay bản cũ khi mọi kiểm tra bắt buộc của chính lần chạy này đều đạt.

    Bản mới được so với bản đang công bố; thay đổi nào không do lần gửi hay quyết định nào thì chờ người chấp nhận.
    """
    expected = {
        *store.store.check_keys,
        *warehouse.marts.check_keys,
        *warehouse.findings_marts.check_keys,
        *checks.KEYS,
    }
    try:
        workshop.unfinished()
        workshop.ahead.settle()
        standing = gate.standing(context.instance, context.run.run_id, expected)
    except NotBuiltError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if not standing.may_publish:
        raise dg.Failure(f"Không công bố: {standing}. Kho đang phục vụ được giữ nguyên.", allow_retries=False)
    for name in standing.warned:
        if not name.endswith(SUITE_CHECK):  # a suite has told what it found
            context.log.warning(f"Kiểm tra không đạt ở mức cảnh báo: {name}")
    try:
        release = releases.conclude(workshop)
    except ProblemError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={
            **release.told,
            "Tệp": dg.MetadataValue.path(str(workshop.folders.published)),
            "Kiểm tra đạt": standing.passed,
            "Cảnh báo": len(standing.warned),
        }
    )
