"""Error rates of a verification system: a score that reaches the threshold is accepted."""

import numpy as np


def error_rates(negatives, positives):
    """Return all thresholds that matter, in ascending order, with FAR and FRR at each of them.

    FAR is the part of ``negatives`` (impostors) that is accepted, FRR the part of ``positives``
    (genuine clients) that is rejected. Thresholds lie half-way between neighbouring scores; the
    first accepts all of them, the last rejects all.
    """
    if len(negatives) == 0 or len(positives) == 0:
        raise ValueError(
            "error rates need at least one negative and one positive score, got %d and %d"
            % (len(negatives), len(positives))
        )
    scores = np.unique(np.concatenate([negatives, positives]))
    middles = (scores[:-1] + scores[1:]) / 2
    thresholds = np.concatenate([scores[:1], middles, [np.nextafter(scores[-1], np.inf)]])
    rejected = np.searchsorted(np.sort(negatives), thresholds)
    far = (len(negatives) - rejected) / len(negatives)
    frr = np.searchsorted(np.sort(positives), thresholds) / len(positives)
    return thresholds, far, frr


def equal_error(far, frr):
    """Return where FAR and FRR are closest to each other: the index of that threshold."""
    return int(np.argmin(np.abs(far - frr)))


def corners(x, y):
    """Return the points that a staircase needs: those inside a straight step are left out."""
    keep = np.ones(len(x), dtype=bool)
    keep[1:-1] = (x[:-2] != x[2:]) & (y[:-2] != y[2:])
    return x[keep], y[keep]


def report(negatives, positives):
    """Return the results of a verification analyzer: the error rates at the EER and the curve."""
    thresholds, far, frr = error_rates(negatives, positives)
    best = equal_error(far, frr)
    x, y = corners(far, 1 - frr)
    return {
        "far": np.float32(far[best]),
        "frr": np.float32(frr[best]),
        "eer": np.float32((far[best] + frr[best]) / 2),
        "threshold": np.float32(thresholds[best]),
        "number_of_positives": np.int32(len(positives)),
        "number_of_negatives": np.int32(len(negatives)),
        "roc": {
            "title": "Receiver operating characteristic",
            "xlabel": "False acceptance rate",
            "ylabel": "True acceptance rate",
            "data": [{"label": "ROC", "x": x, "y": y}],
        },
    }
