"""Gaze estimation and anticipation: the tasks, how densities are scored, and the losses."""
