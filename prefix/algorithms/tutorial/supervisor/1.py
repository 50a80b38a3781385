import numpy as np


class Algorithm:
    """Knows the species, answers the guesses of a learner and counts those that were wrong.

    Sequential: ``read`` is called when the learner has gone on to its next flower.
    """

    def read(self, inputs):
        self.species = inputs["species"].data.text
        self.corrections = 0
        return True

    def validate(self, hypothesis):
        is_valid = hypothesis.text == self.species
        if not is_valid:
            self.corrections += 1

        # Who gives up is told, who guesses wrong is not
        tell = is_valid or hypothesis.text == ""
        return is_valid, {"text": self.species if tell else ""}

    def write(self, outputs, processor_output_name, end_data_index):
        # Called in sync with the write of the learner
        outputs["corrections"].write({"value": np.uint64(self.corrections)}, end_data_index)
        return True
