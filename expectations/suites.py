"""Suites over the marts readers rely on.

Critical is what would mislead a reader; warning is a finding that a reader should see beside the table.
"""

from collections.abc import Callable

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from expectations import custom
from expectations.validation import Severity
from ratings.combination import LISTED
from ratings.levels import LEVEL_NAMES
from ratings.reasons import signal_texts
from ratings.rules import Catalogue, load_rules
from ratings.signals.battery import FAMILIES, FAMILY_OF, SIGNALS
from ratings.signals.frames import REASONS
from ratings.signals.province import LEVELS as LEVELS_JUDGED

LEVELS = list(LEVEL_NAMES)
KINDS = ["Đảng bộ cơ sở", "Chi bộ cơ sở", "Đảng bộ bộ phận", "Chi bộ trực thuộc"]
BANDS = [*LISTED, "C"]
CARD_NUMBER = r"\d{12}"
"""What a card number looks like; no text that leaves the store may hold one."""


def dim_organisation() -> list[Expectation]:
    """Versions of organisations, of the units and of the province, one row each."""
    below_the_unit = ["grassroots", "sectional", "cell"]
    return [
        _some_rows("critical", "Danh mục tổ chức phải có ít nhất dòng của toàn tỉnh."),
        *_key("critical", ["organisation_version_key"]),
        *_key("critical", ["organisation_key", "version"]),
        *_filled("critical", ["unit_code", "org_code", "valid_from"]),
        _in_list("critical", "org_kind", KINDS, "Loại tổ chức đảng phải thuộc danh mục của Biểu 2."),
        _in_list(
            "critical",
            "organisation_level",
            ["province", "unit", *below_the_unit],
            "Cấp của tổ chức phải là tỉnh, đơn vị, cơ sở, bộ phận hoặc chi bộ.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="valid_to",
            column_B="valid_from",
            ignore_row_if="either_value_is_missing",
            severity="critical",
            description="Ngày hết hiệu lực của một phiên bản phải sau ngày bắt đầu.",
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="last_year",
            column_B="first_year",
            or_equal=True,
            severity="critical",
            description="Năm cuối không được trước năm đầu.",
        ),
        _in_list(
            "warning",
            "is_inferred",
            [False],
            "Mọi tổ chức được nhắc tới phải có dòng hợp lệ trong danh sách tổ chức (Biểu 2).",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="organisation_level",
            severity="warning",
            description="Mọi tổ chức đảng phải xác định được cấp của nó.",
        ),
        custom.ExpectFilledWhen(
            column_list=["grassroots_code", "organisation_level"],
            values=below_the_unit,
            only_then=False,
            severity="warning",
            description="Mọi tổ chức đảng phải xác định được tổ chức cơ sở đảng mà nó thuộc về.",
        ),
    ]


def fct_member_assessment() -> list[Expectation]:
    """Ratings of members."""
    return [
        _some_rows("critical", "Phải có ít nhất một dòng xếp loại đảng viên."),
        *_key("critical", ["record_id"]),
        *_key("critical", ["year", "unit_code", "member_key"]),
        *_rating("critical", "proposed_level"),
        _in_list("critical", "state_level", LEVELS, "Mức xếp loại công chức, viên chức phải thuộc bốn mức quy định."),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["year", "member_key"],
            severity="warning",
            description="Một đảng viên chỉ được xếp loại ở một đơn vị trong một năm.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="grassroots_code",
            severity="warning",
            description="Mọi đảng viên được xếp loại phải xác định được tổ chức cơ sở đảng.",
        ),
    ]


def fct_organisation_assessment() -> list[Expectation]:
    """Ratings of organisations."""
    counts = ["tasks_assigned", "tasks_done", "tasks_late", "tasks_exceeded", "shortcomings", "shortcomings_fixed"]
    return [
        _some_rows("critical", "Phải có ít nhất một dòng xếp loại tổ chức đảng."),
        *_key("critical", ["record_id"]),
        *_key("critical", ["year", "unit_code", "org_code"]),
        *_rating("critical", "appraised_level"),
        *_not_negative("warning", counts),
        _not_more("warning", "tasks_done", "tasks_assigned", "Số nhiệm vụ hoàn thành không vượt số được giao."),
        _not_more("warning", "shortcomings_fixed", "shortcomings", "Số hạn chế đã khắc phục không vượt số hạn chế."),
        gxe.ExpectColumnValuesToNotBeNull(
            column="parent_code",
            severity="warning",
            description="Mọi tổ chức đảng được xếp loại phải xác định được cấp trên trực tiếp.",
        ),
    ]


