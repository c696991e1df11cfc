"""Keys that are likely one person: what is proposed, with which reasons, and what never is."""
# ruff: noqa: E501  (drawn tables are as wide as the form)

from functools import cache
from itertools import permutations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from submissions.identities import PERSON, PROPOSAL, REASONS, ROLL, Persons, clashes, propose
from submissions.register.identities import canonical_keys, confirm, decisions, group_of, reject, undo
from submissions.register.log import Register, RegisterError
from submissions.register.snapshots import export
from tests.drawing import table
from tests.populations import Population, draw_population, key_of

BY, WHY = "Ban Tổ chức Tỉnh ủy", "đổi thẻ"


@pytest.fixture
def register(tmp_path):
    with Register.open(tmp_path / "register.sqlite") as register:
        yield register


def drawn(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known of the members of a table; the file is the unit's of the year, days are written as in the forms."""
    rows = table(text).reindex(columns=list(dict.fromkeys([*ROLL, *PERSON])))
    for column in ("born_on", "admitted_on", "official_on"):
        rows[column] = pd.to_datetime(rows[column], format="%d/%m/%Y").dt.date
    rows["card"] = rows["card"].astype("Int64").astype("str")
    rows["member_key"] = rows["card"].map(lambda card: key_of(int(card)))
    rows = rows.astype({"status": "object"}).fillna({"status": "Chính thức"}).assign(sheet="Biểu 3")
    rows["source_hash"] = rows["unit_code"] + "/" + rows["year"].astype("str")
    rows["row"] = range(8, 8 + len(rows))
    return rows[list(ROLL)], rows[list(PERSON)]


@cache
def thousand() -> Population:
    """Members of whom none has changed."""
    return draw_population(7, members=1000, units=3, changed=0)


def among_others(text: str, **given: object) -> pd.DataFrame:
    """What is proposed of drawn members who stand among a thousand others."""
    listed, known = drawn(text)
    others = thousand()
    listed = pd.concat([others.listed, listed], ignore_index=True)
    known = pd.concat([others.known, known], ignore_index=True)
    found = propose(listed, known, **given)
    return found[found["key_a"].isin(set(listed["member_key"]) - set(others.listed["member_key"]))]


def pairs_of(found: pd.DataFrame) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in zip(found["key_a"], found["key_b"], strict=True)}


CHANGED = """
    card         | name           | born_on    | gender | ethnicity | unit_code | cell_code | year | admitted_on | official_on
    -------------+----------------+------------+--------+-----------+-----------+-----------+------+-------------+------------
    671234567890 | Đinh Quốc Toản | 14/07/1978 | Nam    | Kinh      | 67.001    | 67.001.07 | 2022 | 19/05/2004  | 19/05/2005
    671234567890 | Đinh Quốc Toản | 14/07/1978 | Nam    | Kinh      | 67.001    | 67.001.07 | 2023 | 19/05/2004  | 19/05/2005
    {card} | {name} | {born_on} | {gender} | Kinh | {unit} | {unit}.07 | {year} | {admitted_on} | {official_on}
    {card} | {name} | {born_on} | {gender} | Kinh | {unit} | {unit}.07 | 2025 | {admitted_on} | {official_on}
    """

SAME = {
    "card": "671234567890", "name": "Đinh Quốc Toản", "born_on": "14/07/1978", "gender": "Nam", "unit": "67.001",
    "year": 2024, "admitted_on": "19/05/2004", "official_on": "19/05/2005",
}  # fmt: skip


# What is proposed


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (
            {"card": "671234567891"},
            {"card_one_digit", "same_name", "same_birth_date", "same_admission", "same_cell", "follows"},
        ),
        ({"card": "671234568790"}, {"card_swapped", "same_name"}),
        ({"card": "671234567811"}, {"card_two_digits", "same_name"}),
        ({"card": "679999000001"}, {"card_differs", "same_name", "same_birth_date"}),
        ({"card": "671234567891", "unit": "67.002"}, {"card_one_digit", "other_unit"}),
        ({"card": "671234567891", "name": "Đinh Quốc Toàn"}, {"name_marks"}),
        ({"card": "671234567891", "name": "Đinh Quốc Toan"}, {"name_marks"}),
        ({"card": "671234567891", "name": "ĐINH QUỐC TOẢN"}, {"same_name"}),
        ({"card": "671234567891", "name": "Đinh Quôc Toảng"}, {"similar_name"}),
        ({"card": "671234567891", "name": "Đinh Toản"}, {"similar_name"}),
        ({"card": "671234567891", "born_on": "07/04/1978"}, {"same_name", "birth_date_differs"}),
        ({"card": "671234567891", "born_on": "14/07/1987"}, {"near_birth_date"}),
        ({"card": "671234567891", "born_on": ""}, {"same_name", "same_admission"}),
        ({"card": "671234567891", "admitted_on": "19/06/2004"}, {"near_admission"}),
        ({"card": "671234567891", "admitted_on": "01/02/2003"}, {"near_admission"}),
        ({"card": "671234567891", "gender": "Nữ"}, {"gender_differs"}),
        ({"card": "671234567891", "year": 2025}, {"gap"}),
    ],
)
def test_a_member_whose_card_changed_is_proposed_with_what_agrees_and_what_does_not(change, reasons):
    found = among_others(CHANGED.format(**SAME | change))

    assert pairs_of(found) == {frozenset((key_of(671234567890), key_of(int(change["card"]))))}
    [row] = found.to_dict("records")
    assert reasons <= set(row["reasons"])
    assert set(row["reasons"]) <= set(REASONS)
    assert 50 <= row["score"] <= 99


