"""Kahi beside supervisord, measured in one run on one machine: ``python -m benchmarks``."""
