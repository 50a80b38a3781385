class Algorithm:
    """Measures how well scores tell clients from impostors (API v1: ``process(inputs, output)``)."""

    def __init__(self):
        self.positives = []
        self.negatives = []

    def process(self, inputs, output):
        probe = inputs["scores"].data
        for entry in probe.scores:
            genuine = entry.client_id == probe.client_id
            (self.positives if genuine else self.negatives).append(entry.score)

        if not inputs.hasMoreData():
            output.write(roc.report(self.negatives, self.positives))

        return True
