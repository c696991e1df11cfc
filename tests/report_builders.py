"""A made-up province as the marts would give it, for charts and packs: seeded, no person in it."""

import numpy as np
import pandas as pd

LEVELS = ("XS", "HTT", "HT", "KHT")
YEARS = (2022, 2023, 2024, 2025)
NAMES = (
    "Thành phố Gia Nghĩa",
    "Huyện Cư Jút",
    "Huyện Đắk Mil",
    "Huyện Krông Nô",
    "Huyện Đắk Song",
    "Huyện Đắk R’lấp",
    "Huyện Đắk Glong",
    "Huyện Tuy Đức",
    "Đảng ủy Khối các cơ quan và doanh nghiệp tỉnh",
    "Đảng ủy Công an tỉnh",
    "Đảng ủy Quân sự tỉnh",
    "Đảng ủy Bộ đội Biên phòng tỉnh",
    "Xã Quảng Trực",
    "Xã Đức Minh",
    "Phường Bắc Gia Nghĩa",
    "Phường Nam Gia Nghĩa",
    "Phường Đông Gia Nghĩa",
    "Xã Nghĩa Trung và vùng phụ cận Krông Nô",
    "Xã Đắk Búk So",
    "Xã Thuận Hạnh",
    "Xã Trường Xuân",
    "Xã Kiến Đức",
    "Xã Nhân Cơ",
    "Xã Quảng Tín",
    "Xã Tà Đùng",
    "Xã Quảng Khê",
    "Đảng ủy Ủy ban nhân dân tỉnh",
    "Đảng ủy các cơ quan Đảng và Mặt trận Tổ quốc tỉnh",
)
SIZES = (3120, 3010, 3890, 2650, 2380, 3150, 1690, 1420, 3420, 1180, 640, 760)
ORGANISATIONS = "Tổ chức đảng xếp loại hoàn thành tốt nhiệm vụ trở lên"
MEMBERS = "Đảng viên xếp loại hoàn thành tốt nhiệm vụ trở lên"
INSPECTED = "Tổ chức cơ sở đảng thực hiện kiểm tra, giám sát"
HAMLETS = "Thôn “trắng” (xã Đức Minh) kết nạp được đảng viên tại chỗ"
ADMITTING = "Tổ chức đảng có kết nạp đảng viên trong nhiệm kỳ"
CODES = {name: f"67.{place:03d}" for place, name in enumerate(NAMES, start=1)}
RULES = (
    ("R01", "error", 14),
    ("R04", "error", 9),
    ("R10", "error", 0),
    ("R16", "error", 31),
    ("R29", "error", 6),
    ("R30", "warning", 3),
)


def province(
    units: int = 12, *, seed: int = 7, missing: tuple[str, ...] = (), excellence: float = 0.158
) -> dict[str, pd.DataFrame]:
    """Marts of a province of so many units; ``missing`` units have sent nothing in the last year."""
    random = np.random.default_rng(seed)
    names = NAMES[:units]
    grassroots = pd.concat(
        [_grassroots(random, name, year, excellence) for year in YEARS for name in names], ignore_index=True
    )
    sent = ~((grassroots["year"] == YEARS[-1]) & grassroots["unit_code"].isin([CODES[name] for name in missing]))
    grassroots = grassroots[sent].reset_index(drop=True)
    counts = grassroots.groupby(["year", "unit_code"], as_index=False)[["rated", "xs", "htt", "ht", "kht"]].sum()
    admissions = _admissions(random, counts)
    return {
        "dim_unit": pd.DataFrame(
            {"unit_code": [CODES[name] for name in names], "unit_name": names, "is_expected": True}
        ),
        "dim_year": _years(),
        "coverage": _coverage(names, missing),
        "grassroots_excellence": grassroots,
        "rating_distribution": _distribution(counts),
        "rating_ladder": _ladder(random, counts),
        "discipline_by_level": _discipline(random, names),
        "admission_rate": admissions,
        "target_scoreboard": _scoreboard(counts, admissions),
        "fct_finding": _findings(random),
        "rule_result": _results(random, names),
    }


