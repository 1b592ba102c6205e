"""What the gates must do: float reference, bit-exact integer model, cycle model, and data sets."""
