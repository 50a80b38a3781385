import numpy as np


class Algorithm:
    """Counts which class was taken for which: the class with the best score is the decision."""

    def __init__(self):
        self.pairs = []

    def process(self, inputs, data_loaders, output):
        scores = inputs["scores"].data
        decision = scores.labels[int(np.argmax(scores.scores))]
        self.pairs.append((inputs["species"].data.text, decision))

        if not inputs.hasMoreData():
            output.write(self.report())

        return True

    def report(self):
        """Return the results over all pairs of species and decision."""
        classes = sorted({name for pair in self.pairs for name in pair})
        confusion = np.zeros((len(classes), len(classes)), dtype=np.uint32)
        for species, decision in self.pairs:
            confusion[classes.index(species), classes.index(decision)] += 1

        return {
            "accuracy": np.float32(np.trace(confusion) / len(self.pairs)),
            "number_of_samples": np.int32(len(self.pairs)),
            "classes": ", ".join(classes),
            "confusion_matrix": {"value": confusion},
        }