def organisation_year() -> list[Expectation]:
    """One row per organisation and year, with its rating and all evidence."""
    levels = ["members_xs", "members_htt", "members_ht", "members_kht"]
    counts = [
        "members",
        "members_not_rated",
        "cells",
        "meetings_held",
        "inspections",
        "disciplined_members",
        "admissions",
    ]
    return [
        _some_rows("critical", "Phải có ít nhất một dòng tổng hợp tổ chức đảng."),
        *_key("critical", ["year", "unit_code", "org_code"]),
        _in_list("critical", "final_level", LEVELS, "Mức xếp loại được quyết định phải thuộc bốn mức quy định."),
        custom.ExpectPartsToEqualTotal(
            column_list=[*levels, "members_rated"],
            severity="critical",
            description="Số đảng viên theo bốn mức phải cộng đúng bằng số được xếp loại.",
        ),
        *_not_negative("critical", [*levels, *counts]),
        _not_more("warning", "cells_rated", "cells", "Số chi bộ được xếp loại không vượt số chi bộ."),
        _not_more("warning", "meetings_held", "meetings_expected", "Số buổi sinh hoạt không vượt số buổi phải có."),
    ]


def rating_distribution() -> list[Expectation]:
    """Levels by unit and year."""
    group = ["year", "unit_code", "subject_kind"]
    return [
        _some_rows("critical", "Phải có cơ cấu xếp loại của ít nhất một đơn vị."),
        *_key("critical", [*group, "level_code"]),
        _in_list("critical", "level_code", LEVELS, "Mức xếp loại phải thuộc bốn mức quy định."),
        _in_list(
            "critical",
            "subject_kind",
            ["member", "organisation", "grassroots"],
            "Đối tượng phải là đảng viên, tổ chức đảng hoặc tổ chức cơ sở đảng.",
        ),
        custom.ExpectGroupToHaveAll(
            column_list=[*group, "level_code"],
            value_set=LEVELS,
            severity="critical",
            description="Mỗi đơn vị, năm và loại đối tượng phải có đủ bốn mức.",
        ),
        custom.ExpectGroupToAddUp(
            column_list=[*group, "n", "rated"],
            severity="critical",
            description="Bốn mức phải cộng đúng bằng số được xếp loại.",
        ),
        custom.ExpectSharesToMakeWhole(
            column_list=[*group, "share"],
            severity="critical",
            description="Tỷ lệ của bốn mức phải cộng đúng 100%.",
        ),
        custom.ExpectPartsToEqualTotal(
            column_list=["rated", "not_rated", "total"],
            severity="critical",
            description="Số được xếp loại cộng số không xếp loại phải bằng tổng số.",
        ),
        *_not_negative("critical", ["n", "not_rated"]),
    ]


def target_scoreboard() -> list[Expectation]:
    """Targets of the programme by year."""
    return [
        _some_rows("critical", "Bảng chỉ tiêu không được trống."),
        *_key("critical", ["year", "target_id", "target_version"]),
        *_filled("critical", ["target_name", "is_in_force"]),
        _in_list(
            "critical", "comparison", ["gt", "ge", "between"], "Phép so sánh phải là «trên», «từ» hoặc «trong khoảng»."
        ),
        _in_list(
            "critical", "status", ["met", "not_met", "missing"], "Trạng thái phải là đạt, chưa đạt hoặc thiếu dữ liệu."
        ),
        custom.ExpectFilledWhen(
            column_list=["value", "status"],
            values=["met", "not_met"],
            only_then=False,
            severity="critical",
            description="Chỉ tiêu đã kết luận phải có số thực hiện; thiếu dữ liệu không được coi là không.",
        ),
        custom.ExpectStatusToFollowTarget(
            column_list=["status", "comparison", "target_value", "unit_of_measure", "numerator", "denominator"],
            severity="critical",
            description="Kết luận đạt hay chưa đạt phải đúng với số liệu; «trên 90%» nghĩa là lớn hơn hẳn 90%.",
        ),
        _in_list("warning", "status", ["met", "not_met"], "Mọi chỉ tiêu cần có đủ số liệu để kết luận."),
    ]


