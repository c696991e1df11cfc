"""What a user who is not root may do: root passes over the permissions of files, the service's user does not."""

import os
import shutil
from collections.abc import Sequence

import pytest


def without_rights(command: Sequence[str]) -> list[str]:
    """The command, run without root's rights over files; of any other user as it is."""
    if os.geteuid() != 0:
        return [*command]
    if not shutil.which("setpriv"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("missing: setpriv (util-linux)")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=0", *command]
