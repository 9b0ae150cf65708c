"""What a run leaves and is made from: folder, checkpoints, weights, module."""
