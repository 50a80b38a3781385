class Algorithm:
    """Compares each probe with the models of all clients."""

    def __init__(self):
        self.models = []

    def setup(self, parameters):
        self.similarity = similarity.MEASURES[parameters["similarity"]]
        return True

    def prepare(self, data_loaders):
        # Loads the models at the beginning: they are not synchronized with the probes
        loader = data_loaders.loaderOf("model")
        for i in range(loader.count("model")):
            view = loader.view("model", i)
            data, _, _ = view[0]
            self.models.append(data["model"])
        return True

    def process(self, inputs, data_loaders, outputs):
        # N.B.: this will be called for every probe
        probe = inputs["projection"].data.value

        outputs["scores"].write(
            {
                "client_id": inputs["client_id"].data.value,
                "probe_id": inputs["probe_id"].data.value,
                "scores": [
                    {
                        "client_id": model.client_id,
                        "score": self.similarity(probe, model.value),
                    }
                    for model in self.models
                ],
            }
        )
        return True
