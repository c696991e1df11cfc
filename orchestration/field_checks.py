"""The field check between the warehouse, the register and `ratings.fieldcheck`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from orchestration import taking_in
from orchestration.problems import ProblemError
from orchestration.registers import open_register
from orchestration.settings import Folders
from orchestration.warehouse import land
from ratings import fieldcheck
from ratings.combination import combine
from ratings.signals.province import GRASSROOTS
from submissions.fieldchecks import TABLE, read_draw
from submissions.register.fieldchecks import record
from submissions.register.log import RegisterError
from submissions.store import Store

FACTS, SIGNALS = "fct_field_check", "fct_signal"


@dataclass(frozen=True)
class Estimates:
    """What a second look says of everybody."""

    province: pd.DataFrame
    """`fieldcheck.PROVINCE_COLUMNS`"""
    precision: pd.DataFrame
    """`fieldcheck.PRECISION_COLUMNS`"""


def organisation(frame: pd.DataFrame) -> pd.Series:
    """A grassroots organisation of a year: two units may have given one code."""
    return frame["unit_code"].astype("str") + "/" + frame["org_code"].astype("str")


def results(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every member drawn as estimates read it (`fieldcheck.RESULTS`)."""
    facts = tables[FACTS]
    facts = facts.assign(organisation=organisation(facts)).astype({"was_good": "boolean", "is_good": "boolean"})
    return facts[list(fieldcheck.RESULTS)]


def signals(rows: pd.DataFrame) -> pd.DataFrame:
    """The signals of grassroots organisations by their codes, with `period`."""
    rows = rows[rows["organisation_level"] == GRASSROOTS]
    return rows.assign(organisation=organisation(rows), period=rows["year"])


def land_field_checks(tables: Mapping[str, pd.DataFrame], folder: Path) -> Estimates:
    """Estimate from what was found on the spot and from the signals landed in `folder`; land it beside them."""
    found = results(tables)
    told = signals(pd.read_parquet(folder / "signals.parquet"))
    estimates = Estimates(fieldcheck.province_shares(found), fieldcheck.precision(found, told))
    land(estimates.province, folder / "field_check_province.parquet")
    land(estimates.precision, folder / "field_check_precision.parquet")
    return estimates


def risk(tables: Mapping[str, pd.DataFrame], year: int) -> pd.Series:
    """T of every grassroots organisation of a year, by its codes (`combination.combine`); missing where not tested."""
    rows = signals(tables[SIGNALS])
    rows = rows[rows["year"] == year]
    listed = combine(rows).organisations if len(rows) else pd.DataFrame({"organisation": [], "t": []})
    return listed.set_index("organisation")["t"].astype("float64")


def members(tables: Mapping[str, pd.DataFrame], year: int) -> pd.DataFrame:
    """Members with a decided level in a year, of whom is drawn, with the place of their row in the unit's own file."""
    rated = tables["fct_member_assessment"]
    rated = rated[(rated["year"] == year) & rated["final_level"].notna() & rated["grassroots_code"].notna()]
    sent = tables["fct_submission"][["source_hash", "sent_no"]]
    names = tables["organisation_snapshot"]
    names = names.loc[names["year"] == year, ["unit_code", "org_code", "org_name"]]
    rated = rated.rename(columns={"grassroots_code": "org_code", "final_level": "level_code", "cell_code": "cell"})
    rated = rated.merge(sent, on="source_hash", how="left").merge(names, on=["unit_code", "org_code"], how="left")
    sending = rated["sent_no"].astype("Int64").astype("str").replace("<NA>", "?")
    return rated.assign(
        organisation=organisation(rated),
        member=rated["member_key"],
        cell_code=rated["cell"],
        listed_in="lần " + sending + " · tệp " + rated["source_hash"].str[:12],
        listed_sheet=rated["sheet"],
        listed_row=rated["row"].astype(np.int64),
    )[
        [
            "organisation", "cell", "member", "unit_code", "org_code", "org_name", "cell_code", "member_key",
            "record_id", "level_code", "listed_in", "listed_sheet", "listed_row",
        ]
    ]  # fmt: skip


def enter(folders: Folders, drawn: fieldcheck.Draw, *, by: str) -> bool:
    """Enter a draw into the register and tell the store of it; whether it is new."""
    size = drawn.size
    told = {
        "seed": drawn.seed,
        "difference": size.difference,
        "base_rate": size.base_rate,
        "correlation": size.correlation,
        "power": size.power,
        "per_arm": size.organisations,
        "per_organisation": size.members,
        "population": drawn.population,
    }
    codes = drawn.members[["organisation", "unit_code", "org_code"]].drop_duplicates()
    organisations = drawn.organisations.merge(codes, on="organisation")
    with open_register(folders) as register:
        try:
            is_new = record(register, drawn.draw_id, drawn.year, told, organisations, drawn.members, by=by)
        except RegisterError as error:
            raise ProblemError(str(error)) from error
    taking_in.take_in_files([], folders)
    return is_new


def progress(folders: Folders, hashes: Iterable[str]) -> list[str]:
    """What files of results hold, a sentence each: how many of a draw have a result, are held back, are gone."""
    store, told = Store(folders.store), []
    for name in hashes:
        sent = store.submission(name) if name else None
        if sent is None or sent["state"] != "accepted" or sent["draw_id"] is None:
            continue
        rows = store.form_frame(TABLE, name)
        drawn = read_draw(store, sent["draw_id"])
        good = rows[~rows["is_held_back"].astype(bool)]
        lacking = len(set(drawn["number"]) - set(rows["number"].dropna().astype(int)))
        told.append(
            f"Mẫu {sent['draw_id']}: {int(good['level'].notna().sum())} trên {len(drawn)} phiếu có kết quả, "
            f"{len(rows) - len(good)} dòng không tính được, {lacking} phiếu không còn trong tệp."
        )
    return told