def scoreboard(*rows: tuple) -> pd.DataFrame:
    """Targets of 2025, each: id, name, comparison, target, unit, numerator, denominator, value, status."""
    columns = (
        "target_id",
        "target_name",
        "comparison",
        "target_value",
        "unit_of_measure",
        "numerator",
        "denominator",
        "value",
        "status",
    )
    frame = pd.DataFrame(rows, columns=columns).assign(
        year=2025, target_version=2, is_in_force=True, target_value_to=np.nan, note=None
    )
    return frame.astype({"numerator": float, "denominator": float, "value": float, "target_value": float})


def _grassroots(random: np.random.Generator, name: str, year: int, excellence: float) -> pd.DataFrame:
    place = NAMES.index(name)
    size = SIZES[place] if place < len(SIZES) else 900
    count = max(1, round(size / 62))
    rated = np.maximum(3, random.multinomial(round(size * 0.94), random.dirichlet(np.full(count, 2.2))))
    share = np.clip(random.beta(22 * excellence, 22 * (1 - excellence), count), 0.0, 0.9)
    if name == "Huyện Tuy Đức":
        share[: count // 3] = np.clip(share[: count // 3] + 0.35, 0, 0.9)
    xs = random.binomial(rated, share)
    kht = random.binomial(rated - xs, 0.006)
    ht = random.binomial(rated - xs - kht, 0.05 + 0.006 * place)
    code = CODES[name]
    return pd.DataFrame(
        {
            "year": year,
            "unit_code": code,
            "grassroots_code": [f"{code}.{i:02d}" for i in range(1, count + 1)],
            "org_name": [_organisation(i) for i in range(1, count + 1)],
            "org_kind": "Đảng bộ cơ sở",
            "org_sector": "Xã",
            "rated": rated,
            "xs": xs,
            "htt": rated - xs - ht - kht,
            "ht": ht,
            "kht": kht,
            "held_back": 0,
        }
    )


def _organisation(place: int) -> str:
    kind = "Đảng bộ xã" if place % 2 else "Chi bộ cơ quan"
    return f"{kind} {('Đức', 'Lập', 'Quảng', 'Nhân', 'Thuận')[place % 5]} {place}"


def _distribution(counts: pd.DataFrame) -> pd.DataFrame:
    long = counts.melt(["year", "unit_code", "rated"], ["xs", "htt", "ht", "kht"], "level_code", "n")
    not_rated = (long["rated"] * 0.06).round().astype(int)
    return long.assign(
        level_code=long["level_code"].str.upper(),
        subject_kind="member",
        not_rated=not_rated,
        total=long["rated"] + not_rated,
        share=long["n"] / long["rated"],
    )


def _ladder(random: np.random.Generator, counts: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in counts.itertuples():
        raised = 1.02 if row.unit_code == CODES["Huyện Tuy Đức"] else 1.45 + 0.6 * random.random()
        steps = {
            "self": min(row.rated, round(row.xs * raised)),
            "appraised": round(row.xs * (1 + (raised - 1) / 3)),
            "decided": row.xs,
        }
        rows += [
            {
                "year": row.year,
                "unit_code": row.unit_code,
                "subject_kind": "member",
                "step": step,
                "level_code": level,
                "n": n if level == "XS" else row.rated - n,
                "share": n / row.rated,
                "compared": row.rated,
            }
            for step, n in steps.items()
            for level in ("XS", "HTT")
        ]
    return pd.DataFrame(rows)


def _discipline(random: np.random.Generator, names: tuple[str, ...]) -> pd.DataFrame:
    means = {
        "Khiển trách": (0.15, 0.9, 1.1, 4.0, 0.2, 0.1),
        "Cảnh cáo": (0.03, 0.3, 0.5, 2.2, 0.1, 0.05),
        "Cách chức": (0, 0.02, 0.05, 0.3, 0.02, 0),
        "Khai trừ": (0, 0, 0, 0.4, 0.5, 0.05),
    }
    levels = (*LEVELS, "not_rated", "unknown")
    return pd.DataFrame(
        [
            {"year": year, "unit_code": CODES[name], "form": form, "level_code": level, "n": random.poisson(mean)}
            for year in YEARS
            for name in names
            for form, row in means.items()
            for level, mean in zip(levels, row, strict=True)
        ]
    )


def _admissions(random: np.random.Generator, counts: pd.DataFrame) -> pd.DataFrame:
    units = counts[["year", "unit_code"]].assign(members=(counts["rated"] * 1.06).round().astype(int))
    units["admissions"] = random.binomial(units["members"], 0.021 + 0.002 * (units["year"] - 2022))
    units["pupils_students"] = random.binomial(units["admissions"], 0.08)
    units["non_state_enterprise"] = random.binomial(units["admissions"], 0.03)
    whole = units.groupby("year", as_index=False).sum(numeric_only=True).assign(unit_code="ALL")
    every = pd.concat([units, whole], ignore_index=True)
    return every.assign(rate_pct=100 * every["admissions"] / every["members"])


def _scoreboard(counts: pd.DataFrame, admissions: pd.DataFrame) -> pd.DataFrame:
    boards = []
    for year in YEARS:
        rows = counts[counts["year"] == year]
        good, rated = int((rows["xs"] + rows["htt"]).sum()), int(rows["rated"].sum())
        all_units = admissions.query("year == @year and unit_code == 'ALL'").iloc[0]
        boards.append(
            scoreboard(
                ("orgs_good", ORGANISATIONS, "gt", 90, "percent", 388, 440, 100 * 388 / 440, "not_met"),
                (
                    "members_good",
                    MEMBERS,
                    "gt",
                    90,
                    "percent",
                    good,
                    rated,
                    100 * good / rated,
                    "met" if good * 10 > rated * 9 else "not_met",
                ),
                (
                    "admission_rate",
                    "Tỉ lệ kết nạp đảng viên mới",
                    "ge",
                    3,
                    "percent",
                    all_units["admissions"],
                    all_units["members"],
                    all_units["rate_pct"],
                    "met" if all_units["rate_pct"] >= 3 else "not_met",
                ),
                ("inspection_coverage", INSPECTED, "ge", 100, "percent", 418, 440, 95.0, "not_met"),
                ("named_hamlets", HAMLETS, "between", 1, "thôn", 1, 5, 1, "met"),
                ("admitting_orgs", ADMITTING, "gt", 80, "percent", None, None, None, "missing"),
            ).assign(year=year, target_value_to=lambda frame: np.where(frame["comparison"] == "between", 2.0, np.nan))
        )
    return pd.concat(boards, ignore_index=True)


def _coverage(names: tuple[str, ...], missing: tuple[str, ...]) -> pd.DataFrame:
    received = [len(names)] * (len(YEARS) - 1) + [len(names) - len(missing)]
    return pd.DataFrame(
        {
            "year": YEARS,
            "units_expected": len(names),
            "units_received": received,
            "units_missing": [[]] * (len(YEARS) - 1) + [list(missing)],
        }
    )


def _years() -> pd.DataFrame:
    regimes = {
        2022: ("QD132", "132-QĐ/TW", "21-HD/BTCTW", True),
        2023: ("QD124", "124-QĐ/TW", "25-HD/BTCTW", False),
        2024: ("QD124", "124-QĐ/TW", "25-HD/BTCTW", False),
        2025: ("QD366", "366-QĐ/TW", "43-HD/BTCTW", True),
    }
    columns = ["regime_id", "regime_name", "guidance", "is_text_confirmed"]
    return (
        pd.DataFrame.from_dict(regimes, orient="index", columns=columns)
        .rename_axis("year")
        .reset_index()
        .assign(structure_note=None)
    )


def _findings(random: np.random.Generator) -> pd.DataFrame:
    rows = [
        {
            "finding_id": f"{rule}-{year}-{i}",
            "rule_id": rule,
            "year": year,
            "severity": severity,
            "subject_kind": "member" if rule == "R01" else "organisation",
            "unit_code": CODES[NAMES[i % 12]],
            "member_key": f"MEMBERKEY{i:04d}" if rule == "R01" else None,
        }
        for year in YEARS
        for rule, severity, count in RULES
        for i in range(count + int(random.integers(0, 3)) * bool(count))
    ]
    return pd.DataFrame(rows)


def _results(random: np.random.Generator, names: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for year in YEARS:
        for rule, _, count in RULES:
            for name in names:
                blind = rule == "R10"
                tested, skipped = (0, 40) if blind else (int(random.integers(5, 60)), int(random.integers(0, 3)))
                rows.append(
                    {
                        "rule_id": rule,
                        "year": year,
                        "unit_code": CODES[name],
                        "tested": tested,
                        "found": count // len(names),
                        "not_checked": skipped,
                        "status": "not_checked" if blind else "passed",
                        "reason": "Thiếu số nhiệm vụ được giao" if blind else None,
                    }
                )
    return pd.DataFrame(rows)