def test_day_and_month_exchanged_are_nearly_the_same_day():
    day = {"card": "671234567891", "born_on": "12/07/1978"}
    text = CHANGED.format(**SAME | day).replace("14/07/1978", "07/12/1978")

    [row] = among_others(text).to_dict("records")

    assert "near_birth_date" in row["reasons"]


def test_a_card_mistyped_in_one_report_is_proposed_though_the_right_one_stands_before_and_after():
    text = CHANGED.format(**SAME | {"card": "671234567891"})
    rows = text.replace("2023", "2026").splitlines()
    del rows[-2]

    [row] = among_others("\n".join(rows)).to_dict("records")

    assert "interleaved" in row["reasons"]
    assert (row["years_a"], row["years_b"]) == ("2022, 2026", "2024")


def test_the_earlier_key_comes_first_with_the_places_where_the_clerk_finds_both():
    [row] = among_others(CHANGED.format(**SAME | {"card": "671234567891", "unit": "67.002"})).to_dict("records")

    assert (row["key_a"], row["unit_code_a"], row["cell_code_a"], row["year_a"]) == (
        key_of(671234567890),
        "67.001",
        "67.001.07",
        2023,
    )
    assert (row["key_b"], row["unit_code_b"], row["year_b"], row["years_b"]) == (
        key_of(671234567891),
        "67.002",
        2024,
        "2024, 2025",
    )
    assert (row["sheet_b"], row["row_b"], row["source_hash_b"]) == ("Biểu 3", 10, "67.002/2024")


def test_who_left_one_unit_and_came_to_another_within_a_year_is_proposed():
    text = CHANGED.format(**SAME | {"card": "671234567891", "unit": "67.002", "year": 2023})
    heading, rule, first, left, *rest = text.strip().splitlines()
    text = "\n".join(f"{line} | {status}" for line, status in zip(
        [heading, rule, first, left, *rest], ["status", "---", "", "Chuyển đi", "", ""], strict=True
    ))  # fmt: skip

    [row] = among_others(text).to_dict("records")

    assert {"moves", "other_unit"} <= set(row["reasons"])


# What is not


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"card": "671234567891", "year": 2023}, "both stand on one roll"),
        ({"card": "671234567891", "unit": "67.002", "year": 2023}, "both are present in one year"),
    ],
)
def test_keys_that_are_listed_together_are_never_proposed(change, why):
    assert among_others(CHANGED.format(**SAME | change)).empty, why


def test_nobody_goes_on_under_another_card_after_he_died():
    heading, rule, first, died, *rest = CHANGED.format(**SAME | {"card": "671234567891"}).strip().splitlines()
    text = "\n".join(f"{line} | {status}" for line, status in zip(
        [heading, rule, first, died, *rest], ["status", "---", "", "Từ trần", "", ""], strict=True
    ))  # fmt: skip

    assert among_others(text).empty


COMMON_NAME = """
    card         | name           | born_on    | gender | ethnicity | unit_code | cell_code | year | admitted_on | official_on
    -------------+----------------+------------+--------+-----------+-----------+-----------+------+-------------+------------
    671234567890 | Nguyễn Thị Hoa | 14/07/1978 | Nữ     | Kinh      | 67.001    | 67.001.07 | 2022 | 19/05/2004  | 19/05/2005
    679876543210 | Nguyễn Thị Hoa | {born_on}  | Nữ     | Kinh      | 67.001    | {cell}    | 2023 | {admitted}  |
    """


@pytest.mark.parametrize(
    ("born_on", "cell", "admitted"),
    [
        ("03/11/1978", "67.001.09", "01/07/2010"),  # of the same year
        ("03/11/1991", "67.001.07", "01/07/2010"),  # of the same cell
        ("14/07/1978", "67.001.09", "01/07/2023"),  # born on the same day, admitted now
    ],
)
def test_two_women_of_a_common_name_are_not_taken_for_one(born_on, cell, admitted):
    assert among_others(COMMON_NAME.format(born_on=born_on, cell=cell, admitted=admitted)).empty


