"""Expectations of our own: what a row says must agree with itself, with its group, or with the rules of its year.

Each is a metric (what must hold in a row, over the columns given) and the expectation that asks for it.
"""

from typing import ClassVar

import numpy as np
import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    MulticolumnMapMetricProvider,
    multicolumn_condition_partial,
)

TOLERANCE = 1e-9
"""How far apart two sums of shares may lie and still be equal."""


class PartsEqualTotal(MulticolumnMapMetricProvider):
    """The columns but the last add up to the last."""

    condition_metric_name = "multicolumn_values.parts_equal_total"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:
        return column_list.iloc[:, :-1].sum(axis=1, skipna=False) == column_list.iloc[:, -1]


class ExpectPartsToEqualTotal(MulticolumnMapExpectation):
    """In every row the parts add up to the total, which is the last column."""

    map_metric: ClassVar[str] = PartsEqualTotal.condition_metric_name


class GroupAddsUp(MulticolumnMapMetricProvider):
    """Over rows alike in all columns but the last two, the first of these adds up to the second."""

    condition_metric_name = "multicolumn_values.group_adds_up"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:
        *group, part, total = column_list.columns
        return column_list.groupby(group)[part].transform("sum") == column_list[total]


class ExpectGroupToAddUp(MulticolumnMapExpectation):
    """Over each group (the leading columns) the part adds up to the total the rows state (the last two columns)."""

    map_metric: ClassVar[str] = GroupAddsUp.condition_metric_name


class SharesMakeWhole(MulticolumnMapMetricProvider):
    """Over rows alike in all columns but the last, its shares add up to one; groups without shares are left alone."""

    condition_metric_name = "multicolumn_values.shares_make_whole"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:
        *group, share = column_list.columns
        shares = column_list.groupby(group)[share]
        return ((shares.transform("sum") - 1).abs() <= TOLERANCE) | (shares.transform("count") == 0)


class ExpectSharesToMakeWhole(MulticolumnMapExpectation):
    """Over each group (the leading columns) the shares (the last column) make 100%."""

    map_metric: ClassVar[str] = SharesMakeWhole.condition_metric_name


class GroupHasAll(MulticolumnMapMetricProvider):
    """Over rows alike in all columns but the last, that one takes every value of the set."""

    condition_metric_name = "multicolumn_values.group_has_all"
    condition_value_keys = ("value_set",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, value_set: list[str], **_: object) -> pd.Series:
        *group, member = column_list.columns
        known = column_list[member].where(column_list[member].isin(value_set))
        return known.groupby([column_list[column] for column in group]).transform("nunique") == len(set(value_set))


class ExpectGroupToHaveAll(MulticolumnMapExpectation):
    """Each group (the leading columns) has a row for every value of the set in the last column."""

    value_set: list[str]
    map_metric: ClassVar[str] = GroupHasAll.condition_metric_name
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "value_set")


class FilledWhen(MulticolumnMapMetricProvider):
    """The first column is filled when the second has one of the values; and only then, where asked."""

    condition_metric_name = "multicolumn_values.filled_when"
    condition_value_keys = ("values", "only_then")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, values: list, only_then: bool, **_: object) -> pd.Series:
        filled, due = column_list.iloc[:, 0].notna(), column_list.iloc[:, 1].isin(values)
        return filled == due if only_then else filled | ~due


class ExpectFilledWhen(MulticolumnMapExpectation):
    """The first column is filled when the second has one of the values; and only then, unless told otherwise."""

    values: list[str | bool]
    only_then: bool = True
    map_metric: ClassVar[str] = FilledWhen.condition_metric_name
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "values", "only_then")


class FollowsTarget(MulticolumnMapMetricProvider):
    """The status of a target is what its numbers say, with "more than" strictly more."""

    condition_metric_name = "multicolumn_values.follows_target"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:
        status, comparison, target, unit, numerator, denominator = (column_list[name] for name in column_list.columns)
        target, numerator, denominator = (pd.to_numeric(values) for values in (target, numerator, denominator))
        is_share = unit == "%"
        part = numerator.where(~is_share, 100 * numerator)
        limit = target.where(~is_share, target * denominator)
        met = np.where(comparison == "gt", part > limit, part >= limit)
        return (status == "missing") | ((status == "met") == met)


class ExpectStatusToFollowTarget(MulticolumnMapExpectation):
    """A target is met exactly when its numbers meet it.

    Columns: status, comparison, target value, unit of measure, numerator, denominator.
    """

    map_metric: ClassVar[str] = FollowsTarget.condition_metric_name


