import numpy as np


class Algorithm:
    """Answers guesses like ``tutorial/supervisor/1``, but loads all species in advance.

    Autonomous: nobody says when the learner goes on to its next flower, its write does.
    """

    def __init__(self):
        self.position = 0
        self.corrections = 0

    def prepare(self, data_loaders):
        loader = data_loaders.loaderOf("species")
        self.species = [loader[i][0]["species"].text for i in range(loader.count())]
        return True

    def validate(self, hypothesis):
        species = self.species[self.position]
        is_valid = hypothesis.text == species
        if not is_valid:
            self.corrections += 1

        # Who gives up is told, who guesses wrong is not
        tell = is_valid or hypothesis.text == ""
        return is_valid, {"text": species if tell else ""}

    def write(self, outputs, processor_output_name, end_data_index):
        # Called in sync with the write of the learner
        outputs["corrections"].write({"value": np.uint64(self.corrections)}, end_data_index)
        self.position += 1
        self.corrections = 0
        return True
