"""Classifiers of flows: one class against another, never tested on what they were trained on.

A task: {"id": {"role", ...}, "columns": [{"name", "kind": "size" or "time"}], "rows": [[...]], "classes": [0 or 1], "groups": [...],
"heldOut": [...], "attackers": [...]}. Rows of one group (a guest who came several times) are never on both sides. Rows that
are held out (another site) serve for one figure more: trained on all others, tested on these. Where the role is "null" the
classes are the same, and are drawn anew several times: the figures are of the first, the area and its interval of all.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from . import statistics

FOLDS = 5
REDRAWS = 10
ATTACKERS = {
    "forest": lambda: RandomForestClassifier(n_estimators=80, min_samples_leaf=2, random_state=1),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=40, min_samples_leaf=5, random_state=1),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=9)),
    "network": lambda: make_pipeline(
        StandardScaler(), MLPClassifier(hidden_layer_sizes=(64, 32), alpha=0.01, max_iter=150, random_state=1)
    ),
}
# What an attacker looks at.
KINDS = {"sizes": ("size",), "times": ("time",), "both": ("size", "time")}


def judge(task):
    kind, attacker = task["kind"], task["attacker"]
    used = [i for i, column in enumerate(task["columns"]) if column["kind"] in KINDS[kind]]
    rows = np.array(task["rows"], dtype=float)[:, used]
    truth, groups = np.array(task["classes"]), np.array(task["groups"])
    here = ~np.array(task["heldOut"], dtype=bool)
    scores = out_of_fold(ATTACKERS[attacker], rows, truth, groups)
    found = statistics.caught(truth, scores)
    zeros = int((truth == 0).sum())
    found["bound"] = max(found["alarms"], 3 / zeros)
    area = statistics.auc(truth, scores)
    if task["id"]["role"] == "null":
        area = redrawn(ATTACKERS[attacker], rows, truth, groups, area["value"])
    return {
        "id": task["id"],
        "sessions": [int((truth == 1).sum()), zeros],
        "auc": area,
        "caught": found["caught"],
        "precision": statistics.precision(found),
        "groups": statistics.groups(truth, scores),
        "heldOut": held_out(ATTACKERS[attacker], rows, truth, here),
        "telling": telling(rows, truth, [task["columns"][i]["name"] for i in used]),
        "curve": statistics.curve(truth, scores),
    }


def out_of_fold(make, rows, truth, groups):
    scores = np.full(len(truth), 0.5)
    folds = min(FOLDS, *(len(set(groups[truth == each])) for each in (0, 1)))
    for train, test in StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=1).split(rows, truth, groups):
        if len(set(truth[train])) == 2:
            scores[test] = make().fit(rows[train], truth[train]).predict_proba(rows[test])[:, 1]
    return scores


def redrawn(make, rows, truth, groups, first):
    """What an attacker finds where nothing is to be found: mean, and where 95 % of the draws are."""
    random = np.random.default_rng(1)
    areas = [first]
    for _ in range(REDRAWS - 1):
        drawn = random.permutation(truth)
        areas.append(statistics.auc(drawn, out_of_fold(make, rows, drawn, groups))["value"])
    low, high = np.quantile(areas, [0.025, 0.975])
    return {"value": float(np.mean(areas)), "low": float(low), "high": float(high)}


def held_out(make, rows, truth, here):
    """Trained on one site, tested on the other; None where there is no other."""
    there = ~here
    if min((truth[there] == each).sum() for each in (0, 1)) < 8:
        return None
    scores = make().fit(rows[here], truth[here]).predict_proba(rows[there])[:, 1]
    return statistics.auc(truth[there], scores)


def telling(rows, truth, names, count=4):
    """Columns that tell most by themselves: {name, auc, medians of ours and theirs}."""
    spread = [i for i in range(rows.shape[1]) if len(set(rows[:, i])) > 1]
    found = []
    for i in spread:
        area = statistics.auc(truth, rows[:, i])["value"]
        medians = [float(np.median(rows[truth == each, i])) for each in (1, 0)]
        found.append({"name": names[i], "auc": max(area, 1 - area), "medians": medians})
    return sorted(found, key=lambda each: -each["auc"])[:count]
