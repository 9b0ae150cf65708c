"""Folders of known devices as Recordings; one file a device."""
