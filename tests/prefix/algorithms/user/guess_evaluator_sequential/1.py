"""Accepts ten times the number that it has read itself, and says how far it is to there."""

import numpy


class Algorithm:
    def __init__(self):
        self.guesses = 0

    def read(self, inputs):
        self.wanted = 10 * inputs["in"].data.value

    def validate(self, hypothesis):
        self.guesses += 1
        distance = self.wanted - hypothesis.value
        return distance == 0, {"value": numpy.int32(min(distance, 7))}

    def write(self, outputs, processor_output_name, end_data_index):
        outputs["out"].write({"value": numpy.int32(self.guesses)}, end_data_index)
        self.guesses = 0
