"""Sums up all numbers, all in one call."""

import numpy


class Algorithm:
    def process(self, data_loaders, output):
        loader = data_loaders.loaderOf("in")
        total = sum(data["in"].value for data, _, _ in loader)
        output.write({"sum": numpy.int32(total)}, loader.data_index_end)
        return True
