import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from submissions.asking import fingerprint_of
from submissions.intake import take_in
from submissions.store import Store
from tests.provinces import PROJECT

YEARS = (2022, 2024)


@pytest.fixture
def data(tmp_path):
    books = [PROJECT / "demo" / f"Đảng_ủy_Bộ_đội_Biên_phòng_tỉnh_{year}_final.xlsx" for year in YEARS]
    take_in(books, data=tmp_path / "data", workers=1)
    return tmp_path / "data"


def test_every_sending_that_counts_has_what_was_asked_even_if_it_is_nothing(data):
    store = Store(data / "store")

    assert {path.stem for path in store.queries.glob("*.parquet")} == {"_schema", *store.received()}


def test_what_a_killed_batch_did_not_ask_is_asked_by_the_next_one(data):
    store = Store(data / "store")
    lost, kept = (store.queries / f"{name}.parquet" for name in sorted(store.received()))
    asked, stamp = pq.read_table(lost), kept.stat().st_mtime_ns
    # The register was told, and then the power failed.
    lost.unlink()

    take_in([], data=data, workers=1)

    assert pq.read_table(lost) == asked
    assert kept.stat().st_mtime_ns == stamp


def test_a_fingerprint_of_an_earlier_version_is_made_anew(data):
    store = Store(data / "store")
    path = min(store.fingerprints.glob("*.parquet"))
    now = fingerprint_of(store, path.stem)
    pq.write_table(pa.table({"source_hash": ["x"], "hash": [1]}), path)

    made = fingerprint_of(store, path.stem)

    assert made.hashes.keys() == now.hashes.keys()
    assert all((made.hashes[key] == now.hashes[key]).all() for key in now.hashes)
