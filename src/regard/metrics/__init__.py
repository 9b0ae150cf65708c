"""Scores: functions of numbers that answer with one value per item, and the table those values are kept in."""
