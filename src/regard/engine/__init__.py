"""The only floor with devices, loops and files written."""
