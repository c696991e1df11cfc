"""Where things lie, and the only module that reads or sets the process environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The repository: code that the build id covers, the dbt project, the demo."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "PYTHONUTF8": "1",
}
"""What keeps the tools from talking to other hosts, and Vietnamese from breaking in a C locale."""


@dataclass(frozen=True)
class Folders:
    """The data directory; nothing is written outside it."""

    data: Path

    @property
    def inbox(self) -> Path:
        """Where units' workbooks are dropped."""
        return self.data / "inbox"

    @property
    def store(self) -> Path:
        """Original bytes and Parquet of every sending."""
        return self.data / "store"

    @property
    def register(self) -> Path:
        """The register where it is not in a database of its own."""
        return self.data / "register.sqlite"

    @property
    def outbox(self) -> Path:
        """Receipts, by unit."""
        return self.data / "outbox"

    @property
    def dead_letters(self) -> Path:
        """What could not be handled, with its reason; taking a folder away settles it."""
        return self.data / "dead_letters"

    @property
    def spool(self) -> Path:
        """What was fetched and not read yet."""
        return self.data / "spool"

    @property
    def marks(self) -> Path:
        """What the inbox looked like; losing it loses nothing."""
        return self.data / "inbox.sqlite"

    @property
    def builds(self) -> Path:
        """Warehouses by build id."""
        return self.data / "builds"

    @property
    def published(self) -> Path:
        """The warehouse that everyone reads."""
        return self.data / "published.duckdb"

    @property
    def findings(self) -> Path:
        """Findings and rule results as Parquet, which dbt reads back."""
        return self.data / "findings"

    @property
    def packs(self) -> Path:
        """Finished packs by year."""
        return self.data / "packs"

    @property
    def returned(self) -> Path:
        """Workbooks that go back to the units."""
        return self.data / "returned"

    @property
    def dagster(self) -> Path:
        """Home of the Dagster instance."""
        return self.data / "dagster"

    @property
    def lock(self) -> Path:
        """The lock that whoever changes the store or the warehouse holds."""
        return self.data / "build.lock"


@dataclass(frozen=True)
class Settings:
    """What may differ from one installation to the next."""

    folders: Folders
    province: str
    register: str | None = None
    """URL of the register where it is not the file in the data directory (``postgresql://…``)."""
    source: str | None = None
    """URL of a second inbox (``sftp://…``, ``s3://…``)."""
    source_known_hosts: Path | None = None
    """File with the keys of SFTP hosts; without it the user's own."""
    source_key: Path | None = None
    """File with the private key for SFTP."""


def settings() -> Settings:
    """From the environment: ``THUCCHAT_DATA`` (default ``data``), ``_PROVINCE``, ``_REGISTER``, ``_SOURCE``."""
    return Settings(
        folders=Folders(Path(os.environ.get("THUCCHAT_DATA") or "data").resolve()),
        province=os.environ.get("THUCCHAT_PROVINCE") or "Đắk Mẫu",
        register=os.environ.get("THUCCHAT_REGISTER") or None,
        source=os.environ.get("THUCCHAT_SOURCE") or None,
        source_known_hosts=_path("THUCCHAT_SOURCE_KNOWN_HOSTS"),
        source_key=_path("THUCCHAT_SOURCE_KEY"),
    )


def _path(name: str) -> Path | None:
    return Path(os.environ[name]) if os.environ.get(name) else None


def set_environment(folders: Folders) -> None:
    """Make this process and its children work on `folders`, quietly."""
    os.environ.update(QUIET, THUCCHAT_DATA=str(folders.data), DAGSTER_HOME=str(folders.dagster))
    # `dagster` and `dbt` are started by name; they are this environment's, whether it is activated or not.
    own = str(Path(sys.executable).parent)
    if own not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", "")])


LARGE_STORE_BYTES = 100_000_000
"""Of Parquet: some twenty provinces' years. Beyond it a node needs the memory that four would share: at six times as
much two at a time wrote more than 26 GB to disk where one after the other wrote nothing."""


def nodes_at_a_time(store: Path) -> int:
    """How many nodes of the dbt project run side by side; one where each takes much memory, or they spill to disk."""
    stored = sum(path.stat().st_size for path in store.glob("forms/*/*.parquet"))
    return 1 if stored > LARGE_STORE_BYTES else 4


def dbt_environment(folders: Folders, warehouse: Path) -> dict[str, str]:
    """What tells dbt which store to read, which file to write, and how many nodes to run side by side."""
    return {
        "THUCCHAT_DBT_THREADS": str(nodes_at_a_time(folders.store)),
        "THUCCHAT_STORE": str(folders.store),
        "THUCCHAT_FINDINGS": str(folders.findings),
        "THUCCHAT_WAREHOUSE": str(warehouse),
        "DBT_LOG_LEVEL_FILE": "info",
        **QUIET,
    }


def export(variables: Mapping[str, str]) -> None:
    """Set variables for this process and its children."""
    os.environ.update(variables)
