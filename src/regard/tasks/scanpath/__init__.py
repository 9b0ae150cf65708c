"""Scanpaths: the task, how predicted paths are scored, and the losses."""