def discipline_match() -> list[Expectation]:
    """Cases of the Commission's register beside the units' reports."""
    return [
        *_key("critical", ["record_id"]),
        *_filled("critical", ["year", "subject", "unit_received", "is_mentioned"]),
        _in_list(
            "critical",
            "subject",
            ["Tổ chức đảng", "Đảng viên"],
            "Đối tượng kỷ luật phải là tổ chức đảng hoặc đảng viên.",
        ),
        custom.ExpectFilledWhen(
            column_list=["matched_record_id", "is_mentioned"],
            values=[True],
            severity="critical",
            description="Vụ việc được coi là có trong báo cáo khi và chỉ khi chỉ ra được dòng báo cáo tương ứng.",
        ),
        custom.ExpectFilledWhen(
            column_list=["subject_member_key", "subject"],
            values=["Đảng viên"],
            severity="critical",
            description="Chỉ vụ việc của đảng viên mới mang mã đảng viên, và luôn phải mang.",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="unit_code",
            severity="warning",
            description="Mỗi vụ việc trong Sổ kỷ luật cần xác định được thuộc đơn vị báo cáo nào.",
        ),
        _in_list(
            "warning", "unit_received", [True], "Đơn vị có vụ việc trong Sổ kỷ luật cần đã gửi báo cáo để đối chiếu."
        ),
    ]


def fct_finding() -> list[Expectation]:
    """Findings that auditors work through; the table may be empty."""
    catalogue = load_rules()
    told = ["reported", "contradicted_by", "message", "innocent_explanation", "ask_for", "legal_source"]
    return [
        *_key("critical", ["finding_id"]),
        *_filled("critical", ["year", "unit_code", *told]),
        _in_list("critical", "rule_id", _rule_ids(catalogue), "Quy tắc phải có trong danh mục quy tắc."),
        _in_list(
            "critical",
            "regime_id",
            [regime.id for regime in catalogue.regimes],
            "Quy định áp dụng phải có trong danh mục quy tắc.",
        ),
        _in_list(
            "critical",
            "severity",
            ["error", "warning", "information"],
            "Mức độ phải là sai quy định, cảnh báo hoặc thông tin.",
        ),
        _in_list(
            "critical",
            "subject_kind",
            ["member", "organisation", "group", "unit"],
            "Đối tượng phải là đảng viên, tổ chức đảng, nhóm hoặc đơn vị.",
        ),
        custom.ExpectFilledWhen(
            column_list=["member_key", "subject_kind"],
            values=["member"],
            severity="critical",
            description="Chỉ trường hợp về đảng viên mới mang mã đảng viên, và luôn phải mang.",
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="message",
            regex="đề nghị thẩm định lại",
            severity="critical",
            description="Mỗi trường hợp chỉ đề nghị thẩm định lại, không kết luận sai phạm.",
        ),
        *(
            gxe.ExpectColumnValuesToNotMatchRegex(
                column=column,
                regex=CARD_NUMBER,
                severity="critical",
                description=f"Lời văn không được chứa số thẻ đảng viên (cột {column}).",
            )
            for column in ("reported", "contradicted_by", "message")
        ),
    ]


def rule_result() -> list[Expectation]:
    """What every rule came to in every unit and year; contradictions of each rule are warnings."""
    catalogue = load_rules()
    return [
        _some_rows("critical", "Phải có kết quả của các quy tắc."),
        *_key("critical", ["rule_id", "year", "unit_code"]),
        _in_list("critical", "rule_id", _rule_ids(catalogue), "Quy tắc phải có trong danh mục quy tắc."),
        gxe.ExpectColumnDistinctValuesToContainSet(
            column="rule_id",
            value_set=_rule_ids(catalogue),
            severity="critical",
            description="Mọi quy tắc trong danh mục phải có kết quả; thiếu kết quả dễ bị hiểu nhầm là đạt.",
        ),
        _in_list(
            "critical",
            "status",
            ["passed", "found", "not_checked"],
            "Kết quả phải là đạt, có phát hiện hoặc chưa kiểm tra.",
        ),
        *_not_negative("critical", ["tested", "found", "not_checked"]),
        custom.ExpectStatusToFollowCounts(
            column_list=["status", "tested", "found"],
            severity="critical",
            description="Chưa kiểm tra được trường hợp nào thì không được ghi là đạt.",
        ),
        custom.ExpectFilledWhen(
            column_list=["reason", "status"],
            values=["not_checked"],
            only_then=False,
            severity="critical",
            description="Kết quả chưa kiểm tra phải nêu lý do.",
        ),
        *(
            custom.ExpectNoContradiction(
                rule_id=rule.id, severity="warning", description=f"{rule.id}. {rule.name}: {rule.text}"
            )
            for rule in catalogue.rules
        ),
    ]


