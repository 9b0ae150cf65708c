"""What a run is made of: YAML whose schema is the constructors."""

RECIPE_FILE = "recipe.yaml"
"""What makes a folder a run."""
