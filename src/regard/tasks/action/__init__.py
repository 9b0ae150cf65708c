"""Action recognition: the task, how labels are scored, and the losses."""