def test_cards_that_follow_each_other_say_little_where_a_unit_numbers_its_members_in_a_row():
    text = CHANGED.format(**SAME | {"card": "671234567891", "name": "Trần Thị Loan", "gender": "Nữ", "born_on": "01/02/1990",
                                    "admitted_on": "03/02/2024", "official_on": ""})  # fmt: skip

    assert among_others(text).empty


def test_a_pair_that_was_decided_is_not_proposed_again():
    text = CHANGED.format(**SAME | {"card": "671234567891"})
    first, second = key_of(671234567890), key_of(671234567891)

    assert among_others(text, apart=[(second, first)]).empty
    assert among_others(text, joined={second: first}).empty


def test_keys_joined_already_stand_for_each_other():
    """B is A: what is listed beside A cannot be B either, and what is not A is not B."""
    text = CHANGED.format(**SAME | {"card": "671234567891"}) + (
        "    671234567892 | Đinh Quốc Toản | 14/07/1978 | Nam | Kinh | 67.001 | 67.001.07 | 2023 | 19/05/2004 | 19/05/2005\n"
    )
    first, second, third = (key_of(671234567890 + at) for at in range(3))

    assert pairs_of(among_others(text, least=1)) >= {frozenset((second, third))}
    assert among_others(text, joined={second: first}).empty


def test_of_two_who_may_equally_be_one_neither_is_likely():
    text = CHANGED.format(**SAME | {"card": "671234567891"})
    twin = text.replace("671234567891", "671234567892").splitlines()[-3:]
    alone = among_others(text)["score"].max()

    found = among_others("\n".join([text.rstrip(), *twin]), least=1)

    assert found["score"].max() <= 50 < alone


def test_without_the_originals_only_what_the_store_keeps_is_compared():
    listed, known = drawn(CHANGED.format(**SAME | {"card": "671234567891"}))

    found = propose(listed, known.head(0), least=1)

    assert not any({"same_name", "same_birth_date", "card_one_digit"} & set(reasons) for reasons in found["reasons"])


@pytest.mark.parametrize("rows", [0, 1])
def test_a_province_that_sent_nothing_or_little_has_no_proposals(rows):
    listed, known = drawn(CHANGED.format(**SAME))

    found = propose(listed.head(rows), known.head(rows))

    assert found.empty
    assert list(found.columns) == list(PROPOSAL)


# Keys that cannot be one person's


def test_where_keys_are_listed_together_is_told_by_year_and_unit():
    listed, _ = drawn(CHANGED.format(**SAME | {"card": "671234567891", "year": 2023}))
    keys = set(listed["member_key"])

    assert [str(clash) for clash in clashes(listed, keys)] == ["cả hai khóa có trong danh sách của 67.001 năm 2023"]
    assert clashes(listed, list(keys)[:1]) == []

    elsewhere = listed.assign(unit_code=listed["unit_code"].where(listed["row"] != 10, "67.002"))
    assert [str(clash) for clash in clashes(elsewhere, keys)] == ["đang sinh hoạt ở cả 67.001 và 67.002 năm 2023"]

    moved = elsewhere.assign(status=listed["status"].where(listed["row"] != 9, "Chuyển đi"))
    assert clashes(moved, keys) == []


# How well


@pytest.mark.parametrize("seed", [1, 2])
def test_nearly_all_changes_are_found_and_nearly_all_that_is_proposed_is_true(seed):
    drawn = draw_population(seed, members=6000, units=6, changed=0.03)

    found = pairs_of(propose(drawn.listed, drawn.known))

    true = found & set(drawn.truth)
    assert len(drawn.truth) > 100
    assert len(true) >= 0.95 * len(drawn.truth)
    assert len(true) >= 0.95 * len(found)


def test_where_no_card_changed_hardly_anything_is_proposed():
    drawn = draw_population(3, members=6000, units=6, changed=0)

    assert len(propose(drawn.listed, drawn.known)) <= 2


def test_the_order_of_the_rows_does_not_matter():
    drawn = draw_population(5, members=400, units=2, changed=0.1)
    mixed = drawn.listed.sample(frac=1, random_state=1)

    pd.testing.assert_frame_equal(propose(drawn.listed, drawn.known), propose(mixed, drawn.known))


def test_what_is_known_of_persons_is_not_shown_by_accident():
    drawn: Population = draw_population(1, members=5, units=1)

    told = repr(Persons(drawn.known, ()))

    assert not any(str(value) in told for column in ("name", "card", "born_on") for value in drawn.known[column])


