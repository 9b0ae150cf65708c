"""Eye tracking as BIDS 1.11 has it (BEP020): a dataset written, and opened again without loss."""
