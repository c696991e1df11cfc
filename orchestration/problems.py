"""Problems a user can mend: shown as one Vietnamese sentence, without a traceback."""

import errno

_REASONS = {
    errno.ENOENT: "thư mục không tồn tại",
    errno.EACCES: "không có quyền",
    errno.EPERM: "không có quyền",
    errno.EROFS: "nơi này chỉ cho đọc",
    errno.ENOSPC: "đĩa đã đầy",
    errno.ENOTDIR: "một phần của đường dẫn không phải là thư mục",
    errno.EISDIR: "đường dẫn là một thư mục",
}


class ProblemError(RuntimeError):
    """Something is missing, busy or refused; the message says what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        """`exit_code` is what the command ends with."""
        super().__init__(message)
        self.exit_code = exit_code


def reason(error: OSError) -> str:
    """Why the system refused, in Vietnamese where it is a common reason."""
    return _REASONS.get(error.errno or 0, f"lỗi hệ thống {error.errno}")
