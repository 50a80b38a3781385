class Algorithm:
    """Projects each image on a subspace that another block has found (one-to-one)."""

    def prepare(self, data_loaders):
        # The subspace comes from another channel: it is loaded once, before the first image
        loader = data_loaders.loaderOf("subspace")
        data, _, _ = loader[0]
        self.subspace = data["subspace"]
        return True

    def process(self, inputs, data_loaders, outputs):
        image = inputs["image"].data.value.ravel()
        outputs["projection"].write({"value": linear.apply(self.subspace, image)})
        return True
