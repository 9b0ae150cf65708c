"""How wrong an answer about actions is; one file a model."""
