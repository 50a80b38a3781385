import numpy as np


class Algorithm:
    """Makes one model per client: the mean of all that the client gave (many-to-one)."""

    def __init__(self):
        self.projections = []

    def process(self, inputs, data_loaders, outputs):
        self.projections.append(inputs["projection"].data.value)  # accumulates

        if inputs["client_id"].isDataUnitDone():
            # This was the client's last projection. The model gets the interval of the client's id
            outputs["model"].write(
                {
                    "client_id": inputs["client_id"].data.value,
                    "value": np.mean(self.projections, axis=0),
                }
            )
            self.projections = []  # reset the accumulator for the next client

        return True