def fct_signal() -> list[Expectation]:
    """Every signal of every organisation; one by which somebody stands out alone is a warning."""
    key = ["organisation_level", "year", "organisation_key", "signal"]
    texts = signal_texts()
    return [
        *_key("critical", key),
        *_filled("critical", ["is_testable", "held_back"]),
        _in_list("critical", "organisation_level", list(LEVELS_JUDGED), "Cấp phải thuộc các cấp được xét."),
        _in_list("critical", "signal", list(SIGNALS), "Dấu hiệu phải có trong danh mục dấu hiệu."),
        _in_list("critical", "family", list(FAMILIES), "Nhóm dấu hiệu phải có trong danh mục."),
        _in_list("critical", "reason_code", list(REASONS), "Lý do không kiểm tra được phải có trong danh mục."),
        *(
            custom.ExpectFilledWhen(
                column_list=[column, "is_testable"], values=[is_testable], severity="critical", description=description
            )
            for column, is_testable, description in (
                ("p", True, "Có p khi và chỉ khi kiểm tra được; không kiểm tra được thì không bao giờ có p."),
                ("q", True, "Có q khi và chỉ khi kiểm tra được."),
                ("reason_code", False, "Không kiểm tra được thì phải nêu lý do, kiểm tra được thì không."),
                ("reason", False, "Lý do không kiểm tra được phải có lời giải thích."),
            )
        ),
        *(_chance("critical", column) for column in ("p", "q")),
        custom.ExpectToRiseTogether(
            column_list=["organisation_level", "year", "signal", "p", "q"],
            severity="critical",
            description="Trong một dấu hiệu, cấp và năm, p lớn hơn thì q không được nhỏ hơn.",
        ),
        *_not_negative("critical", ["n", "held_back"]),
        *(
            custom.ExpectNobodyToStandOut(
                signal=name, severity="warning", description=f"{name}. {texts[name].name}: {texts[name].question}"
            )
            for name in FAMILY_OF
        ),
    ]


def mart_review_list() -> list[Expectation]:
    """Whom to look at again; who stands in bands A and B is a warning."""
    key = ["organisation_level", "year", "organisation_key"]
    sentences = ("first_reason", "second_reason", "third_reason")
    return [
        *_key("critical", key),
        _unique("critical", ["organisation_level", "year", "rank"]),
        *_filled("critical", ["rank", "band", "first_reason", "second_reason", "ask_for", "innocent_explanation"]),
        _in_list("critical", "band", BANDS, "Nhóm phải là A, B hoặc C."),
        *(
            _in_list("critical", f"{nth}_signal", list(FAMILY_OF), f"Lý do ({nth}_signal) phải là một dấu hiệu.")
            for nth in ("first", "second", "third")
        ),
        *(_chance("critical", column) for column in ("p", "q")),
        custom.ExpectToRiseTogether(
            column_list=["organisation_level", "year", "p", "q"],
            severity="critical",
            description="Trong một cấp và năm, p lớn hơn thì q không được nhỏ hơn.",
        ),
        custom.ExpectBandToFollowQ(
            column_list=["band", "q"],
            largest=dict(LISTED),
            severity="critical",
            description="Nhóm A chỉ có tổ chức có q không quá 0,10, nhóm B không quá 0,20.",
        ),
        custom.ExpectFilledWhen(
            column_list=["last_year_band", "last_year"],
            values=["listed"],
            severity="critical",
            description="Có nhóm năm trước khi và chỉ khi năm trước có trong danh sách.",
        ),
        *(
            gxe.ExpectColumnValuesToMatchRegex(
                column=column,
                regex=r"đề nghị thẩm định lại\.$",
                severity="critical",
                description=f"Mỗi lý do (cột {column}) chỉ đề nghị thẩm định lại, không kết luận sai phạm.",
            )
            for column in sentences
        ),
        *(
            gxe.ExpectColumnValuesToNotMatchRegex(
                column=column,
                regex=CARD_NUMBER,
                severity="critical",
                description=f"Lời văn không được chứa số thẻ đảng viên (cột {column}).",
            )
            for column in sentences
        ),
        *(
            custom.ExpectNobodyInBand(
                band=band,
                severity="warning",
                description=f"Nhóm {band}: tổ chức có ít nhất hai lý do để đề nghị thẩm định lại.",
            )
            for band in LISTED
        ),
    ]


