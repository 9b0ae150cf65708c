"""Pictures and sound of files by presentation time, and writing films."""
