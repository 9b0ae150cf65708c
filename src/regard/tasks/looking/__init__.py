"""Looking at me: the task, how it is scored, its losses, and an ensemble of several models' answers."""
