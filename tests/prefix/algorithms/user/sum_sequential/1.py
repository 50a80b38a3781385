"""Sums up all numbers, one call for each."""

import numpy


class Algorithm:
    def __init__(self):
        self.sum = 0

    def process(self, inputs, data_loaders, output):
        self.sum += inputs["in"].data.value
        if not inputs.hasMoreData():
            output.write({"sum": numpy.int32(self.sum)})
        return True
