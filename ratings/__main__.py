"""``python -m ratings`` checks the tables of the regulations; ``--write`` first makes the seed of the rules."""

import argparse
import sys

from ratings.rules import CATALOGUE, SEED, check_tables, load_rules, seed
from ratings.tables import SEEDS, TableError


def main() -> int:
    """Check, or write and check; a fault is told on stderr."""
    parser = argparse.ArgumentParser(prog="python -m ratings", description="Kiểm tra các bảng quy định.")
    parser.add_argument("--write", action="store_true", help=f"ghi lại {SEED} từ {CATALOGUE.name}")
    try:
        if parser.parse_args().write:
            (SEEDS / SEED).write_text(seed(load_rules()), encoding="utf-8")
        check_tables()
    except TableError as error:
        print(error, file=sys.stderr)
        return 1
    print("Các bảng quy định dùng được.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
