"""Resources of every run: the workshop, which holds the build lock as long as the run lives, and dbt."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orchestration import lock, models
from orchestration.instance import unhurried_log
from orchestration.settings import set_environment, settings
from orchestration.warehouse import Workshop


class WorkshopResource(dg.ConfigurableResource):
    """Gives a run its `Workshop` under the build lock: one writer at a time, whoever started it."""

    wait_seconds: float = lock.WAIT_SECONDS

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Workshop]:
        """Hold the lock for the run; a second run waits a little, then fails naming the holder."""
        now = settings()
        set_environment(now.folders)
        run_id = context.run.run_id if context.run else None
        purpose = f"lần chạy Dagster {run_id[:8]}" if run_id else "lần chạy Dagster"
        held = lock.hold(now.folders.lock, purpose, run_id=run_id, wait_seconds=self.wait_seconds)
        with unhurried_log(now.folders), held:
            yield Workshop(now.folders, now.province)


@dg.definitions
def defs() -> dg.Definitions:
    """Resources by the names that assets ask for."""
    return dg.Definitions(
        resources={
            "workshop": WorkshopResource(),
            "dbt": models.LocalDbt(
                project_dir=str(models.FOLDER), profiles_dir=str(models.FOLDER), dbt_executable=models.EXECUTABLE
            ),
        }
    )