def coverage() -> list[Expectation]:
    """Units expected and received by year."""
    return [
        _some_rows("critical", "Phải có tình hình nhận báo cáo của ít nhất một năm."),
        *_key("critical", ["year"]),
        *_filled("critical", ["units_expected", "units_received"]),
        *_not_negative("critical", ["units_expected", "units_received"]),
        _not_more("critical", "units_received", "units_expected", "Số đơn vị đã gửi không vượt số đơn vị phải gửi."),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="units_received",
            column_B="units_expected",
            severity="warning",
            description="Mọi đơn vị phải gửi báo cáo đều đã gửi; nếu chưa, số liệu của năm là tạm tính.",
        ),
    ]


SUITES: dict[str, Callable[[], list[Expectation]]] = {
    function.__name__: function
    for function in (
        dim_organisation,
        fct_member_assessment,
        fct_organisation_assessment,
        organisation_year,
        rating_distribution,
        target_scoreboard,
        discipline_match,
        fct_finding,
        rule_result,
        fct_signal,
        mart_review_list,
        coverage,
    )
}
"""Expectations of each mart, by its name."""


def suite(table: str) -> gx.ExpectationSuite:
    """The suite of a mart."""
    return gx.ExpectationSuite(name=table, expectations=SUITES[table]())


def _key(severity: Severity, columns: list[str]) -> list[Expectation]:
    """The columns are filled and together name one row."""
    return [*_filled(severity, columns), _unique(severity, columns)]


def _unique(severity: Severity, columns: list[str]) -> Expectation:
    """No two rows are alike in all the columns."""
    description = f"Không được có hai dòng trùng khóa ({', '.join(columns)})."
    if len(columns) == 1:
        return gxe.ExpectColumnValuesToBeUnique(column=columns[0], severity=severity, description=description)
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=columns, severity=severity, description=description)


def _filled(severity: Severity, columns: list[str]) -> list[Expectation]:
    """No cell of the columns is empty."""
    return [
        gxe.ExpectColumnValuesToNotBeNull(
            column=column, severity=severity, description=f"Cột {column} không được để trống."
        )
        for column in columns
    ]


def _in_list(severity: Severity, column: str, values: list[str] | list[bool], description: str) -> Expectation:
    """Cells that are filled hold one of the values."""
    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values, severity=severity, description=description)


def _not_negative(severity: Severity, columns: list[str]) -> list[Expectation]:
    """Counts are none or more."""
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column=column, min_value=0, severity=severity, description=f"Số đếm ở cột {column} không được âm."
        )
        for column in columns
    ]


def _not_more(severity: Severity, part: str, whole: str, description: str) -> Expectation:
    """A part is at most its whole, where both are known."""
    return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A=whole,
        column_B=part,
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity=severity,
        description=description,
    )


def _some_rows(severity: Severity, description: str) -> Expectation:
    """The table is not empty."""
    return gxe.ExpectTableRowCountToBeBetween(min_value=1, severity=severity, description=description)


def _chance(severity: Severity, column: str) -> Expectation:
    """Cells that are filled are above 0 and at most 1."""
    return gxe.ExpectColumnValuesToBeBetween(
        column=column,
        min_value=0,
        max_value=1,
        strict_min=True,
        severity=severity,
        description=f"Xác suất ở cột {column} phải lớn hơn 0 và không quá 1.",
    )


def _rating(severity: Severity, appraised: str) -> list[Expectation]:
    """Levels and scores of a rating, and a level decided exactly for the rated."""
    steps = {"self_level": "tự xếp loại", appraised: "thẩm định, đề xuất", "final_level": "được quyết định"}
    return [
        *(
            _in_list(severity, column, LEVELS, f"Mức {name} phải thuộc bốn mức quy định.")
            for column, name in steps.items()
        ),
        custom.ExpectFilledWhen(
            column_list=["final_level", "is_rated"],
            values=[True],
            severity=severity,
            description="Có mức được quyết định khi và chỉ khi được xếp loại; không xếp loại không phải là một mức.",
        ),
        custom.ExpectFilledWhen(
            column_list=["not_rated_reason", "is_rated"],
            values=[False],
            severity=severity,
            description="Không xếp loại thì phải có lý do, đã xếp loại thì không có lý do.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="score", min_value=0, max_value=100, severity=severity, description="Tổng điểm phải từ 0 đến 100."
        ),
    ]


def _rule_ids(catalogue: Catalogue) -> list[str]:
    """Ids of the catalogue's rules."""
    return [rule.id for rule in catalogue.rules]
