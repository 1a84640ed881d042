"""What an edge that sees requests in the clear could block: shallow trees, whose paths are rules a person could write.

A task: {"id", "columns": [names], "rows", "classes", "groups"}. A rule counts by what it does to groups that it was not made
from: the share of ours it hits where it hits at most one in a hundred of theirs.
"""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.tree import DecisionTreeClassifier, export_text

FALSE_HITS = 0.01
DEPTH = 3
FOLDS = 4


def mine(task):
    rows, truth = np.array(task["rows"], dtype=float), np.array(task["classes"])
    groups = np.array(task["groups"])
    scores = np.zeros(len(truth))
    folds = min(FOLDS, *(len(set(groups[truth == each])) for each in (0, 1)))
    for train, test in StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=1).split(rows, truth, groups):
        if len(set(truth[train])) == 2:
            scores[test] = tree().fit(rows[train], truth[train]).predict_proba(rows[test])[:, 1]
    best = {"hits": 0.0, "falseHits": 0.0}
    for limit in sorted(set(scores)):
        hits, false = [float((scores[truth == each] >= limit).mean()) for each in (1, 0)]
        if false <= FALSE_HITS and hits > best["hits"]:
            best = {"hits": hits, "falseHits": false}
    whole = export_text(tree().fit(rows, truth), feature_names=task["columns"], show_weights=False)
    counts = {"requests": [int((truth == 1).sum()), int((truth == 0).sum())]}
    return {"id": task["id"], **best, **counts, "tree": whole if best["hits"] > 0 else ""}


def tree():
    return DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=10, class_weight="balanced", random_state=1)
