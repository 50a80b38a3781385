"""Passes every number on, in the way of API 1."""


class Algorithm:
    def process(self, inputs, outputs):
        outputs["out"].write({"value": inputs["in"].data.value})
        return True
