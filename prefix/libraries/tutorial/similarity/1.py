"""Similarity of two vectors: the larger, the more alike."""

import numpy as np


def euclidean(a, b):
    """Return minus the Euclidean distance."""
    return -np.linalg.norm(a - b)


def cityblock(a, b):
    """Return minus the sum of the absolute differences."""
    return -np.abs(a - b).sum()


def cosine(a, b):
    """Return the cosine of the angle between the vectors."""
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


MEASURES = {"euclidean": euclidean, "cityblock": cityblock, "cosine": cosine}
