"""Pictures of results, as SVG without dates or random names, so that equal figures make equal files."""

import os

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "sotto"
import matplotlib.pyplot as plot  # noqa: E402  (the backend has to be chosen first)


def draw(results, folder):
    os.makedirs(folder, exist_ok=True)
    areas([each for each in results["flows"] if each["id"]["attacker"] == "forest"], os.path.join(folder, "flows.svg"))
    curves([each for each in results["flows"] if shown(each["id"])], os.path.join(folder, "curves.svg"))


def shown(id):
    return id["attacker"] == "forest" and id["kind"] == "both" and id["view"] == "whole"


def named(id):
    return f"{id['pair']} ({id['tap']})"


def save(figure, file):
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plot.close(figure)


def areas(flows, file):
    """One line a pair: the area with its interval, by what the attacker sees."""
    pairs = list(dict.fromkeys(named(each["id"]) for each in flows))
    looks = list(dict.fromkeys((each["id"]["view"], each["id"]["kind"]) for each in flows))
    figure, axes = plot.subplots(figsize=(9, 1.2 + 0.55 * len(pairs)))
    for at, look in enumerate(looks):
        mine = [each for each in flows if (each["id"]["view"], each["id"]["kind"]) == look]
        places = [pairs.index(named(each["id"])) + (at - len(looks) / 2) * 0.1 for each in mine]
        values = [each["auc"]["value"] for each in mine]
        below = [each["auc"]["value"] - each["auc"]["low"] for each in mine]
        above = [each["auc"]["high"] - each["auc"]["value"] for each in mine]
        axes.errorbar(values, places, xerr=[below, above], fmt="o", markersize=3, linewidth=1, label=f"{look[0]}, {look[1]}")
    axes.axvline(0.5, color="grey", linewidth=0.8)
    axes.axvline(0.6, color="grey", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(pairs)), pairs)
    axes.invert_yaxis()
    axes.set_xlim(0.3, 1.02)
    axes.set_xlabel("area under the ROC curve, 95 % interval (dotted: the aim)")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(figure, file)


def curves(flows, file):
    figure, axes = plot.subplots(figsize=(7, 5))
    for each in flows:
        false, true = each["curve"]
        axes.plot(false, true, linewidth=1, label=f"{named(each['id'])}: {each['auc']['value']:.2f}")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("false alarms")
    axes.set_ylabel("caught")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(figure, file)
