"""The compiled kernels. Importing one brings in numba, so whoever only shows results imports none."""
