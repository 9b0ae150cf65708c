"""Models asked about pictures as they come: answers in time, or none; never answers that fall behind."""
