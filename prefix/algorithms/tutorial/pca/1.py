import numpy as np

# The library "linear" (see "uses" in the declaration) is there without being imported


class Algorithm:
    """Finds the axes along which the images vary most (many-to-one: one subspace for them all)."""

    def __init__(self):
        self.images = []

    def setup(self, parameters):
        self.number_of_components = int(parameters["number-of-components"])
        return True

    def process(self, inputs, data_loaders, outputs):
        self.images.append(inputs["image"].data.value.ravel().astype(np.float64))  # accumulates

        if not inputs.hasMoreData():
            outputs["subspace"].write(self.subspace(np.array(self.images)))

        return True

    def subspace(self, images):
        """Return the linear machine that projects on the principal components of ``images``."""
        if not 1 <= self.number_of_components <= min(images.shape):
            raise ValueError(
                "number-of-components is %d: %d images of %d pixels have from 1 to %d components"
                % (self.number_of_components, *images.shape, min(images.shape))
            )

        mean = images.mean(axis=0)
        # The rows of the last factor are the components, the strongest first
        _, _, components = np.linalg.svd(images - mean, full_matrices=False)
        axes = linear.oriented(components[: self.number_of_components].T)
        return linear.projection(mean, axes)
