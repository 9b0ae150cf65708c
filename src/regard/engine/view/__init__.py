"""A recording and what was told of it as numbers for a page that goes through it: regard view."""
