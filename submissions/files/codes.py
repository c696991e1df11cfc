"""Every reason for which a file is refused, and every hazard: code, what was found and what to do, in Vietnamese.

`docs/hazards.md` lists them for users; a test holds the two together.
"""

from dataclasses import dataclass

from submissions.files.source import Hazard, RefusedError

SAVE_AS = (
    "Hãy mở tệp bằng Excel hoặc LibreOffice, chọn Lưu thành (Save As), loại “Excel Workbook (.xlsx)”, rồi gửi lại."
)
SAVE_AGAIN = "Hãy mở bản gốc trên máy đã lập, lưu lại, chép đủ rồi gửi lại."


@dataclass(frozen=True)
class Code:
    """What a code says: the finding (with places for facts) and the advice; both are sentences."""

    found: str
    advice: str


REFUSALS: dict[str, Code] = {
    # The file as it lies in the folder
    "NO_SUCH_FILE": Code("Không tìm thấy tệp.", "Hãy kiểm tra tên và thư mục."),
    "UNREADABLE_FILE": Code("Không mở được tệp: {why}.", "Hãy kiểm tra quyền đọc tệp và ổ đĩa."),
    "NOT_A_REGULAR_FILE": Code(
        "Đây là {what}, không phải là tệp dữ liệu.", "Hãy chép chính tệp dữ liệu vào thư mục nhận rồi gửi lại."
    ),
    "BAD_FILE_NAME": Code("Tên tệp không dùng được: {why}.", "Hãy đổi tên tệp, chỉ dùng chữ, số, dấu cách và “-”."),
    "TEMPORARY_FILE": Code(
        "Đây là tệp tạm của chương trình khác (đang mở hoặc đang tải).", "Hãy đóng chương trình rồi gửi tệp chính."
    ),
    "FILE_CHANGED": Code("Tệp thay đổi trong khi đọc.", "Hãy đợi chép xong rồi gửi lại."),
    "EMPTY_FILE": Code("Tệp rỗng (0 byte).", "Hãy lưu lại tệp rồi gửi lại."),
    "TOO_LARGE": Code("Tệp lớn {size} MB, quá mức {limit} MB.", "Hãy bỏ hình ảnh và trang thừa, lưu lại rồi gửi lại."),
    # What it is
    "NOT_A_WORKBOOK": Code(
        "Tệp không phải là sổ tính: {what}.",
        "Hãy gửi tệp .xlsx gốc; nếu Excel mở được tệp này thì chọn Lưu thành (Save As), loại “Excel Workbook (.xlsx)”.",
    ),
    "XLSB_FILE": Code("Tệp là sổ tính nhị phân (.xlsb).", SAVE_AS),
    "MACROS": Code(
        "Sổ tính có chứa macro.",
        "Hãy mở bằng Excel, chọn Lưu thành (Save As), loại “Excel Workbook (.xlsx)”, trả lời “Yes” để bỏ macro, rồi "
        "gửi lại.",
    ),
    "PASSWORD_PROTECTED": Code(
        "Tệp đặt mật khẩu mở.", "Hãy bỏ mật khẩu (Tệp › Thông tin › Bảo vệ sổ làm việc), lưu lại rồi gửi lại."
    ),
    # The container
    "DAMAGED_WORKBOOK": Code("Tệp hỏng hoặc chép chưa xong: {why}.", SAVE_AGAIN),
    "UNSAFE_PACKAGE": Code("Bên trong tệp không đúng cấu trúc của một sổ tính: {why}.", SAVE_AS),
    "EXPANDS_TOO_MUCH": Code("Tệp nén bung ra quá lớn ({why}).", "Hãy bỏ vùng định dạng thừa, lưu lại rồi gửi lại."),
    "DOCTYPE": Code("Phần “{part}” trong tệp có khai báo DOCTYPE hoặc thực thể, không được phép.", SAVE_AS),
    "BAD_XML": Code("Phần “{part}” trong tệp bị hỏng.", SAVE_AGAIN),
    # The sheets
    "NO_SHEETS": Code("Sổ tính không có trang tính nào.", "Hãy kiểm tra và gửi đúng tệp."),
    "DAMAGED_SHEET": Code("Không đọc được trang “{sheet}”: {why}.", SAVE_AGAIN),
    "DOUBLED_SHEET_NAME": Code("Có hai trang cùng tên “{sheet}”.", "Hãy đổi tên hoặc xóa một trang rồi gửi lại."),
    "DOUBLED_CELL": Code("Trang “{sheet}”: ô {cell} xuất hiện hai lần trong tệp.", SAVE_AS),
    "FAR_CELL": Code(
        "Trang “{sheet}”: có ô nằm quá xa ({cell}).",
        "Hãy xóa các dòng và cột thừa bên phải và bên dưới bảng, lưu lại rồi gửi lại.",
    ),
    "TOO_MANY_CELLS": Code(
        "Trang “{sheet}”: quá nhiều ô ({count}).", "Hãy xóa vùng thừa, mỗi tệp chỉ chứa dữ liệu của một đơn vị."
    ),
    "FORMULA_NOT_CALCULATED": Code(
        "Có công thức chưa có kết quả: {cells}.",
        "Hãy mở bằng Excel hoặc LibreOffice cho tính lại (phím F9), lưu lại rồi gửi lại.",
    ),
    "READERS_DISAGREE": Code("Trang “{sheet}”: hai bộ đọc cho kết quả khác nhau (ô {cell}).", SAVE_AS),
    # The limited process
    "READER_DIED": Code("Tệp làm bộ đọc dừng đột ngột.", SAVE_AS),
    "TOO_SLOW": Code(
        "Đọc tệp quá lâu (hơn {seconds} giây).", "Hãy xóa vùng thừa trong các trang, lưu lại rồi gửi lại."
    ),
    "TOO_MUCH_MEMORY": Code("Đọc tệp tốn quá nhiều bộ nhớ.", "Hãy xóa vùng thừa trong các trang, lưu lại rồi gửi lại."),
}
"""Codes of `RefusedError`."""

