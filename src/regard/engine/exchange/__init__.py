"""Recordings written as other programs read them: plain tables, gaze-marked pictures, LeRobot's datasets."""
