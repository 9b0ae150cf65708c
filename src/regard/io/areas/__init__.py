"""Areas of interest: csv, JSON, and what people draw with -> `regard.area.Area`, and back."""
