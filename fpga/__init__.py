"""Families, boards and builds."""
