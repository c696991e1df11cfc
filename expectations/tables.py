"""Which marts have a suite; importable without Great Expectations, whose import takes seconds."""

TABLES = {
    "dim_organisation": "Danh mục tổ chức đảng",
    "fct_member_assessment": "Xếp loại đảng viên",
    "fct_organisation_assessment": "Xếp loại tổ chức đảng",
    "organisation_year": "Tổng hợp tổ chức đảng theo năm",
    "rating_distribution": "Cơ cấu xếp loại",
    "target_scoreboard": "Bảng chỉ tiêu",
    "discipline_match": "Đối chiếu Sổ kỷ luật với báo cáo",
    "fct_finding": "Các trường hợp cần thẩm định lại",
    "rule_result": "Kết quả từng quy tắc",
    "fct_signal": "Dấu hiệu thống kê",
    "mart_review_list": "Danh sách đề nghị thẩm định lại",
    "coverage": "Tình hình nhận báo cáo",
}
"""Marts that readers rely on, with their Vietnamese names."""
