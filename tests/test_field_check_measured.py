"""What the field check promises, kept over two hundred draws of made-up provinces of which everything is known."""

import pytest
from scipy.stats import binom

from benchmarks import field_check
from ratings.fieldcheck import sample_size
from ratings.simulation import Province

DRAWS, LEAST = 200, 0.90
"""With 200 draws an interval of 95% covers less often than in 90% of them once in five hundred times."""

KINDS = {
    "everyone inflates": Province(organisations=80, periods=2, planted=0.9),
    "harsh and mild": Province(organisations=80, periods=2, districts=1.0, leniency=1.0, moods=0.5),
}


@pytest.fixture(scope="module", params=KINDS)
def measured(request) -> dict:
    return field_check.measure(field_check.world(3, KINDS[request.param]), DRAWS, 30)


def test_an_interval_of_95_percent_covers_the_truth_so_often(measured):
    assert binom.cdf(LEAST * DRAWS - 1, DRAWS, 0.95) < 0.002
    assert measured["covered"] >= LEAST
    assert measured["lowered_covered"] >= LEAST


def test_the_share_of_the_province_is_met_on_average(measured):
    assert abs(measured["mean"] - measured["true"]) < 4 * measured["error"]


def test_how_right_an_indicator_is_is_met_on_average(measured):
    assert measured["indicators"]
    for told in measured["indicators"].values():
        assert abs(told["mean"] - told["true"]) < 4 * told["error"] + 0.01


@pytest.mark.parametrize("asked", field_check.SIZES, ids=str)
def test_the_size_has_the_power_it_tells(asked):
    size = sample_size(**asked, fewest=2)

    assert size.power == pytest.approx(0.8, abs=0.02)
    assert field_check.power(size, 800) == pytest.approx(size.power, abs=0.05)
