"""A build's figures as text: utilisation, clock, slowest path, warnings."""

from tabulate import tabulate


def summary(figures: dict) -> str:
    """The text of ``report.txt``.

    Parameters
    ----------
    figures : dict
        As in ``build.json``.
    """
    rows = [
        (name, count["used"], count["available"], f"{100 * count['used'] / count['available']:.1f} %")
        for name, count in figures["resources"].items()
        if count["available"]
    ]
    verdict = "met" if figures["timing_met"] else "missed"
    path = figures["critical_path"]
    speed = figures["samples_per_second"]
    lines = [
        f"{figures['board']}, {figures['device']}, {figures['lanes']} lanes, seed {figures['seed']}",
        "",
        "Utilisation",
        tabulate(rows, headers=("resource", "used", "available", "share")),
        "",
        "Timing",
        f"clock {figures['fmax_mhz']:.2f} MHz of {figures['target_mhz']:g} MHz aimed at: {verdict}",
        *([f"slowest path {path['text']}"] if path else []),
        *([f"training samples/s, dense: {speed:,}"] if speed else []),
        "",
        "Warnings",
        *[
            f"{item['tool']}: {item['text']}" + (f" ({item['count']} times)" if item["count"] > 1 else "")
            for item in figures["warnings"]
        ],
        *([] if figures["warnings"] else ["none"]),
        "",
        "Tools",
        *[f"{name}: {version}" for name, version in figures["tools"].items()],
    ]
    return "\n".join(lines) + "\n"
