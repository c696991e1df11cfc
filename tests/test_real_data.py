"""Published data with an accepted answer give that answer (`tests/published/README.md` says whose they are)."""

from pathlib import Path

import pandas as pd
import pytest

from ratings.signals.frames import Scale
from ratings.signals.raters import raters
from ratings.signals.scores import bunching

PUBLISHED = Path(__file__).parent / "published"
SURE = 0.05


def p_of(found: pd.DataFrame) -> dict[tuple[str, float], float]:
    """p by unit and place, of what could be tested."""
    tested = found[found["is_testable"]]
    return dict(zip(zip(tested["unit"], tested["cutoff"], strict=True), tested["p"], strict=True))


class TestRegentsExaminations:
    """New York City 2010: papers just below 65 were moved over it, and nowhere else."""

    @pytest.fixture
    def found(self):
        papers = pd.read_csv(PUBLISHED / "ny_regents_2010.csv")
        return bunching(
            papers,
            [65],
            placebos=[45, 50, 60, 70, 75, 80, 85, 90],
            also_declared=[55],
            scale=Scale(score_min=0, score_max=100),
        )

    def test_65_is_found_in_five_of_five_examinations(self, found):
        real = found[~found["is_placebo"]]

        assert len(real) == 5
        assert (real["p"] < 0.01).all()
        assert (real["moved_share"] > 0.4).all()

    def test_nothing_is_found_at_any_of_the_placebos(self, found):
        placebos = found[found["is_placebo"]]

        assert len(placebos) == 40
        assert (placebos["p"] > SURE).all()

    def test_65_stands_out_when_its_place_is_one_of_the_placebos_of_another(self):
        papers = pd.read_csv(PUBLISHED / "ny_regents_2010.csv")

        p = p_of(bunching(papers, [75], placebos=[65], scale=Scale(score_min=0, score_max=100)))

        assert all(p[exam, 65] < SURE < p[exam, 75] for exam in papers["unit"].unique())


class TestRestaurantInspections:
    """New York City 2011-2016: fewer points are better, 13 the last that give an A, 27 the last that give a B."""

    PLACEBOS = (-7, -10, -17, -20, -23, -33)

    def found(self, kind):
        inspections = pd.read_csv(PUBLISHED / "nyc_restaurants.csv")
        inspections = inspections[inspections["kind"] == kind]
        return bunching(inspections.assign(score=-inspections["score"]), [-13, -27], placebos=self.PLACEBOS)

    @pytest.mark.parametrize("kind", ["initial", "again"])
    def test_13_is_found_in_all_five_boroughs(self, kind):
        found = self.found(kind)

        assert (found.loc[found["cutoff"] == -13, "p"] < 0.01).tolist() == [True] * 5

    def test_27_is_not_found_where_it_has_no_consequence(self):
        found = self.found("initial")

        assert (found.loc[found["cutoff"] == -27, "p"] > 0.3).tolist() == [True] * 5

    def test_27_is_found_at_the_reinspection_that_it_decides(self):
        found = self.found("again").query("cutoff == -27").set_index("unit")["p"]

        # Staten Island has 35 inspections beside 27: too few to be sure of.
        assert (found.drop("STATEN ISLAND") < SURE).tolist() == [True] * 4
        assert found["STATEN ISLAND"] > SURE

    @pytest.mark.parametrize("kind", ["initial", "again"])
    def test_the_placebos_are_not_found(self, kind):
        found = self.found(kind)

        assert (found.loc[found["is_placebo"] & found["is_testable"], "p"] > SURE).all()


class TestFandango:
    """2015: of six sites that rated the same 146 films one is lenient and rounds up only."""

    @pytest.fixture
    def found(self):
        films = pd.read_csv(PUBLISHED / "fandango_2015.csv")
        sites = [name for name in films.columns if name not in ("film", "fandango_stored")]
        ratings = films.melt(["film", "fandango_stored"], sites, var_name="rater", value_name="score")
        stored = ratings["fandango_stored"].where(ratings["rater"] == "fandango")
        return raters(ratings.rename(columns={"film": "object"}).assign(stored=stored)).set_index("rater")

    def test_one_site_is_lenient(self, found):
        assert found.index[found["leniency_p"] < SURE].tolist() == ["fandango"]
        assert found["objects"].tolist() == [146] * 6
        assert (found["leniency_p"].drop("fandango") > 0.3).all()

    def test_it_rounds_up_and_never_down(self, found):
        assert found.loc["fandango", ["rounded", "rounded_up"]].tolist() == [130, 130]
        assert found.loc["fandango", "rounding_p"] < 1e-9
        assert found["rounding_p"].drop("fandango").isna().all()
