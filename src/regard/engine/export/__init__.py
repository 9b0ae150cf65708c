"""Models that leave torch: a method of each as a file of another runtime, with its differences and its speed."""
