"""The four levels of the yearly rating, best to worst."""

LEVEL_NAMES = {
    "XS": "Hoàn thành xuất sắc nhiệm vụ",
    "HTT": "Hoàn thành tốt nhiệm vụ",
    "HT": "Hoàn thành nhiệm vụ",
    "KHT": "Không hoàn thành nhiệm vụ",
}
"""Level code to its Vietnamese name, in order."""

LEVEL_ORDER = {code: order for order, code in enumerate(LEVEL_NAMES, start=1)}
"""Level code to its rank: 1 is the best."""
