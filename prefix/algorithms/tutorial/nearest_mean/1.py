class Algorithm:
    """Learns flower by flower: guesses the species until a supervisor says that the guess is right.

    The output is the first guess, the one made before anything was learnt from the flower.
    """

    def __init__(self):
        self.classes = nearest_mean.NearestMean()

    def setup(self, parameters):
        self.maximum_guesses = int(parameters["maximum-guesses"])
        return True

    def process(self, inputs, data_loaders, outputs, loop_channel):
        sample = inputs["measurements"].data.value

        # An empty guess gives up: the supervisor then tells the species
        guesses = self.classes.ranking(sample)[: self.maximum_guesses] + [""]
        for guess in guesses:
            is_valid, feedback = loop_channel.validate({"text": guess})
            if is_valid:
                break
        self.classes.learn(sample, feedback.text)

        outputs["guess"].write({"text": guesses[0]})
        return True
