"""Passes every number on, an offset added."""

import numpy


class Algorithm:
    def setup(self, parameters):
        self.offset = parameters["offset"]
        return True

    def process(self, inputs, data_loaders, outputs):
        value = numpy.int32(inputs["in"].data.value + self.offset)
        outputs["out"].write({"value": value})
        return True
