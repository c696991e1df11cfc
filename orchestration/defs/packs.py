"""Packs: what leadership receives, drawn from the published warehouse only; each is an asset, a job and a schedule."""

import base64
from pathlib import Path

import dagster as dg

from orchestration import publications
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from orchestration.warehouse import Tables, Workshop, published_build
from reports.catalogue import PACKS, Pack

OWNER = "team:tham-muu"

TIMEZONE = "Asia/Ho_Chi_Minh"


class PackYear(dg.Config):
    """Which year a pack is of."""

    year: int | None = None
    """The year assessed; left out, the latest one received."""


def ascii_name(pack: Pack) -> str:
    """The pack's name as Dagster takes names."""
    return pack.name.replace("-", "_")


def key(pack: Pack) -> dg.AssetKey:
    """The asset of a pack."""
    return dg.AssetKey(["packs", ascii_name(pack)])


def told(pack: Pack, path: Path, folders: Folders) -> dict[str, object]:
    """What the asset of a pack shows of the file that was written."""
    year = int(path.parent.name)
    charts = {
        f"Biểu đồ {number}": dg.MetadataValue.md(
            f"![{title}](data:image/png;base64,{base64.b64encode(image).decode()})"
        )
        for number, (title, image) in enumerate(publications.previews(pack, Tables(folders.published), year), start=1)
    }
    return {
        "Năm": year,
        "Bản dựng": published_build(folders),
        "Tệp": dg.MetadataValue.path(str(path)),
        "Dung lượng (KB)": round(path.stat().st_size / 1000),
        **charts,
    }


def pack_asset(pack: Pack) -> dg.AssetsDefinition:
    """The asset that writes `pack` from what is published."""

    @dg.asset(
        key=key(pack),
        deps=[["published"]],
        group_name="packs",
        owners=[OWNER],
        kinds={"typst", "matplotlib"},
        description=f"Tập biểu đồ “{pack.title}” dạng PDF, lấy số liệu từ kho đã công bố.",
    )
    def publication(
        context: dg.AssetExecutionContext, config: PackYear, workshop: dg.ResourceParam[Workshop]
    ) -> dg.MaterializeResult:
        folders = workshop.folders
        try:
            path = publications.write(pack.name, config.year, folders, workshop.province)
        except ProblemError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for problem in publications.follow(folders, workshop.province)[1]:
            context.log.warning(f"Tập biểu đồ năm khác chưa làm lại được: {problem}")
        return dg.MaterializeResult(metadata=told(pack, path, folders))

    return publication


def schedule(pack: Pack) -> dg.ScheduleDefinition:
    """Asks for `pack` of the year just ended on the day it is due."""

    @dg.schedule(
        name=f"{ascii_name(pack)}_yearly",
        job_name=f"publish_{ascii_name(pack)}",
        cron_schedule=f"0 7 {pack.due_day} {pack.due_month} *",
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Hằng năm, 7 giờ ngày {pack.due_day}/{pack.due_month}: tập “{pack.title}” của năm vừa kết thúc.",
    )
    def yearly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        year = context.scheduled_execution_time.year - 1
        op = key(pack).to_python_identifier()
        return dg.RunRequest(run_key=f"{pack.name}-{year}", run_config={"ops": {op: {"config": {"year": year}}}})

    return yearly


publication_assets = [pack_asset(pack) for pack in PACKS.values()]

publication_jobs = [
    dg.define_asset_job(
        f"publish_{ascii_name(pack)}",
        selection=dg.AssetSelection.assets(key(pack)),
        description=f"Làm tập biểu đồ “{pack.title}” từ kho đang công bố.",
    )
    for pack in PACKS.values()
]

publication_schedules = [schedule(pack) for pack in PACKS.values()]

KEYS = tuple(key(pack) for pack in PACKS.values())
