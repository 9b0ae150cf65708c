"""Pictures as they come: recordings played, cameras, network streams, raw pictures from another program."""
