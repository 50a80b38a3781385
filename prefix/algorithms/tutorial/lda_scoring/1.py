class Algorithm:
    """Scores each flower against each class of a discriminant."""

    def prepare(self, data_loaders):
        loader = data_loaders.loaderOf("model")
        data, _, _ = loader[0]
        self.model = data["model"]
        return True

    def process(self, inputs, data_loaders, outputs):
        point = linear.apply(self.model, inputs["measurements"].data.value)

        # Within a class the projections vary alike in all directions. With classes equally
        # frequent, half the squared distance is then the log-likelihood, up to a constant
        distances = ((self.model.means - point) ** 2).sum(axis=1)
        outputs["scores"].write({"labels": self.model.labels, "scores": -distances / 2})
        return True
