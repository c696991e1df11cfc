"""dbt's own pages of the warehouse as the dictionary shows them: in Vietnamese, with types, without a trace's workings.

What dbt knows is its manifest; here it is put into words before dbt's page is given it.
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any

Types = Mapping[tuple[str, str], str]
"""Type of each column, by relation and column."""

META = {
    "scale": "Hệ số", "name_en": "Tên tiếng Anh", "unit_of_measure": "Đơn vị tính", "source_forms": "Biểu nguồn",
    "grain": "Đếm theo", "legal_source": "Căn cứ", "direction": "Chiều mong muốn", "target_id": "Chỉ tiêu",
    "list": "Danh mục cần xem", "mend": "Cách sửa",
}  # fmt: skip
DIRECTIONS = {"up": "càng cao càng tốt", "down": "càng thấp càng tốt", "none": "không có"}
"""What the seeds say of where a figure should go."""

WORDS = {
    "<title>dbt Docs</title>": "<title>Từ điển dữ liệu</title>",
    'lang="en-US"': 'lang="vi"',
    'placeholder="Search for models..."': 'placeholder="Tìm bảng, cột, chỉ số..."',
    "<h6>Details</h6>": "<h6>Chi tiết</h6>",
    "<h6>Description</h6>": "<h6>Mô tả</h6>",
    "<h6>Columns</h6>": "<h6>Các cột</h6>",
    "<h6>Referenced By</h6>": "<h6>Bảng nào đọc</h6>",
    "<h6>Depends On</h6>": "<h6>Đọc từ bảng nào</h6>",
    "<h6>Code</h6>": "<h6>Câu lệnh</h6>",
    ">Details</a>": ">Chi tiết</a>",
    ">Description</a>": ">Mô tả</a>",
    ">Columns</a>": ">Các cột</a>",
    ">Referenced By</a>": ">Bảng nào đọc</a>",
    ">Depends On</a>": ">Đọc từ bảng nào</a>",
    ">Code</a>": ">Câu lệnh</a>",
    ">Column</th>": ">Cột</th>",
    ">Type</th>": ">Kiểu</th>",
    ">Description</th>": ">Mô tả</th>",
    ">Constraints</th>": ">Ràng buộc</th>",
    ">Data Tests</th>": ">Kiểm tra</th>",
    ">More?</th>": ">Thêm</th>",
    "<h5>Details</h5>": "<h5>Chi tiết</h5>",
    "<h5>Description</h5>": "<h5>Mô tả</h5>",
}
"""Words of dbt's page, where they stand as its text; one that a later dbt words otherwise stays as it is there."""

STYLE = """<style>
.detail-body { white-space: normal !important }
.detail { vertical-align: top; max-width: 40rem }
td[style*=ellipsis] { white-space: normal !important; overflow-wrap: anywhere }
</style>"""
"""Nothing that is said is cut off."""


def page(manifest: Mapping[str, Any], types: Types) -> str:
    """The page of dbt with all it shows inside; it loads nothing from anywhere."""
    text = files("dbt.task.docs").joinpath("index.html").read_text(encoding="utf-8")
    # The page names an icon and an address of its own that are not there.
    text = re.sub(r"<link[^>]*>", "", text)
    for told, vietnamese in WORDS.items():
        text = text.replace(told, vietnamese)
    text = text.replace("</head>", f"{STYLE}</head>", 1)
    data = {"MANIFEST": worded(manifest), "CATALOG": catalogue(manifest, types)}
    for name, value in data.items():
        inline = json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
        text = text.replace(f'"{name}.JSON INLINE DATA"', inline)
    return text


def worded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with how figures are found again in words, and what is said beside a node under Vietnamese names."""
    told = deepcopy(dict(manifest))
    for kind in ("nodes", "metrics"):
        for node in told[kind].values():
            meta = {**node.get("meta", {}), **node["config"].get("meta", {})}
            trace = meta.pop("trace", None)
            if trace and node["resource_type"] == "model":
                _trace_in_words(node, trace)
            if "direction" in meta:
                meta["direction"] = DIRECTIONS[meta["direction"]]
            node["meta"] = {META.get(name, name): value for name, value in meta.items()}
            node["config"] = {**node["config"], "meta": {}}
    return told


def _trace_in_words(node: dict[str, Any], trace: Mapping[str, Any]) -> None:
    """Say in the descriptions how each figure is found again, or why it is not."""
    primary = [one["columns"] for one in node.get("constraints", ()) if one["type"] == "primary_key"]
    key = "/".join(trace.get("key") or (primary[0] if primary else ["KHÓA"]))
    node["description"] += f"\n\nTruy vết một số liệu đến từng ô: `thucchat trace {node['name']} {key} CỘT`."
    for name, column in node["columns"].items():
        formula = trace.get("columns", {}).get(name, {}).get("formula", "")
        why = trace.get("not", {}).get(name)
        if formula.startswith("select "):
            formula = "theo định nghĩa của từng chỉ số (bảng indicators)."
        if formula:
            column["description"] += f" Cách tính: {formula}"
        elif why:
            column["description"] += f" Không truy vết: {why}"
        elif trace.get("record") and name not in trace.get("key", []):
            column["description"] += " Cách tính: ô của dòng trong biểu."


def catalogue(manifest: Mapping[str, Any], types: Types) -> dict[str, Any]:
    """What dbt would read from a warehouse: the type of every column, from contracts, seeds and the forms."""
    told: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}}
    for kind, nodes in (("nodes", manifest["nodes"]), ("sources", manifest["sources"])):
        for unique_id, node in nodes.items():
            if node["resource_type"] not in {"model", "seed", "source"}:
                continue
            columns = type_of_columns(node, types)
            told[kind][unique_id] = {
                "unique_id": unique_id,
                "metadata": {
                    "type": node["config"].get("materialized") or "table",
                    "schema": node["schema"],
                    "name": node["name"],
                    "database": node["database"],
                    "comment": None,
                    "owner": None,
                },
                "columns": {
                    name: {"type": type_, "index": place, "name": name, "comment": None}
                    for place, (name, type_) in enumerate(columns.items(), start=1)
                },
                "stats": {},
            }
    return {"metadata": {}, **told, "errors": None}


def type_of_columns(node: Mapping[str, Any], types: Types) -> dict[str, str]:
    """Type of each column of a model, seed or form, in the words of the warehouse."""
    declared = {name: column.get("data_type") for name, column in node.get("columns", {}).items()}
    declared |= node["config"].get("column_types") or {}
    relation = f"store.{node['name']}" if node["resource_type"] == "source" else node["name"]
    known = {column: type_ for (name, column), type_ in types.items() if name == relation}
    names = {**declared, **known} if node["resource_type"] == "source" else declared
    return {name: declared.get(name) or known.get(name) or "" for name in names}
