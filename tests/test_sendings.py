"""What Dagster is told of all sendings together, and that rows are counted where they are kept."""

import dagster as dg
import pandas as pd
import pytest

from orchestration import sendings
from orchestration.instance import open_instance
from orchestration.registers import open_register
from orchestration.settings import Folders
from orchestration.taking_in import take_in_files
from submissions.store import Store
from tests.workbooks import changed, unit_forms, write_unit


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path / "data")


@pytest.fixture
def store(folders, tmp_path) -> Store:
    """A store that holds one sending, one member of which is held back."""
    take_in_files([write_unit(tmp_path / "a.xlsx", changed("members", 1, card_no="12")).path], folders)
    return Store(folders.store)


def in_force(folders: Folders) -> pd.DataFrame:
    with open_register(folders) as register:
        return sendings.in_force(Store(folders.store), register)


def shown(evaluation) -> dict[str, object]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_all_units_together_fail_as_a_warning_while_one_has_errors_though_another_is_clean(folders, tmp_path):
    dirty = write_unit(tmp_path / "2023.xlsx", changed("members", 1, gender="?", year=2023), year=2023).path
    clean = write_unit(tmp_path / "2024.xlsx", unit_forms(2024), year=2024).path
    take_in_files([dirty, clean], folders)
    of_years = in_force(folders).set_index("year")["errors"].to_dict()
    together = sendings.summary(in_force(folders))

    assert of_years[2024] == 0
    assert of_years[2023] > 0
    assert (together.passed, together.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert together.partition is None
    numbers = shown(together)
    assert (numbers["Lỗi"], numbers["Đơn vị còn lỗi"], numbers["Lần gửi đang có hiệu lực"]) == (of_years[2023], 1, 2)


def test_all_units_together_pass_when_nothing_is_left_and_none_has_sent(folders, tmp_path):
    take_in_files([write_unit(tmp_path / "a.xlsx").path], folders)

    assert sendings.summary(in_force(folders)).passed
    assert sendings.summary(in_force(folders).iloc[:0]).passed


def test_the_whole_job_leaves_the_summary_of_all_partitions(whole):
    with open_instance(whole) as instance:
        key = dg.AssetCheckKey(sendings.KEY, sendings.SUMMARY)
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    told = record.event.dagster_event.asset_check_evaluation_data
    current = in_force(whole)

    assert told.passed == (not (current["errors"].any() or current["queries"].any()))
    assert (shown(told)["Lỗi"], shown(told)["Lần gửi đang có hiệu lực"]) == (current["errors"].sum(), len(current))


def test_counts_that_are_those_of_the_rows_in_the_store_are_balanced(store):
    counts = store.read_counts().set_index("form")

    assert counts.loc["members", "held_back"] == 1
    assert sendings.unbalanced(store).empty


def lose_a_row(store, path, rows):
    rows.iloc[1:].to_parquet(path, index=False)


def double_a_row(store, path, rows):
    pd.concat([rows, rows.iloc[:1]]).to_parquet(path, index=False)


def load_what_was_held_back(store, path, rows):
    rows.assign(is_held_back=False).to_parquet(path, index=False)


def lose_all(store, path, rows):
    path.unlink()


def lose_the_counts(store, path, rows):
    (path,) = [path for path in store.counts.glob("*.parquet") if path.stem != "_schema"]
    counts = pd.read_parquet(path)
    counts[counts["form"] != "members"].to_parquet(path, index=False)


@pytest.mark.parametrize("damage", [lose_a_row, double_a_row, load_what_was_held_back, lose_all, lose_the_counts])
def test_rows_that_are_not_those_that_were_counted_are_found_though_the_counts_add_up(store, damage):
    (path,) = [path for path in store.form("members").glob("*.parquet") if path.stem != "_schema"]
    damage(store, path, pd.read_parquet(path))
    counts = store.read_counts()

    assert (counts["rows_in"] == counts["loaded"] + counts["held_back"]).all()
    assert sendings.unbalanced(store)["form"].tolist() == ["members"]


def test_rows_of_a_reading_that_was_killed_before_it_counted_are_nobodys(store):
    (path,) = [path for path in store.form("members").glob("*.parquet") if path.stem != "_schema"]
    pd.read_parquet(path).assign(source_hash="f" * 64).to_parquet(path.with_name(f"{'f' * 64}.parquet"), index=False)

    assert sendings.unbalanced(store).empty


def test_a_store_without_any_sending_is_balanced(folders):
    store = Store(folders.store)
    store.prepare()

    assert sendings.unbalanced(store).empty
