import numpy as np


class Algorithm:
    """Shows how the first guesses of a learner get better while it sees more flowers."""

    def __init__(self):
        self.correct = []
        self.corrections = []

    def process(self, inputs, data_loaders, output):
        self.correct.append(inputs["guess"].data.text == inputs["species"].data.text)
        self.corrections.append(int(inputs["corrections"].data.value))

        if not inputs.hasMoreData():
            output.write(self.report())

        return True

    def report(self):
        """Return the accuracy over all flowers and its course."""
        seen = np.arange(1, len(self.correct) + 1)
        return {
            "accuracy": np.float32(np.mean(self.correct)),
            "number_of_corrections": np.int32(sum(self.corrections)),
            "learning_curve": {
                "title": "Learning under supervision",
                "xlabel": "Flowers seen",
                "ylabel": "Per flower, on average so far",
                "data": [
                    {
                        "label": "first guesses that were right",
                        "x": seen,
                        "y": np.cumsum(self.correct) / seen,
                    },
                    {
                        "label": "corrections",
                        "x": seen,
                        "y": np.cumsum(self.corrections) / seen,
                    },
                ],
            },
        }
