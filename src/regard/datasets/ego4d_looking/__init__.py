"""Ego4D's "looking at me": who in view looks at the camera wearer."""
