"""Every figure the project promises, measured in one run, beside its goal and reference: ``make bench``."""
