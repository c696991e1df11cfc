"""Pseudonyms: a card number becomes a key that only the holder of the secret can make again."""

import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

_BYTES = 16
"""128 bits of the HMAC are kept: no two of a nation's members will meet."""


def load_secret(folder: Path) -> bytes:
    """The key of the pseudonyms; made on first use, readable by its owner alone.

    Raises `PermissionError` where others can read the file: then the pseudonyms are worth nothing.
    """
    path = folder / "member_key"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        # Made whole before it gets its name: two runs at once agree on the first, and none reads half a key.
        draft = folder / f".member_key.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path}: tệp khóa bí mật đang cho người khác đọc; hãy chạy: chmod 600 {path}")
    return path.read_bytes().strip()


def member_keys(cards: pd.Series, secret: bytes) -> pd.Series:
    """Pseudonymous keys of card numbers (missing stays missing): HMAC-SHA-256, first 128 bits, in hexadecimal.

    A plain hash would not do: twelve digits are searched in seconds (`reliability.md` 4.4).
    """
    codes, distinct = pd.factorize(cards, use_na_sentinel=True)
    keys = np.array([*(member_key(card, secret) for card in distinct), None], dtype=object)
    return pd.Series(keys[codes], index=cards.index, dtype=object)


@lru_cache(maxsize=20_000)  # the forms of a workbook name the same members
def member_key(card: str, secret: bytes) -> str:
    """The pseudonymous key of one card number, as in `member_keys`."""
    return hmac.digest(secret, f"member|v1|{card}".encode(), "sha256")[:_BYTES].hex()