def test_what_is_proposed_holds_no_name_no_card_and_no_birth_date():
    drawn = draw_population(2, members=300, units=2, changed=0.2)

    told = propose(drawn.listed, drawn.known).to_csv()

    assert len(told) > 1000
    assert not [value for column in ("name", "card") for value in set(drawn.known[column]) if value in told]
    assert not [day for day in set(drawn.known["born_on"].dropna()) if day.isoformat() in told]


# What is decided


def same(register: Register, one: str, other: str, first: tuple[int, int] = (2022, 2024)) -> None:
    confirm(register, one, other, by=BY, reason=WHY, first=first, score=97, reasons=["card_one_digit"])


def aliases(register: Register) -> dict[str, str]:
    found = canonical_keys(register)
    return dict(zip(found["member_key"], found["canonical_key"], strict=True))


def test_the_key_listed_first_stands_for_both(register):
    same(register, "bb", "aa")

    assert aliases(register) == {"aa": "bb"}
    [row] = decisions(register).to_dict("records")
    assert (row["state"], row["score"], row["reasons"], row["by"], row["reason"]) == (
        "same_person", 97, ["card_one_digit"], BY, WHY,
    )  # fmt: skip


@pytest.mark.parametrize("order", list(permutations([("a", "b"), ("b", "c"), ("d", "c")])))
def test_a_chain_of_decisions_has_one_key_whatever_their_order(register, order):
    years = {"a": 2024, "b": 2023, "c": 2023, "d": 2025}
    for one, other in order:
        same(register, one, other, (years[one], years[other]))

    assert aliases(register) == {"a": "b", "c": "b", "d": "b"}
    assert group_of(decisions(register), "d") == {"a", "b", "c", "d"}


def test_undoing_restores_exactly_what_was(register, tmp_path):
    def told() -> bytes:
        export(register, pd.DataFrame({"unit_code": []}), [], tmp_path, today=pd.Timestamp("2026-03-01").date())
        return (tmp_path / "register" / "member_identities.parquet").read_bytes()

    nothing = told()
    same(register, "a", "b")
    one = told()
    same(register, "b", "c", (2024, 2025))
    told()
    assert pq.read_table(tmp_path / "register" / "member_identities.parquet").to_pylist() == [
        {"member_key": "b", "canonical_key": "a"},
        {"member_key": "c", "canonical_key": "a"},
    ]

    undo(register, "c", "b", by=BY, reason="nhầm")
    assert told() == one
    undo(register, "a", "b", by=BY, reason="nhầm")
    assert told() == nothing
    assert decisions(register).empty


def test_undoing_the_middle_of_a_chain_leaves_the_rest(register):
    same(register, "a", "b", (2022, 2023))
    same(register, "b", "c", (2023, 2024))
    undo(register, "a", "b", by=BY, reason="nhầm")

    assert aliases(register) == {"c": "b"}


def test_what_was_said_to_be_two_persons_is_not_joined_through_others(register):
    reject(register, "a", "c", by=BY, reason="hai chị em")
    same(register, "a", "b")

    with pytest.raises(RegisterError, match="không phải một người"):
        same(register, "b", "c")

    undo(register, "a", "c", by=BY, reason="xác minh lại")
    same(register, "b", "c")
    assert aliases(register) == {"b": "a", "c": "a"}


def test_a_person_may_say_otherwise_later(register):
    reject(register, "a", "b", by=BY, reason="hai người")
    same(register, "a", "b")

    assert list(decisions(register)["state"]) == ["same_person"]


@pytest.mark.parametrize(
    ("decide", "message"),
    [
        (lambda register: same(register, "a", "c"), "đã là một người"),
        (lambda register: same(register, "a", "a"), "đã là một người"),
        (lambda register: reject(register, "a", "c", by=BY, reason=WHY), "đang là một người"),
        (lambda register: undo(register, "a", "x", by=BY, reason=WHY), "Chưa có quyết định"),
        (lambda register: undo(register, "a", "c", by=BY, reason=WHY), "qua một khóa khác"),
        (lambda register: undo(register, "a", "b", by=" ", reason=WHY), "Phải ghi rõ"),
        (lambda register: confirm(register, "a", "x", by=BY, reason="", first=(1, 2)), "Phải ghi rõ"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_and_changes_nothing(register, decide, message):
    same(register, "a", "b")
    same(register, "b", "c")
    before = register.anchor()

    with pytest.raises(RegisterError, match=message):
        decide(register)

    assert register.anchor() == before


def test_the_register_as_it_stood_knows_only_what_was_decided_by_then(register):
    same(register, "a", "b")
    [first] = register.read()
    same(register, "b", "c")

    assert aliases(register.as_known(first.at)) == {"b": "a"}
