"""A recogniser of actions that sees gaze alone: a user's package, with a dataset, a model, a loss and a recipe."""
