"""How people watch a video: the path that gaze takes, and where it goes next."""
