"""Co-simulation: the one place that knows both the RTL and the golden models."""
