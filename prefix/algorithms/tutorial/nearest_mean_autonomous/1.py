class Algorithm:
    """Learns flower by flower like ``tutorial/nearest_mean/1``, but loads the flowers itself."""

    def __init__(self):
        self.classes = nearest_mean.NearestMean()

    def setup(self, parameters):
        self.maximum_guesses = int(parameters["maximum-guesses"])
        return True

    def process(self, data_loaders, outputs, loop_channel):
        loader = data_loaders.loaderOf("measurements")

        for i in range(loader.count()):
            data, _, end = loader[i]
            first_guess = self.learn(data["measurements"].value, loop_channel)
            outputs["guess"].write({"text": first_guess}, end)

        return True

    def learn(self, sample, loop_channel):
        """Guess until the supervisor says that the guess is right; return the first guess."""
        # An empty guess gives up: the supervisor then tells the species
        guesses = self.classes.ranking(sample)[: self.maximum_guesses] + [""]
        for guess in guesses:
            is_valid, feedback = loop_channel.validate({"text": guess})
            if is_valid:
                break
        self.classes.learn(sample, feedback.text)
        return guesses[0]
