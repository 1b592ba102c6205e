"""Experiments: many trainings, compared. The commands ``paper`` and ``sweep`` run them."""
