"""The accelerator as a clocked machine: state in flat arrays, one compiled step a clock cycle."""
