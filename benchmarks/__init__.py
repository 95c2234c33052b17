"""Benchmarks: what README claims, measured. Run all with `make bench`."""
