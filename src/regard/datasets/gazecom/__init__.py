"""GazeCom: names -> trials (what a file says of one person and video), rates (samples to frames) -> dataset."""
