"""A classifier that can learn sample by sample, and gets to know its classes while it does."""

import numpy as np


class NearestMean:
    """Keeps the mean of each class; the nearer its mean, the likelier a class is."""

    def __init__(self):
        self.means = {}
        self.counts = {}

    def ranking(self, sample):
        """Return the names of the classes known so far, the likeliest first."""
        return sorted(self.means, key=lambda name: np.linalg.norm(sample - self.means[name]))

    def learn(self, sample, name):
        """Take ``sample`` into the mean of the class ``name``."""
        self.counts[name] = self.counts.get(name, 0) + 1
        mean = self.means.get(name, np.zeros_like(sample))
        self.means[name] = mean + (sample - mean) / self.counts[name]
