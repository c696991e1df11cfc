import stat

import pandas as pd
import pytest

from submissions.pseudonyms import load_secret, member_keys


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    secret = load_secret(tmp_path / "secrets")

    assert load_secret(tmp_path / "secrets") == secret
    assert len(secret) == 64
    assert stat.S_IMODE((tmp_path / "secrets" / "member_key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_a_secret_that_others_can_read_is_not_used(tmp_path):
    load_secret(tmp_path)
    (tmp_path / "member_key").chmod(0o644)

    with pytest.raises(PermissionError, match="chmod 600"):
        load_secret(tmp_path)


def test_one_card_has_one_key_and_two_cards_have_two():
    keys = member_keys(pd.Series(["670000000001", "670000000002", "670000000001"], dtype=object), b"secret")

    assert keys[0] == keys[2] != keys[1]
    assert keys.str.fullmatch("[0-9a-f]{32}").all()


def test_another_secret_gives_other_keys():
    cards = pd.Series(["670000000001"], dtype=object)

    assert member_keys(cards, b"one")[0] != member_keys(cards, b"other")[0]


def test_no_card_has_no_key():
    keys = member_keys(pd.Series([None, "670000000001"], dtype=object, index=[7, 9]), b"secret")

    assert keys[7] is None
    assert list(keys.index) == [7, 9]


def test_the_key_does_not_hold_the_card():
    assert "670000000001" not in member_keys(pd.Series(["670000000001"], dtype=object), b"secret")[0]
