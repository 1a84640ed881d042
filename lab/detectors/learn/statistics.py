"""Figures of how well scores tell two classes apart."""

import numpy as np
from sklearn.metrics import roc_curve

# Normal quantile of 97.5 %.
Z = 1.96
# What real censors seem to tolerate of false alarms.
TOLERATED = 0.006


def placements(scores, others):
    """For each score, the share of the others that are smaller, ties halved."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, side="left")
    until = np.searchsorted(ordered, scores, side="right")
    return (below + until) / (2 * len(ordered))


def auc(truth, scores):
    """Area under the curve with DeLong's 95 % interval: {value, low, high}."""
    ones, zeros = scores[truth == 1], scores[truth == 0]
    from_ones, from_zeros = placements(ones, zeros), placements(zeros, ones)
    value = from_ones.mean()
    error = np.sqrt(from_ones.var(ddof=1) / len(ones) + from_zeros.var(ddof=1) / len(zeros))
    return {"value": value, "low": max(0.0, value - Z * error), "high": min(1.0, value + Z * error)}


def caught(truth, scores, tolerated=TOLERATED):
    """Share of ones above a limit that at most `tolerated` of the zeros exceed, and the false alarms there really are."""
    zeros = np.sort(scores[truth == 0])
    allowed = int(np.floor(tolerated * len(zeros)))
    limit = zeros[len(zeros) - 1 - allowed]
    return {
        "caught": float((scores[truth == 1] > limit).mean()),
        "alarms": float((zeros > limit).mean()),
    }


def precision(found, at_base_rates=(1, 1e-3, 1e-6)):
    """Share of alarms that are right, where so many of ours come on one of theirs. Without false alarms in the sample, the
    most that 95 % allow is taken instead (rule of three)."""
    rates = {}
    for rate in at_base_rates:
        right = found["caught"] * rate
        rates[f"1:{round(1 / rate)}"] = right / (right + found["bound"]) if right > 0 else 0.0
    return rates


def groups(truth, scores, size=50, draws=400, seed=1):
    """The same for hosts: so many flows of one class together, drawn with replacement; the mean of their log-odds counts."""
    random = np.random.default_rng(seed)
    odds = np.log(np.clip(scores, 1e-3, 1 - 1e-3) / np.clip(1 - scores, 1e-3, 1 - 1e-3))
    means = {
        each: random.choice(odds[truth == each], size=(draws, size), replace=True).mean(axis=1) for each in (0, 1)
    }
    return auc(np.repeat([0, 1], draws), np.concatenate([means[0], means[1]]))["value"]


def curve(truth, scores):
    false, true, _ = roc_curve(truth, scores)
    return [false.tolist(), true.tolist()]
