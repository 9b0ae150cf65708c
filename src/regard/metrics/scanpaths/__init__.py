"""How like people's scanpaths a path is: by where others looked, by how gaze moves, by the order of its fixations."""
