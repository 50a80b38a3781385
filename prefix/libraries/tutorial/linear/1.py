"""Linear machines: the affine maps that the format ``tutorial/linear_machine/1`` holds."""

import numpy as np


def oriented(axes):
    """Return ``axes`` (one per column) with the largest entry of each made positive.

    An axis and its opposite are equally good; which of the two a decomposition gives is a matter
    of chance. Choosing one makes the same training data give the same machine.
    """
    largest = axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])]
    return axes * np.where(largest < 0, -1.0, 1.0)


def projection(mean, axes):
    """Return the linear machine that subtracts ``mean`` and projects on ``axes`` (one per column)."""
    return {
        "input_subtract": mean,
        "input_divide": np.ones_like(mean),
        "weights": axes,
        "biases": np.zeros(axes.shape[1]),
    }


def apply(machine, sample):
    """Return what ``machine`` makes of ``sample``, a vector with one value per axis."""
    scaled = (sample - machine.input_subtract) / machine.input_divide
    return scaled @ machine.weights + machine.biases
