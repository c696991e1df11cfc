"""Which suite guards which table: every mart that readers rely on has one."""

from expectations.tables import TABLES
from orchestration import checks

suites = [checks.suite_check(table) for table in TABLES]

review = checks.review_check()

KEYS = frozenset({*(checks.key(table) for table in TABLES), checks.REVIEW_KEY})
