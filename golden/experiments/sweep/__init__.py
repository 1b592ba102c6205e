"""Parameter sweeps on a Dask cluster."""
