import numpy as np


class Algorithm:
    """Finds the axes that separate the classes best, by Fisher's criterion.

    Autonomous: called once, loads the data it needs and says which indices its output is for.
    """

    def setup(self, parameters):
        self.shrinkage = float(parameters["shrinkage"])
        return True

    def process(self, data_loaders, outputs):
        loader = data_loaders.loaderOf("measurements")

        samples, species = [], []
        for i in range(loader.count()):
            data, _, end = loader[i]
            samples.append(data["measurements"].value)
            species.append(data["species"].text)

        outputs["model"].write(self.train(np.array(samples), np.array(species)), end)
        return True

    def train(self, samples, species):
        """Return the discriminant, and the mean of each class seen through it."""
        labels = np.unique(species)
        if len(labels) < 2:
            raise ValueError("a discriminant needs at least two classes, got %d" % len(labels))

        mean = samples.mean(axis=0)
        classes = [samples[species == label] for label in labels]
        means = np.array([members.mean(axis=0) for members in classes])
        within = self.covariance_within(classes)
        between = sum(
            len(members) * np.outer(offset, offset)
            for members, offset in zip(classes, means - mean)
        )

        # Fisher's criterion: the largest (w' between w) / (w' within w). With within = L L' and
        # w = inv(L') v this becomes the eigenvalue problem of a symmetric matrix
        whitening = np.linalg.inv(np.linalg.cholesky(within))
        _, vectors = np.linalg.eigh(whitening @ between @ whitening.T)
        strongest = vectors[:, ::-1][:, : min(len(labels) - 1, samples.shape[1])]
        axes = linear.oriented(whitening.T @ strongest)

        return {
            **linear.projection(mean, axes),
            "labels": labels.tolist(),
            "means": (means - mean) @ axes,
        }

    def covariance_within(self, classes):
        """Return the covariance around the class means, drawn towards a sphere by the shrinkage."""
        deviations = np.concatenate([members - members.mean(axis=0) for members in classes])
        covariance = deviations.T @ deviations / (len(deviations) - len(classes))
        sphere = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
        return (1 - self.shrinkage) * covariance + self.shrinkage * sphere