class FollowsCounts(MulticolumnMapMetricProvider):
    """The status of a rule's result is what its counts say."""

    condition_metric_name = "multicolumn_values.follows_counts"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:
        status, tested, found = (column_list[name] for name in column_list.columns)
        due = np.select([found > 0, tested > 0], ["found", "passed"], "not_checked")
        return (status == due) & (found <= tested)


class ExpectStatusToFollowCounts(MulticolumnMapExpectation):
    """What was not tested is never shown as passed. Columns: status, tested, found."""

    map_metric: ClassVar[str] = FollowsCounts.condition_metric_name


class WithoutContradiction(MulticolumnMapMetricProvider):
    """A result of the rule counts no contradiction."""

    condition_metric_name = "multicolumn_values.without_contradiction"
    condition_value_keys = ("rule_id",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, rule_id: str, **_: object) -> pd.Series:
        return (column_list["rule_id"] != rule_id) | (column_list["found"] == 0)


class ExpectNoContradiction(MulticolumnMapExpectation):
    """No rating contradicts the rule in any unit and year that could be tested."""

    rule_id: str
    column_list: list[str] = ["rule_id", "tested", "found"]  # noqa: RUF012 (a field of the model)
    map_metric: ClassVar[str] = WithoutContradiction.condition_metric_name
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "rule_id")

    def why_not_checked(self, frame: pd.DataFrame) -> str | None:
        """Reason why there is nothing to say of the rule, where nothing could be tested."""
        tested = frame.loc[frame["rule_id"] == self.rule_id, "tested"].sum()
        return None if tested > 0 else f"Quy tắc {self.rule_id} chưa kiểm tra được trường hợp nào."


class RisesTogether(MulticolumnMapMetricProvider):
    """Over rows alike in all columns but the last two, the last never falls where the one before it rises."""

    condition_metric_name = "multicolumn_values.rises_together"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:
        *group, cause, effect = column_list.columns
        ordered = column_list.sort_values([cause, effect], kind="stable")
        fell = ordered[effect] < ordered.groupby(group)[effect].cummax()
        return ~fell.fillna(False).astype(bool).reindex(column_list.index)


class ExpectToRiseTogether(MulticolumnMapExpectation):
    """Within each group (the leading columns) the last column never falls where the one before it rises."""

    map_metric: ClassVar[str] = RisesTogether.condition_metric_name


class BandFollowsQ(MulticolumnMapMetricProvider):
    """A band holds nobody whose q is beyond its largest."""

    condition_metric_name = "multicolumn_values.band_follows_q"
    condition_value_keys = ("largest",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, largest: dict[str, float], **_: object) -> pd.Series:
        band, q = (column_list[name] for name in column_list.columns)
        return ~(q > band.map(largest)).fillna(False).astype(bool)


class ExpectBandToFollowQ(MulticolumnMapExpectation):
    """Nobody is in a band (first column) with a q (second column) beyond its largest."""

    largest: dict[str, float]
    map_metric: ClassVar[str] = BandFollowsQ.condition_metric_name
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "largest")


class NobodyInBand(MulticolumnMapMetricProvider):
    """A row of the review list is not of the band."""

    condition_metric_name = "multicolumn_values.nobody_in_band"
    condition_value_keys = ("band",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, band: str, **_: object) -> pd.Series:
        return column_list["band"] != band


class ExpectNobodyInBand(MulticolumnMapExpectation):
    """Nobody stands in the band of the review list, in any level and year."""

    band: str
    column_list: list[str] = ["band", "organisation_key"]  # noqa: RUF012 (a field of the model)
    map_metric: ClassVar[str] = NobodyInBand.condition_metric_name
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "band")


class NobodyStandsOut(MulticolumnMapMetricProvider):
    """A row of the signal does not stand out by itself."""

    condition_metric_name = "multicolumn_values.nobody_stands_out"
    condition_value_keys = ("signal", "largest")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, signal: str, largest: float, **_: object) -> pd.Series:
        return (column_list["signal"] != signal) | ~(column_list["q"] <= largest).fillna(False).astype(bool)


class ExpectNobodyToStandOut(MulticolumnMapExpectation):
    """No organisation stands out by one signal alone, where it could be tested."""

    signal: str
    largest: float = 0.05
    column_list: list[str] = ["signal", "q", "is_testable"]  # noqa: RUF012 (a field of the model)
    map_metric: ClassVar[str] = NobodyStandsOut.condition_metric_name
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "signal", "largest")

    def why_not_checked(self, frame: pd.DataFrame) -> str | None:
        """Reason why there is nothing to say of the signal, where nothing could be tested."""
        tested = frame.loc[frame["signal"] == self.signal, "is_testable"].sum()
        return None if tested > 0 else f"Dấu hiệu {self.signal} chưa kiểm tra được ở tổ chức nào."
