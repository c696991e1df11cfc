"""Jobs of the whole path, and the sensor that starts it; packs have their own jobs and schedules."""

import dagster as dg

from orchestration import automation
from orchestration.defs import packs

whole = dg.define_asset_job(
    "whole",
    selection=dg.AssetSelection.all(),
    description="Cả quy trình: tiếp nhận báo cáo, dựng kho, kiểm tra, tìm mâu thuẫn, công bố, làm tập biểu đồ.",
)

build = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*packs.KEYS),
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
