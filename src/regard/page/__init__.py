"""Pages in a browser: a live run as it happens, served on this machine."""
