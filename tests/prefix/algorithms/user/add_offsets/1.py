"""Adds the sum of all numbers of another channel to every number."""

import numpy


class Algorithm:
    def prepare(self, data_loaders):
        loader = data_loaders.loaderOf("offset")
        self.offset = sum(data["offset"].value for data, _, _ in loader)
        return True

    def process(self, inputs, data_loaders, outputs):
        value = numpy.int32(inputs["in"].data.value + self.offset)
        outputs["out"].write({"value": value})
        return True
