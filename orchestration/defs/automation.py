"""Jobs of the whole path, and the sensor that starts it; packs have their own jobs and schedules."""

import dagster as dg

from orchestration import automation, sendings
from orchestration.defs import packs

EVERYTHING = dg.AssetSelection.all() - dg.AssetSelection.checks(*sendings.CHECKS)
"""All but the checks of sendings: intake reports them, and a job of all takes no partition."""

whole = dg.define_asset_job(
    "whole",
    selection=EVERYTHING,
    description="Cả quy trình: tiếp nhận báo cáo, dựng kho, kiểm tra, tìm mâu thuẫn, công bố, làm tập biểu đồ.",
)

build = dg.define_asset_job(
    "build",
    selection=EVERYTHING - dg.AssetSelection.assets(*packs.KEYS),
    description="Tiếp nhận báo cáo, dựng kho, kiểm tra, tìm mâu thuẫn và công bố; không làm tập biểu đồ.",
)


@dg.sensor(
    job=whole,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Theo dõi hộp nhận: chỉ đọc tệp đã ngừng thay đổi, không đọc tệp nào hai lần.",
)
def inbox_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask for a run when new workbooks have settled; heal the queue first, so that a killed run holds nothing up."""
    return automation.watch_inbox(context)


@dg.sensor(
    job=whole,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lấy tệp đã gửi xong từ nguồn thứ hai (THUCCHAT_SOURCE) về cho hộp nhận; không sửa, xóa gì ở đó.",
)
def source_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Fetch from the second source; that it is down or slow must not hold up the inbox."""
    return automation.watch_source(context)