HAZARDS: dict[str, Code] = {
    # The file
    "WRONG_EXTENSION": Code("Nội dung tệp là {kind}, khác với phần mở rộng của tên.", "Nên đổi tên cho đúng loại tệp."),
    "TRAILING_BYTES": Code("Cuối tệp có {count} byte thừa.", "Dữ liệu vẫn đủ; nên lưu lại tệp."),
    "ODD_FILE_NAME": Code("Tên tệp lạ: {why}.", "Nên đổi tên cho dễ đọc."),
    "EXTERNAL_LINKS": Code("Sổ tính có liên kết tới tệp khác.", "Liên kết không được mở; nên ngắt liên kết."),
    "DATA_CONNECTIONS": Code("Sổ tính có kết nối dữ liệu.", "Kết nối không được mở; nên xóa kết nối."),
    "EMBEDDED_OBJECTS": Code("Sổ tính có tệp hoặc đối tượng nhúng.", "Đối tượng không được đọc; nên xóa."),
    "DATES_1904": Code(
        "Sổ tính dùng hệ ngày 1904.", "Ngày đã được đọc đúng theo hệ này; hãy xem lại nếu có chép từ tệp khác."
    ),
    "STALE_FORMULAS": Code(
        "Sổ tính có công thức cần tính lại khi mở; kết quả lưu trong tệp có thể cũ.",
        "Hãy mở bằng Excel, lưu lại rồi gửi lại.",
    ),
    "EMPTY_WORKBOOK": Code("Sổ tính không có ô nào có dữ liệu.", "Hãy kiểm tra và gửi đúng tệp."),
    # Sheets
    "HIDDEN_SHEET": Code("Trang bị ẩn.", "Trang ẩn không được tính là biểu; hãy bỏ ẩn nếu là dữ liệu."),
    "HIDDEN_ROWS": Code("Có dòng bị ẩn.", "Dòng ẩn vẫn được đọc; hãy xem lại."),
    "HIDDEN_COLUMNS": Code("Có cột bị ẩn.", "Cột ẩn vẫn được đọc; hãy xem lại."),
    "FILTERED_ROWS": Code("Trang đang lọc dữ liệu.", "Dòng bị lọc vẫn được đọc; hãy bỏ lọc để xem lại."),
    "MERGED_CELLS": Code("Có ô gộp.", "Chỉ ô trên cùng bên trái có giá trị; nên bỏ gộp ô trong bảng."),
    "LYING_DIMENSION": Code("Kích thước trang ghi trong tệp không đúng.", "Mọi ô vẫn được đọc."),
    "UNSORTED_CELLS": Code("Ô trong tệp không theo thứ tự.", "Mọi ô vẫn được đọc đúng chỗ."),
    # Cells
    "ERROR_CELLS": Code("Có ô lỗi.", "Hãy sửa công thức hoặc nhập lại giá trị."),
    "FORMULA_NOT_CALCULATED": Code("Có công thức chưa có kết quả.", "Hãy mở bằng Excel cho tính lại, lưu lại."),
    "ODD_DATES": Code("Có ô ngày không có thật (29/02/1900 hoặc số âm).", "Hãy nhập lại ngày."),
    "NUMBERS_AS_TEXT": Code("Có số lưu dạng chữ.", "Hãy chuyển thành số hoặc kiểm tra lại."),
    "CODE_AS_NUMBER": Code("Có dãy số dài lưu dạng số, có thể là mã đã mất số 0 ở đầu.", "Hãy lưu mã dạng chữ (Text)."),
    "STRUCK_TEXT": Code("Có chữ bị gạch ngang.", "Dòng gạch ngang vẫn được đọc; hãy xóa nếu không dùng."),
    "LEGACY_FONT": Code("Có chữ gõ bằng phông cũ (TCVN3, VNI), đã chuyển sang Unicode.", "Hãy xem lại các ô này."),
    "LEGACY_DOUBT": Code("Có chữ có thể gõ bằng phông cũ, chưa chuyển được chắc chắn.", "Hãy gõ lại bằng Unicode."),
    "DECOMPOSED_TEXT": Code("Có chữ Unicode tổ hợp.", "Đã hiểu như chữ dựng sẵn khi so sánh."),
    "CONTROL_CHARACTERS": Code("Có ký tự điều khiển trong chữ.", "Hãy xóa và gõ lại ô này."),
    "INVISIBLE_CHARACTERS": Code("Có ký tự không nhìn thấy trong chữ.", "Hãy gõ lại nếu giá trị không khớp."),
    "BIDI_CHARACTERS": Code("Có ký tự đảo chiều chữ.", "Hãy xóa và gõ lại ô này."),
    "LOOKALIKE_LETTERS": Code("Có chữ cái trông giống chữ Việt nhưng khác mã (Ð, chữ Kirin…).", "Hãy gõ lại ô này."),
    "FORMULA_LIKE_TEXT": Code("Có chữ bắt đầu như công thức.", "Chữ này không được tính; hãy kiểm tra lại."),
}
"""Codes of `Hazard`."""


def refused(code: str, **facts: object) -> RefusedError:
    """The refusal of this code; the facts fill its places."""
    entry = REFUSALS[code]
    return RefusedError(code, f"{entry.found.format(**facts)} {entry.advice}")


def hazard(code: str, sheet: str | None = None, cell: str | None = None, count: int = 1, **facts: object) -> Hazard:
    """The hazard of this code at a place; the facts fill its places."""
    entry = HAZARDS[code]
    return Hazard(code, f"{entry.found.format(count=count, **facts)} {entry.advice}", sheet, cell, count)
