"""Pure functions over points, maps, tracks and sound: no state, no files, the device of whatever goes in."""
